package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

// host is where a Telegraf with the drop-in and the plugins runs, and after it the next one.
type host struct {
	dir    string // for configuration, metrics and log
	state  string // folder of the state files
	link   *link  // to the bus; nil: it runs beside the bus
	config telegraf.Config

	mu     sync.Mutex
	agents []*telegraf.Telegraf // the last one is running
}

// processorState returns the path of the processor's state file.
func (h *host) processorState() string { return filepath.Join(h.state, "liveness.json") }

func (h *host) outputState() string { return filepath.Join(h.state, "output.json") }

// metricsFile returns the path of the file to which Telegraf writes metrics.
func (h *host) metricsFile() string { return filepath.Join(h.dir, "metrics.influx") }

// agent returns the Telegraf that was started last.
func (h *host) agent() *telegraf.Telegraf {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.agents[len(h.agents)-1]
}

func (h *host) startAgent() error {
	var a *telegraf.Telegraf
	err := h.link.beyond(func() (err error) {
		a, err = telegraf.Start(h.config)
		return err
	})
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.agents = append(h.agents, a)
	return nil
}

// killAgent kills Telegraf and waits for its end. Its plugins end by themselves.
func (h *host) killAgent() error {
	err := h.agent().Signal(syscall.SIGKILL)
	<-h.agent().Done()
	return err
}

// awaitPlugins waits until Telegraf runs all its plugins, none of them in the former process.
func (h *host) awaitPlugins(former int) error {
	for limit := time.Now().Add(restartLimit); ; time.Sleep(poll) {
		running := 0
		var err error
		for _, role := range wholeAgent {
			var pid int
			if pid, err = h.agent().Plugin(role); err == nil && pid != former {
				running++
			}
		}
		if running == len(wholeAgent) {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("telegraf runs only %d plugins after %v (%w)", running, restartLimit, err)
		}
	}
}

// log returns the logs of all Telegrafs.
func (h *host) log() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all strings.Builder
	for _, a := range h.agents {
		fmt.Fprintf(&all, "--- telegraf, process %d\n%s", a.Pid(), a.Output())
	}
	return all.String()
}

// stop stops Telegraf, also plugins that a killed one has left.
func (h *host) stop() error {
	var err error
	for i, a := range h.agents {
		if i == len(h.agents)-1 {
			err = errors.Join(err, a.Stop())
		}
		_ = syscall.Kill(-a.Pid(), syscall.SIGKILL) // the plugins of a killed Telegraf
	}
	return err
}
