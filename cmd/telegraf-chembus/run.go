package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/common/shim"
)

// run starts an initialised plugin, calls started, and runs it until its stdin ends.
func run(plugin telegraf.PluginDescriber, f *feed, started func(), out io.Writer, log telegraf.Logger) error {
	switch p := plugin.(type) {
	case telegraf.Input:
		return runInput(p, f.pipe, out, started, log)
	case telegraf.StreamingProcessor:
		return runProcessor(p, f.pipe, out, started, log)
	}
	s := shim.New()
	s.Output = startedOutput{plugin.(telegraf.Output), started}
	if err := s.Run(shim.PollIntervalDisabled); err != nil {
		// The shim wraps the only possible failure, that of the start, in a text about a processor.
		if cause := errors.Unwrap(errors.Unwrap(err)); cause != nil {
			err = cause
		}
		return fmt.Errorf("starting: %w", err)
	}
	select {
	case <-f.ended:
		return nil
	default: // the shim ends without an error when a line is too long
		return errors.New("reading metrics failed: a line is longer than 64 KiB")
	}
}

// startedOutput is an output that says when it has started.
type startedOutput struct {
	telegraf.Output
	started func()
}

// Connect starts the output.
func (o startedOutput) Connect() error {
	if err := o.Output.Connect(); err != nil {
		return err
	}
	o.started()
	return nil
}
