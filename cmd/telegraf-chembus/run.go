package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/logger"
	"github.com/influxdata/telegraf/plugins/common/shim"
)

// stdinGrace is how long a processor or an output waits for the end of stdin after a signal. It is longer
// than the 5 s that Telegraf waits between closing stdin and sending SIGTERM.
const stdinGrace = 6 * time.Second

// run runs an initialised plugin until Telegraf closes stdin or a signal ends it.
func run(plugin telegraf.PluginDescriber) error {
	log := logger.New("", "", "")
	stdout := os.Stdout
	if input, ok := plugin.(telegraf.Input); ok {
		os.Stdout = os.Stderr // other output must not mix with the metrics
		log.Infof("Starting %s", versionLine())
		return runInput(input, os.Stdin, stdout, log)
	}

	ended, err := outliveSignals(log)
	if err != nil {
		return err
	}
	log.Infof("Starting %s", versionLine())
	if processor, ok := plugin.(telegraf.StreamingProcessor); ok {
		os.Stdout = os.Stderr
		return runProcessor(processor, os.Stdin, stdout, log)
	}
	s := shim.New()
	s.Output = plugin.(telegraf.Output)
	if err := s.Run(shim.PollIntervalDisabled); err != nil {
		// The shim wraps the only possible failure, that of the start, in a text about a processor.
		if cause := errors.Unwrap(errors.Unwrap(err)); cause != nil {
			err = cause
		}
		return fmt.Errorf("starting: %w", err)
	}
	select {
	case <-ended:
		return nil
	default: // the shim ends without an error when a line is too long
		return errors.New("reading metrics failed: a line is longer than 64 KiB")
	}
}

// outliveSignals delays SIGINT and SIGTERM until the end of stdin. A terminal's Ctrl-C and systemd signal
// Telegraf and its child processes at the same time; without the delay, metrics that Telegraf sends before
// it closes stdin would be lost.
//
// A processor and an output end only with their stdin. So stdin is replaced by a pipe that is closed at the
// end of the real one, or stdinGrace after a signal. The returned channel is closed just before.
func outliveSignals(log telegraf.Logger) (<-chan struct{}, error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	stdin := os.Stdin
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	os.Stdin = r

	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(w, stdin)
		copied <- err
	}()
	ended := make(chan struct{})
	go func() {
		var err error
		select {
		case err = <-copied:
		case sig := <-signals:
			log.Infof("Received signal %q; stopping at the end of stdin, or in %v", sig, stdinGrace)
			select {
			case err = <-copied:
			case <-time.After(stdinGrace):
				log.Warnf("Stopping: stdin did not end within %v of the signal; metrics sent from now on are lost", stdinGrace)
			}
		}
		if err != nil {
			log.Errorf("Stopping: reading stdin failed: %v", err)
		}
		close(ended)
		_ = w.Close()
	}()
	return ended, nil
}
