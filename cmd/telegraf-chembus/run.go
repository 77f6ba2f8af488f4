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

// stdinGrace is how long a processor or an output that was signalled waits for the end of stdin. It is
// longer than the 5 s that Telegraf leaves between closing stdin and its own SIGTERM.
const stdinGrace = 6 * time.Second

// run runs the plugin, already initialised, until Telegraf closes stdin or a signal ends it.
func run(plugin telegraf.PluginDescriber) error {
	log := logger.New("", "", "")
	stdout := os.Stdout
	if input, ok := plugin.(telegraf.Input); ok {
		os.Stdout = os.Stderr // whatever else is printed must not get between the metrics
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
		// The shim says that a processor failed to start, which is all that can fail.
		if cause := errors.Unwrap(errors.Unwrap(err)); cause != nil {
			err = cause
		}
		return fmt.Errorf("starting: %w", err)
	}
	select {
	case <-ended:
		return nil
	default: // the shim says nothing when a line is too long for it
		return errors.New("gave up reading metrics: one is longer than 64 KiB")
	}
}

// outliveSignals makes SIGINT and SIGTERM wait for the end of stdin. A terminal's Ctrl-C and systemd
// signal Telegraf and its child processes at the same time; metrics that Telegraf still sends before it
// closes stdin would be lost.
//
// Both can be stopped only by the end of their stdin, so from now on that is a pipe which ends when the
// real one does or when its time is up. The channel is closed just before.
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
			log.Infof("Stopping at the end of stdin, or in %v, after signal %q", stdinGrace, sig)
			select {
			case err = <-copied:
			case <-time.After(stdinGrace):
				log.Warn("Stopping although stdin has not ended; metrics sent from now on are lost")
			}
		}
		if err != nil {
			log.Errorf("Stopping because stdin cannot be read: %v", err)
		}
		close(ended)
		_ = w.Close()
	}()
	return ended, nil
}
