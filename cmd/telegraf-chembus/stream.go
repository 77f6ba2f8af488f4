package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/agent"
	parser "github.com/influxdata/telegraf/plugins/parsers/influx"
	serializer "github.com/influxdata/telegraf/plugins/serializers/influx"
)

// What is here runs inputs and processors in the place of Telegraf's shim, which hands on and writes each
// metric by itself. Where there are thousands a second, that takes longer than all the rest. In everything
// else it does as the shim does, and in the same order.
const (
	// gather is how long metrics gather before they are written together, where less than busyGap has passed
	// since some were written.
	gather  = 2 * time.Millisecond
	busyGap = 50 * time.Millisecond
	// maxGathered is how many metrics can wait to be written before those who add more have to.
	maxGathered = 1024
)

// stream carries the metrics of a plugin to stdout.
type stream struct {
	log     telegraf.Logger
	metrics chan telegraf.Metric
	written chan error // how the writing ended
}

// newStream starts to write to out what is added to the accumulator.
func newStream(out io.Writer, log telegraf.Logger) (*stream, telegraf.Accumulator) {
	s := &stream{log: log, metrics: make(chan telegraf.Metric, maxGathered), written: make(chan error, 1)}
	acc := agent.NewAccumulator(s, s.metrics)
	acc.SetPrecision(time.Nanosecond)
	go func() { s.written <- s.write(out) }()
	return s, acc
}

// LogName says nothing, since the log itself names the plugin. With what follows it is an agent.MetricMaker.
func (*stream) LogName() string { return "" }

// MakeMetric has nothing to do.
func (*stream) MakeMetric(m telegraf.Metric) telegraf.Metric { return m }

// Log is where the errors of the plugin go.
func (s *stream) Log() telegraf.Logger { return s.log }

// write writes what is added until the channel is closed.
func (s *stream) write(out io.Writer) error {
	var lines serializer.Serializer
	if err := lines.Init(); err != nil {
		return err
	}
	batch := make([]telegraf.Metric, 0, maxGathered)
	var last time.Time
	for m := range s.metrics {
		if time.Since(last) < busyGap {
			time.Sleep(gather)
		}
		last = time.Now()
		batch = append(batch[:0], m)
		// Others only add, so what is there now can be had without waiting.
		for range min(len(s.metrics), maxGathered-1) {
			batch = append(batch, <-s.metrics)
		}
		text, err := lines.SerializeBatch(batch)
		if err == nil {
			_, err = out.Write(text)
		}
		if err != nil {
			return fmt.Errorf("writing metrics: %w", err)
		}
		for _, m := range batch {
			m.Accept()
		}
	}
	return nil
}

// runInput runs an input until stdin ends or a signal comes. It gathers at every line of stdin.
func runInput(input telegraf.Input, stdin io.Reader, stdout io.Writer, log telegraf.Logger) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	// They are caught for as long as the process lives: one that comes while it ends must not kill it.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		stop()
	}()
	prompts := make(chan struct{}, 1)
	go func() {
		defer stop()
		for lines := bufio.NewScanner(stdin); lines.Scan(); {
			select {
			case prompts <- struct{}{}:
			default: // one waits already
			}
		}
	}()

	s, acc := newStream(stdout, log)
	service, isService := input.(telegraf.ServiceInput)
	if isService {
		if err := service.Start(acc); err != nil {
			return fmt.Errorf("starting the input: %w", err)
		}
	}
	go func() {
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-prompts:
				acc.AddError(input.Gather(acc))
			}
		}
		if isService {
			service.Stop()
		}
		close(s.metrics)
	}()
	return <-s.written
}

// runProcessor runs a processor on the metrics of stdin until that ends.
func runProcessor(processor telegraf.StreamingProcessor, stdin io.Reader, stdout io.Writer, log telegraf.Logger) error {
	s, acc := newStream(stdout, log)
	if err := processor.Start(acc); err != nil {
		return fmt.Errorf("starting the processor: %w", err)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for metrics := parser.NewStreamParser(stdin); ; {
			m, err := metrics.Next()
			var bad *parser.ParseError
			if err != nil && !errors.As(err, &bad) {
				if !errors.Is(err, parser.EOF) {
					log.Errorf("Reading metrics: %v", err)
				}
				break
			}
			if err == nil {
				err = processor.Add(m, acc)
			}
			acc.AddError(err)
		}
		close(s.metrics)
		processor.Stop()
	}()
	if err := <-s.written; err != nil {
		return err
	}
	<-stopped
	return nil
}
