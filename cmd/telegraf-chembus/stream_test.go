package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"
)

// manyMetrics are more than a stream holds.
const manyMetrics = 50_000

// floodingInput adds many metrics at each gather.
type floodingInput struct {
	fakePlugin
	metrics int
}

func (f *floodingInput) Gather(acc telegraf.Accumulator) error {
	for i := range f.metrics {
		acc.AddFields("m", map[string]any{"value": i}, nil, time.Unix(1, 0))
	}
	return nil
}

func TestStreamWritesAllMetricsInOrder(t *testing.T) {
	const metrics = manyMetrics
	stdin, asking := io.Pipe()
	written, stdout := io.Pipe()
	ended := make(chan error)
	go func() {
		ended <- runInput(&floodingInput{metrics: metrics}, stdin, stdout, func() {}, testutil.Logger{})
	}()
	_, err := io.WriteString(asking, "\n")
	require.NoError(t, err)
	lines := bufio.NewReader(written)
	for i := range metrics {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("m value=%di 1000000000\n", i), line)
	}
	require.NoError(t, asking.Close())
	require.NoError(t, <-ended)
}

// TestInputEndsThoughStdoutIsNotRead closes stdin while more metrics wait than stdout takes: the input must neither wait
// for Telegraf, which may stand still, nor be killed by it.
func TestInputEndsThoughStdoutIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stdin, asking := io.Pipe()
		unread, stdout := io.Pipe()
		defer unread.Close()
		input := &floodingService{floodingInput: floodingInput{metrics: manyMetrics}}
		ended := make(chan error)
		go func() { ended <- runInput(input, stdin, stdout, func() {}, testutil.Logger{}) }()
		_, err := io.WriteString(asking, "\n")
		require.NoError(t, err)
		synctest.Wait()
		closed := time.Now()
		require.NoError(t, asking.Close())
		require.ErrorContains(t, <-ended, "stdout was not read")
		require.Less(t, time.Since(closed), 5*time.Second)
		synctest.Wait()
		require.True(t, input.stopped)
	})
}

// floodingService is such an input that has to be stopped.
type floodingService struct {
	floodingInput
	stopped bool
}

func (*floodingService) Start(telegraf.Accumulator) error { return nil }
func (f *floodingService) Stop()                          { f.stopped = true }

// TestLongLineIsAPrompt writes a line to an input that is longer than any buffer.
func TestLongLineIsAPrompt(t *testing.T) {
	stdin, asking := io.Pipe()
	input := &promptedInput{asked: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- runInput(input, stdin, io.Discard, func() {}, testutil.Logger{}) }()
	go func() { _, _ = io.WriteString(asking, strings.Repeat("x", 1<<20)+"\n") }()
	select {
	case <-input.asked:
	case err := <-ended:
		require.Fail(t, "it has ended", err)
	}
	require.NoError(t, asking.Close())
	require.NoError(t, <-ended)
}

// promptedInput tells of each gather.
type promptedInput struct {
	fakePlugin
	asked chan struct{}
}

func (p *promptedInput) Gather(telegraf.Accumulator) error {
	p.asked <- struct{}{}
	return nil
}

func TestProcessorSkipsInvalidLines(t *testing.T) {
	log := &testutil.CaptureLogger{}
	processor := &fakeProcessor{fakePlugin{Log: log}}
	var stdout bytes.Buffer
	lines := "first value=1i 1\n" + strings.Repeat("no metric\n", 1000) + "second value=2i 2\n"
	require.NoError(t, runProcessor(processor, strings.NewReader(lines), &stdout, func() {}, log))
	require.Equal(t, "first value=1i 1\nsecond value=2i 2\n", stdout.String())
	require.Len(t, log.Errors(), 1)
	require.Contains(t, log.Errors()[0], "no metric")
}

// keepingOutput keeps the values that are written to it.
type keepingOutput struct {
	fakePlugin
	values []any
	fails  bool
	closed bool
}

func (o *keepingOutput) Connect() error {
	if o.fails {
		return errors.New("no bus")
	}
	return nil
}

func (o *keepingOutput) Write(metrics []telegraf.Metric) error {
	for _, m := range metrics {
		value, _ := m.GetField("value")
		o.values = append(o.values, value)
	}
	if len(o.values) == 1 {
		return errors.New("the first is refused")
	}
	return nil
}

func (o *keepingOutput) Close() error {
	o.closed = true
	return errors.New("not all was sent")
}

func TestOutputGetsAllMetricsInOrder(t *testing.T) {
	log := &testutil.CaptureLogger{}
	long := strings.Repeat("x", 100_000)
	o := &keepingOutput{}
	lines := "m value=1i 1\nno metric\nm value=\"" + long + "\" 2\nm value=3i 3\n"
	require.EqualError(t, runOutput(o, strings.NewReader(lines), func() {}, log), "not all was sent")
	require.Equal(t, []any{int64(1), long, int64(3)}, o.values)
	require.True(t, o.closed)
	require.Len(t, log.Errors(), 2)
	require.Contains(t, log.Errors()[0], "the first is refused")
	require.Contains(t, log.Errors()[1], "no metric")

	o = &keepingOutput{fails: true}
	require.EqualError(t, runOutput(o, strings.NewReader(lines), func() { require.Fail(t, "it has not started") }, log), "starting: no bus")
	require.Empty(t, o.values)
	require.False(t, o.closed)
}

// failingProcessor and failingInput cannot start.
type (
	failingProcessor struct{ fakeProcessor }
	failingInput     struct{ fakeInput }
)

var errStart = errors.New("no folder")

func (*failingProcessor) Start(telegraf.Accumulator) error { return errStart }
func (*failingInput) Start(telegraf.Accumulator) error     { return errStart }
func (*failingInput) Stop()                                {}

// TestFailedStartLeavesNothingBehind has starts fail, as often as a folder cannot be written: no goroutine may stay, nor take
// what is on stdin.
func TestFailedStartLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stdin := strings.NewReader("m value=1i 1\n")
		size := stdin.Len()
		started := func() { require.Fail(t, "it has not started") }
		require.ErrorIs(t, runProcessor(&failingProcessor{}, stdin, io.Discard, started, testutil.Logger{}), errStart)
		require.ErrorIs(t, runInput(&failingInput{}, stdin, io.Discard, started, testutil.Logger{}), errStart)
		synctest.Wait()
		require.Equal(t, size, stdin.Len())
	})
}

// brokenPipe is a stdout without a reader.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestBrokenStdoutEndsThePlugin has more metrics waiting than the stream holds when stdout breaks.
func TestBrokenStdoutEndsThePlugin(t *testing.T) {
	stdin, asking := io.Pipe()
	defer asking.Close()
	ended := make(chan error)
	go func() {
		ended <- runInput(&floodingInput{metrics: manyMetrics}, stdin, brokenPipe{}, func() {}, testutil.Logger{})
	}()
	_, err := io.WriteString(asking, "\n")
	require.NoError(t, err)
	require.EqualError(t, <-ended, "writing metrics: broken pipe")

	lines := strings.Repeat("m value=1i 1\n", manyMetrics)
	log := testutil.Logger{}
	processor := &fakeProcessor{fakePlugin{Log: log}}
	require.EqualError(t, runProcessor(processor, strings.NewReader(lines), brokenPipe{}, func() {}, log), "writing metrics: broken pipe")
}
