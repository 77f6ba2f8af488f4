package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

const (
	beatInterval = time.Second
	threshold    = 4 * time.Second
	// startLimit is how long the stage may take to be set; it is not what it should take.
	startLimit = 2 * time.Minute
	poll       = 50 * time.Millisecond
)

// pluginOptions scale the times of the default options down together. Every death is an incident of its
// own: the counts that make one of many are out of reach.
const pluginOptions = `
[[inputs.chembus]]
  tick_interval = "200ms"
  blind_after = "1s"
  announce_as = ""

[[processors.liveness]]
  threshold = %q
  blind_after = "1s"
  report_interval = "2s"
  mass_count = 1000000
  flap_count = 1000000
  state_file = %q

[[outputs.chembus]]
  state_file = %q
`

// agentConfig lets Telegraf write down what the judge finds: that all are up at first, and afterwards
// evidence.
const agentConfig = `
[agent]
  interval = "1s"
  flush_interval = "200ms"
  hostname = "soak"
[[outputs.file]]
  files = [%q]
  namepass = ["liveness", "liveness_gap"]
  data_format = "influx"
`

// stage is everything that takes part in a campaign: the bus (in this process, so that it can be killed
// and paused but not stopped by a signal), a colony, a Telegraf with the drop-in, and consumers.
type stage struct {
	start     time.Time
	dir       string
	disk      *stateDisk
	bus       *colony.Bus
	colony    *colony.Colony
	publisher *colony.Publisher // of pings, floods and garbage
	listeners []*listener
	config    telegraf.Config

	mu     sync.Mutex
	agents []*telegraf.Telegraf // the last one is at work

	stopPings func()
}

// options say what a campaign is run with.
type options struct {
	telegraf, plugins, dropIn string
	dir                       string // a folder of its own
	zooids                    int
}

// newStage sets the stage and waits until the judge knows every zooid. Close it after use, also after an
// error.
func newStage(ctx context.Context, o options) (*stage, error) {
	s := &stage{start: time.Now(), dir: o.dir, stopPings: func() {}}
	return s, s.set(ctx, o)
}

func (s *stage) set(ctx context.Context, o options) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var err error
	if s.disk, err = newStateDisk(filepath.Join(s.dir, "state")); err != nil {
		return err
	}
	if s.bus, err = colony.NewBus(colony.BusConfig{}); err != nil {
		return err
	}
	if s.publisher, err = colony.NewPublisher(s.bus.XSub()); err != nil {
		return err
	}
	s.ping()
	for _, name := range []string{"anna", "bert"} {
		l := &listener{name: name, xpub: s.bus.XPub(), start: s.start}
		s.listeners = append(s.listeners, l)
		if err := l.subscribe(); err != nil {
			return err
		}
	}
	if err := s.addZooids(o.zooids); err != nil {
		return err
	}
	metrics := filepath.Join(s.dir, "metrics.influx")
	s.config = telegraf.Config{
		Binary: o.telegraf, Plugins: o.plugins, DropIn: o.dropIn,
		Agent: fmt.Sprintf(agentConfig, metrics),
		Options: fmt.Sprintf(pluginOptions, threshold,
			s.judgeState(), filepath.Join(s.disk.dir, "voice.json")),
		Dir: s.dir,
		Env: []string{"KLR_CHEM_XSUB=" + s.bus.XSub(), "KLR_CHEM_XPUB=" + s.bus.XPub()},
	}
	if err := s.startAgent(); err != nil {
		return err
	}
	return s.awaitAllUp(ctx, metrics)
}

func (s *stage) addZooids(n int) error {
	var err error
	if s.colony, err = colony.New(colony.Config{XSub: s.bus.XSub()}); err != nil {
		return err
	}
	zooids := colony.Field(n)
	for i := range zooids {
		zooids[i].Interval = beatInterval
	}
	return s.colony.Add(zooids...)
}

// awaitAllUp waits until the judge has reported every zooid, and every consumer hears.
func (s *stage) awaitAllUp(ctx context.Context, metrics string) error {
	names := s.colony.Names()
	for {
		content, _ := os.ReadFile(metrics) // Telegraf creates it
		missing := 0
		for _, name := range names {
			if !strings.Contains(string(content), "zooid="+name+" ") {
				missing++
			}
		}
		for _, l := range s.listeners {
			if !l.hears(0) {
				missing++
			}
		}
		if missing == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d zooids and consumers were not there after %v", missing, len(names)+len(s.listeners), startLimit)
		case <-s.agent().Done():
			return errors.New("telegraf ended by itself")
		case <-time.After(poll):
		}
	}
}

// ping tells the consumers all the time that they can hear.
func (s *stage) ping() {
	stop, done := make(chan struct{}), make(chan struct{})
	s.stopPings = func() { close(stop); <-done }
	go func() {
		defer close(done)
		ticker := time.NewTicker(pingInterval)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				_ = s.publisher.Send([]byte(pingTopic), []byte("{}")) // fails only once it is closed
			}
		}
	}()
}

// judgeState is where the judge keeps its state.
func (s *stage) judgeState() string { return filepath.Join(s.disk.dir, "liveness.json") }

func (s *stage) now() time.Duration { return time.Since(s.start) }

// agent is the Telegraf that was started last.
func (s *stage) agent() *telegraf.Telegraf {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.agents[len(s.agents)-1]
}

func (s *stage) startAgent() error {
	a, err := telegraf.Start(s.config)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agents = append(s.agents, a)
	return nil
}

// log is all that the Telegrafs said.
func (s *stage) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all strings.Builder
	for _, a := range s.agents {
		fmt.Fprintf(&all, "--- telegraf, process %d\n%s", a.Pid(), a.Output())
	}
	return all.String()
}

// close ends everything, also what a killed Telegraf has left behind.
func (s *stage) close() error {
	s.stopPings()
	var err error
	for i, a := range s.agents {
		if i == len(s.agents)-1 {
			err = errors.Join(err, a.Stop())
		}
		_ = syscall.Kill(-a.Pid(), syscall.SIGKILL) // none may be left
	}
	for _, l := range s.listeners {
		err = errors.Join(err, l.leave())
	}
	if s.colony != nil {
		err = errors.Join(err, s.colony.Close())
	}
	if s.publisher != nil {
		err = errors.Join(err, s.publisher.Close())
	}
	if s.bus != nil {
		err = errors.Join(err, s.bus.Close())
	}
	if s.disk != nil {
		err = errors.Join(err, s.disk.close())
	}
	return err
}
