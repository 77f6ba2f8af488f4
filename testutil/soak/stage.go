package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

const (
	beatInterval = time.Second
	threshold    = 4 * time.Second
	// startLimit is the timeout for the start of the stage.
	startLimit = 2 * time.Minute
	poll       = 50 * time.Millisecond
)

// The bounds of the adaptive thresholds.
const (
	minThreshold = 3 * time.Second
	maxThreshold = 8 * time.Second
)

const adaptiveOptions = `  adaptive = true
  min_threshold = %q
  max_threshold = %q
`

// pluginOptions scale down the times of the default options. With mass_count and flap_count out of reach, every death is an
// incident of its own.
const pluginOptions = `
[[inputs.chembus]]
  tick_interval = "200ms"
  blind_after = "1s"
  announce_as = ""
  maintenance_file = %q
  signals = [%q]

[[processors.liveness]]
  threshold = %q
  blind_after = "1s"
  report_interval = "2s"
  mass_count = 1000000
  flap_count = 1000000
%s  state_file = %q

[[outputs.chembus]]
  state_file = %q
`

// agentConfig makes Telegraf write metrics to a file: the stage waits for them, and they help to investigate a failure.
const agentConfig = `
[agent]
  interval = "1s"
  flush_interval = "200ms"
  hostname = "soak"
[[outputs.file]]
  files = [%q]
  namepass = ["liveness", "liveness_gap", "chembus_bus", "chembus_kill"]
  data_format = "influx"
`

// stage is a bus (in this process), a colony, a Telegraf with the drop-in, or several, and two consumers.
type stage struct {
	*host             // the first of hosts
	hosts     []*host // each with a monitor
	start     time.Time
	number    int // among those of a scenario
	dir       string
	disk      *stateDisk
	bus       *colony.Bus
	colony    *colony.Colony
	publisher *colony.Publisher // of pings, floods and garbage
	listeners []*listener

	stopPings func()
}

// setting is what is on a stage.
type setting struct {
	bus     colony.BusConfig
	members []colony.Zooid
	spread  time.Duration        // they are started one after another in this time
	ahead   []time.Duration      // by which their clocks are ahead, by stage in turn
	config  func(h *host) string // options of telegraf-chembus
	links   []*link              // to the hosts, each with a monitor; nil: one beside the bus
}

// newStage starts a stage and waits until the processor has reported every zooid. Close it after use, also after an error.
func newStage(ctx context.Context, o options, set setting, number int) (*stage, error) {
	h := &host{dir: o.dir, state: filepath.Join(o.dir, "state")}
	s := &stage{host: h, hosts: []*host{h}, start: time.Now(), number: number, dir: o.dir, stopPings: func() {}}
	return s, s.setUp(ctx, o, set)
}

func (s *stage) setUp(ctx context.Context, o options, set setting) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var err error
	if s.disk, err = newStateDisk(s.state); err != nil {
		return err
	}
	if s.bus, err = colony.NewBus(set.bus); err != nil {
		return err
	}
	if s.publisher, err = colony.NewPublisher(s.bus.XSub()); err != nil {
		return err
	}
	s.startPings()
	for _, name := range []string{"anna", "bert"} {
		l := &listener{name: name, xpub: s.bus.XPub(), start: s.start}
		s.listeners = append(s.listeners, l)
		if err := l.connect(); err != nil {
			return err
		}
	}
	if err := s.addZooids(set); err != nil {
		return err
	}
	if err := s.addHosts(o, set); err != nil {
		return err
	}
	return s.awaitAllUp(ctx)
}

// addHosts starts Telegraf, beside the bus or on a host behind each link.
func (s *stage) addHosts(o options, set setting) error {
	if set.links != nil {
		s.hosts = nil
		for _, l := range set.links {
			s.hosts = append(s.hosts, &host{dir: filepath.Join(s.dir, l.name), state: filepath.Join(s.disk.dir, l.name), link: l})
		}
		s.host = s.hosts[0]
	}
	for _, h := range s.hosts {
		h.config = telegraf.Config{
			Binary: o.telegraf, Plugins: o.plugins, DropIn: o.dropIn,
			Agent:   fmt.Sprintf(agentConfig, h.metricsFile()),
			Options: set.config(h),
			Dir:     h.dir,
			Env:     []string{"KLR_CHEM_XSUB=" + h.link.endpoint(s.bus.XSub()), "KLR_CHEM_XPUB=" + h.link.endpoint(s.bus.XPub())},
		}
		if err := errors.Join(os.MkdirAll(h.state, 0o700), h.startAgent()); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) addZooids(set setting) error {
	var err error
	config := colony.Config{XSub: s.bus.XSub()}
	if len(set.ahead) > 0 {
		ahead := set.ahead[s.number%len(set.ahead)]
		config.Now = func() time.Time { return time.Now().Add(ahead) }
	}
	if s.colony, err = colony.New(config); err != nil {
		return err
	}
	for _, z := range set.members {
		if err := s.colony.Add(z); err != nil {
			return err
		}
		time.Sleep(set.spread / time.Duration(len(set.members)))
	}
	return nil
}

// skews are by how much the clocks of the components are ahead of the monitor's.
var skews = []time.Duration{0, -90 * time.Second, time.Hour}

// quickZooids returns zooids of the real colony with a beat in each beatInterval.
func quickZooids(n int) []colony.Zooid {
	zooids := colony.Field(n)
	for i := range zooids {
		zooids[i].Interval = beatInterval
	}
	return zooids
}

// quickSetting has short times and so many zooids of the real colony.
func quickSetting(zooids int, adaptive bool) setting {
	return setting{
		members: quickZooids(zooids),
		ahead:   skews,
		config:  func(h *host) string { return quickConfig(h, adaptive) },
	}
}

// quickConfig is a configuration with short times.
func quickConfig(h *host, adaptive bool) string {
	more := ""
	if adaptive {
		more = fmt.Sprintf(adaptiveOptions, minThreshold, maxThreshold)
	}
	return fmt.Sprintf(pluginOptions, h.marker(), largeTopic, threshold, more, h.processorState(), h.outputState())
}

// awaitAllUp waits until each processor has reported every zooid and saved that, and every consumer has received a ping.
func (s *stage) awaitAllUp(ctx context.Context) error {
	names := s.colony.Names()
	for {
		missing := 0
		for _, h := range s.hosts {
			content, _ := os.ReadFile(h.metricsFile()) // Telegraf creates it
			state, _ := os.ReadFile(h.processorState())
			next, _ := os.ReadFile(h.processorState() + ".next")
			state = append(state, next...)
			for _, name := range names {
				if !strings.Contains(string(content), "zooid="+name+" ") || !strings.Contains(string(state), name) {
					missing++
				}
			}
		}
		for _, l := range s.listeners {
			if !l.pingedSince(0) {
				missing++
			}
		}
		if missing == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d zooids and consumers are missing after %v", missing, len(s.hosts)*len(names)+len(s.listeners), startLimit)
		case <-s.agent().Done():
			return errors.New("telegraf exited")
		case <-time.After(poll):
		}
	}
}

// startPings starts to send pings, which show when a consumer can receive.
func (s *stage) startPings() {
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

func (s *stage) now() time.Duration { return time.Since(s.start) }

// close stops everything.
func (s *stage) close() error {
	s.stopPings()
	var err error
	for _, h := range s.hosts {
		err = errors.Join(err, h.stop())
	}
	for _, l := range s.listeners {
		err = errors.Join(err, l.disconnect())
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
