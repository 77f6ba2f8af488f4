package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/agent"
	parser "github.com/influxdata/telegraf/plugins/parsers/influx"
	serializer "github.com/influxdata/telegraf/plugins/serializers/influx"
)

// This file replaces Telegraf's shim for inputs and processors. The shim writes each metric by itself, which at
// thousands of metrics per second takes more CPU than all the rest. Otherwise it does what the shim does, in the
// same order.
const (
	// gather is how long metrics are collected before they are written together, if the last write was less than
	// busyGap ago.
	gather  = 2 * time.Millisecond
	busyGap = 50 * time.Millisecond
	// maxGathered is how many metrics can wait to be written before adding one blocks.
	maxGathered = 1024
)

// stream writes the metrics of a plugin to stdout.
type stream struct {
	log     telegraf.Logger
	metrics chan telegraf.Metric
	written chan error // receives the result of write
}

// newStream starts a stream to out. Metrics are added through the accumulator.
func newStream(out io.Writer, log telegraf.Logger) (*stream, telegraf.Accumulator) {
	s := &stream{log: log, metrics: make(chan telegraf.Metric, maxGathered), written: make(chan error, 1)}
	acc := agent.NewAccumulator(s, s.metrics)
	acc.SetPrecision(time.Nanosecond)
	go func() { s.written <- s.write(out) }()
	return s, acc
}

// LogName returns nothing: the log adds the plugin's name. With the next two methods stream is an agent.MetricMaker.
func (*stream) LogName() string { return "" }

// MakeMetric returns the metric unchanged.
func (*stream) MakeMetric(m telegraf.Metric) telegraf.Metric { return m }

// Log returns the logger for errors of the plugin.
func (s *stream) Log() telegraf.Logger { return s.log }

// write writes the added metrics until the channel is closed.
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
		// This is the only reader, so none of these receives blocks.
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

// runInput starts an input, calls started, and runs it until stdin ends. It gathers at every line of stdin.
func runInput(input telegraf.Input, stdin io.Reader, stdout io.Writer, started func(), log telegraf.Logger) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	prompts := make(chan struct{}, 1)
	go func() {
		defer stop()
		for lines := bufio.NewScanner(stdin); lines.Scan(); {
			select {
			case prompts <- struct{}{}:
			default: // a prompt is already waiting
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
	started()
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

// runProcessor starts a processor, calls started, and runs it on the metrics from stdin until stdin ends.
func runProcessor(processor telegraf.StreamingProcessor, stdin io.Reader, stdout io.Writer, started func(), log telegraf.Logger) error {
	s, acc := newStream(stdout, log)
	if err := processor.Start(acc); err != nil {
		return fmt.Errorf("starting the processor: %w", err)
	}
	started()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for metrics := parser.NewStreamParser(stdin); ; {
			m, err := metrics.Next()
			var bad *parser.ParseError
			if err != nil && !errors.As(err, &bad) {
				if !errors.Is(err, parser.EOF) {
					log.Errorf("Reading metrics failed: %v", err)
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
