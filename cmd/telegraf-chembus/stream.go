package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/cmd/telegraf-chembus/accumulator"
	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

// This file replaces Telegraf's shim, and does what that does in the same order. The shim writes each metric by itself,
// which at thousands of metrics per second takes more CPU than all the rest, and brings Telegraf's agent along (see
// accumulator).
// maxWaiting is how many bytes can wait to be written before adding a metric blocks.
const maxWaiting = 256 << 10

// unreadLimit is how long after the end of stdin an input waits for stdout to be read. Telegraf sends SIGTERM after 5 s.
const unreadLimit = 4 * time.Second

// errUnread says that the input has ended before its metrics were read.
var errUnread = fmt.Errorf("stdout was not read within %v of the end of stdin; what waited to be written is lost", unreadLimit)

// stream writes the metrics of a plugin to stdout, in line protocol. It makes a line of each metric at once: what is
// added can be used again.
type stream struct {
	log     telegraf.Logger
	written chan error // receives the result of write

	mu      sync.Mutex // guards what follows
	changed *sync.Cond // signals that lines wait or were taken, or that the stream was closed
	lines   lineWriter // those that wait
	closed  bool       // what is added from now on is dropped
}

// newStream starts a stream to out.
func newStream(out io.Writer, log telegraf.Logger) *stream {
	s := &stream{log: log, written: make(chan error, 1)}
	s.changed = sync.NewCond(&s.mu)
	go func() { s.written <- s.write(out) }()
	return s
}

// AddFields adds a metric.
func (s *stream) AddFields(measurement string, fields map[string]any, tags map[string]string, t ...time.Time) {
	at := time.Now()
	if len(t) > 0 {
		at = t[0]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.awaitRoom() {
		s.AddError(s.lines.Add(measurement, tags, fields, at))
	}
}

// AddMetric adds a metric. One that was read and not changed is written as it came.
func (s *stream) AddMetric(m telegraf.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.awaitRoom() {
		return
	}
	if line, ok := m.(*lineMetric); ok && !line.changed {
		s.lines.text = append(s.lines.text, line.line...)
		if !bytes.HasSuffix(line.line, []byte("\n")) { // the last one
			s.lines.text = append(s.lines.text, '\n')
		}
		return
	}
	s.AddError(s.lines.Add(m.Name(), m.Tags(), m.Fields(), m.Time()))
}

// AddError logs an error of the plugin.
func (s *stream) AddError(err error) {
	if err != nil {
		s.log.Errorf("Error in plugin: %v", err)
	}
}

// awaitRoom waits until there is room for a metric, and announces it; false if the stream was closed.
func (s *stream) awaitRoom() bool {
	for len(s.lines.text) >= maxWaiting && !s.closed {
		s.changed.Wait()
	}
	if len(s.lines.text) == 0 {
		s.changed.Broadcast()
	}
	return !s.closed
}

// Close ends the stream once all lines are written.
func (s *stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.changed.Broadcast()
}

// write writes the lines until the stream is closed.
func (s *stream) write(out io.Writer) error {
	defer s.Close() // nobody waits for room any more
	var lines []byte
	for s.await() {
		lines = s.take(lines[:0])
		if _, err := out.Write(lines); err != nil {
			return fmt.Errorf("writing metrics: %w", err)
		}
	}
	return nil
}

// await waits for lines; false if none comes any more.
func (s *stream) await() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.lines.text) == 0 && !s.closed {
		s.changed.Wait()
	}
	return len(s.lines.text) > 0
}

// take returns the lines that wait, and leaves an empty buffer for the next ones in their place.
func (s *stream) take(empty []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
	lines := s.lines.text
	s.lines.text = empty
	return lines
}

// runInput starts an input, calls started, and runs it until stdin ends. It gathers at every line of stdin.
func runInput(input telegraf.Input, stdin io.Reader, stdout io.Writer, started func(), log telegraf.Logger) error {
	s := newStream(stdout, log)
	acc := accumulator.Of(s)
	service, isService := input.(telegraf.ServiceInput)
	if isService {
		if err := service.Start(acc); err != nil {
			s.Close()
			return fmt.Errorf("starting the input: %w", err)
		}
	}
	started()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	prompts := make(chan struct{}, 1)
	go func() {
		defer stop()
		for lines := bufio.NewReader(stdin); ; {
			_, err := lines.ReadSlice('\n')
			switch {
			case errors.Is(err, bufio.ErrBufferFull): // the line goes on
				continue
			case err != nil:
				return
			}
			select {
			case prompts <- struct{}{}:
			default: // a prompt is already waiting
			}
		}
	}()
	go func() {
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-prompts:
				s.AddError(input.Gather(acc))
			}
		}
		if isService {
			service.Stop()
		}
		s.Close()
	}()
	select {
	case err := <-s.written:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-s.written:
		return err
	case <-time.After(unreadLimit):
		s.Close() // so that nobody waits for room
		return errUnread
	}
}

// runProcessor starts a processor, calls started, and runs it on the metrics from stdin until stdin ends.
func runProcessor(processor telegraf.StreamingProcessor, stdin io.Reader, stdout io.Writer, started func(), log telegraf.Logger) error {
	s := newStream(stdout, log)
	acc := accumulator.Of(s)
	if err := processor.Start(acc); err != nil {
		s.Close()
		return fmt.Errorf("starting the processor: %w", err)
	}
	started()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		readMetrics(stdin, func(m telegraf.Metric) error { return processor.Add(m, acc) }, log)
		s.Close()
		processor.Stop()
	}()
	if err := <-s.written; err != nil {
		return err
	}
	<-stopped
	return nil
}

// runOutput starts an output, calls started, and writes the metrics from stdin to it until stdin ends. It may not keep
// them.
func runOutput(output telegraf.Output, stdin io.Reader, started func(), log telegraf.Logger) error {
	if err := output.Connect(); err != nil {
		return fmt.Errorf("starting: %w", err)
	}
	started()
	one := make([]telegraf.Metric, 1)
	readMetrics(stdin, func(m telegraf.Metric) error {
		one[0] = m
		return output.Write(one)
	}, log)
	return output.Close()
}

// readMetrics hands the metrics from stdin to take until stdin ends. Each is valid until take returns.
func readMetrics(stdin io.Reader, take func(telegraf.Metric) error, log telegraf.Logger) {
	var limit logging.RateLimit // of what each line may lead to, as with another data_format
	for metrics := newLineReader(stdin); ; {
		m, err := metrics.Next()
		if bad := (*lineError)(nil); errors.As(err, &bad) {
			if n := limit.Count(time.Now()); n > 0 {
				log.Errorf("Lines on stdin that are no metrics: %d. Check data_format, which has to be \"influx\": %v", n, err)
			}
			continue
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				log.Errorf("Reading metrics failed: %v", err)
			}
			return
		}
		if err := take(m); err != nil {
			log.Errorf("Error in plugin: %v", err)
		}
	}
}
