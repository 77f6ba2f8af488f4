package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/nats"
	"github.com/kloros/telegraf-chembus/testutil/process"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

const (
	fleetHosts      = 3
	fleetComponents = 6 // on each bus
	// fleetWindow is for how long the stream keeps heartbeats. Who is dead for longer is known from the stream of gaps.
	fleetWindow = "25s"
)

const edgeOptions = `
[[inputs.chembus]]
  tick_interval = "200ms"
  blind_after = "1s"
  announce_as = ""

[[outputs.chembus]]
`

const centralOptions = `
[[processors.liveness]]
  adopt = true
  threshold = %q
  blind_after = "1s"
  report_interval = "2s"
  mass_count = 1000000
  flap_count = 1000000
`

const fleetAgent = `
[agent]
  interval = "1s"
  flush_interval = "200ms"
  skip_processors_after_aggregators = true
`

// fleetStage is a NATS server, hosts with a bus and a Telegraf each, and two central Telegrafs.
type fleetStage struct {
	ctx      context.Context
	o        options
	start    time.Time
	nats     *nats.Server
	site     *process.Gate // the way of the first host to NATS
	hosts    []*fleetHost
	centrals [2]*fleetCentral
	named    int // central Telegrafs so far
	dead     []*deadFleet
	ended    []*deadFleet

	mu     sync.Mutex
	agents []*telegraf.Telegraf
}

type fleetHost struct {
	name    string
	bus     *colony.Bus
	colony  *colony.Colony
	gaps    *listener
	config  telegraf.Config
	agent   *telegraf.Telegraf
	checked int // gaps that were compared with the deaths
}

type fleetCentral struct {
	config telegraf.Config
	agent  *telegraf.Telegraf
	seen   string // the file of its metrics
}

func newFleetStage(ctx context.Context, o options) (*fleetStage, error) {
	s := &fleetStage{ctx: ctx, o: o, start: time.Now()}
	return s, s.setUp()
}

func (s *fleetStage) setUp() error {
	ctx, cancel := context.WithTimeout(s.ctx, startLimit)
	defer cancel()
	var err error
	if s.nats, err = nats.Start(ctx, s.o.nats, filepath.Join(s.o.dir, "nats")); err != nil {
		return err
	}
	if s.site, err = process.NewGate(s.nats.Address); err != nil {
		return err
	}
	if err := errors.Join(s.shell("./streams.sh"), s.shell("nats stream edit BEATS --max-age "+fleetWindow+" --dupe-window 10s --force")); err != nil {
		return err
	}
	for i := range fleetHosts {
		if err := s.addHost(i); err != nil {
			return err
		}
	}
	for i := range s.centrals {
		if err := s.newCentral(i); err != nil {
			return err
		}
	}
	for _, h := range s.hosts {
		for _, zooid := range h.colony.Names() {
			if !s.await(func() bool { return s.wrote("liveness,", "host="+h.name+",", "zooid="+zooid+" ", `state="up"`) }) {
				return fmt.Errorf("%s of %s is not up", zooid, h.name)
			}
		}
	}
	return nil
}

// shell runs a command in the folder of the fleet, with the program nats beside the server.
func (s *fleetStage) shell(command string) error {
	cmd := exec.CommandContext(s.ctx, "sh", "-c", command)
	cmd.Dir = s.o.fleet
	cmd.Env = append(os.Environ(), "NATS_URL="+s.nats.URL(), "HOME="+s.o.dir,
		"PATH="+filepath.Dir(s.o.nats)+string(os.PathListSeparator)+os.Getenv("PATH"))
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, output)
	}
	return nil
}

// addHost adds a host. The first one reaches NATS through the gate; the last one sends all metrics twice.
func (s *fleetStage) addHost(i int) error {
	h := &fleetHost{name: fmt.Sprintf("host%d", i)}
	s.hosts = append(s.hosts, h)
	var err error
	if h.bus, err = colony.NewBus(colony.BusConfig{}); err != nil {
		return err
	}
	h.gaps = &listener{name: h.name, xpub: h.bus.XPub(), start: s.start}
	if err := h.gaps.connect(); err != nil {
		return err
	}
	if h.colony, err = colony.New(colony.Config{XSub: h.bus.XSub()}); err != nil {
		return err
	}
	if err := h.colony.Add(quickZooids(fleetComponents)...); err != nil {
		return err
	}
	url := s.nats.URL()
	if i == 0 {
		url = "nats://" + s.site.Address()
	}
	h.config, err = s.configOf("edge.conf", h.name, i == fleetHosts-1)
	h.config.Agent, h.config.Options = fleetAgent, edgeOptions
	h.config.Env = []string{"NATS_URL=" + url, "FLEET_HOST=" + h.name, "KLR_CHEM_XSUB=" + h.bus.XSub(), "KLR_CHEM_XPUB=" + h.bus.XPub()}
	if err != nil {
		return err
	}
	h.agent, err = s.startAgent(h.config)
	return err
}

// newCentral starts a central Telegraf that knows nothing, under a new name. Every second one sends all gaps twice.
func (s *fleetStage) newCentral(i int) error {
	s.named++
	name := fmt.Sprintf("central-%d", s.named)
	config, err := s.configOf("central.conf", name, s.named%2 == 0)
	if err != nil {
		return err
	}
	c := &fleetCentral{config: config, seen: filepath.Join(s.o.dir, name+".influx")}
	c.config.Agent = fleetAgent + fmt.Sprintf("[[outputs.file]]\n  files = [%q]\n  namepass = [\"liveness\", \"liveness_gap\"]\n", c.seen)
	c.config.Options = fmt.Sprintf(centralOptions, threshold)
	c.config.Env = []string{"NATS_URL=" + s.nats.URL(), "FLEET_CENTRAL=" + name}
	s.centrals[i] = c
	c.agent, err = s.startAgent(c.config)
	return err
}

// configOf is the configuration of a Telegraf with a drop-in of the fleet.
func (s *fleetStage) configOf(dropIn, name string, twice bool) (telegraf.Config, error) {
	c := telegraf.Config{Binary: s.o.telegraf, Plugins: s.o.plugins, Dir: filepath.Join(s.o.dir, name), DropIn: filepath.Join(s.o.fleet, dropIn)}
	content, err := os.ReadFile(c.DropIn)
	if err != nil || !twice {
		return c, err
	}
	c.DropIn = filepath.Join(s.o.dir, name+".conf")
	return c, os.WriteFile(c.DropIn, []byte(telegraf.SentTwice(string(content))), 0o600)
}

func (s *fleetStage) startAgent(c telegraf.Config) (*telegraf.Telegraf, error) {
	a, err := telegraf.Start(c)
	if err == nil {
		s.mu.Lock()
		s.agents = append(s.agents, a)
		s.mu.Unlock()
	}
	return a, err
}

func (s *fleetStage) stopNATS(d time.Duration) error {
	if err := s.nats.Stop(); err != nil {
		return err
	}
	if err := s.pause(d); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, startLimit)
	defer cancel()
	return s.nats.Restart(ctx)
}

func (s *fleetStage) killCentral(d time.Duration) error {
	c := s.centrals[s.named%2]
	if err := kill(c.agent); err != nil {
		return err
	}
	if err := s.pause(d); err != nil {
		return err
	}
	var err error
	c.agent, err = s.startAgent(c.config)
	return err
}

func (s *fleetStage) replaceCentral(d time.Duration) error {
	i := s.named % 2
	if err := kill(s.centrals[i].agent); err != nil {
		return err
	}
	if err := s.pause(d); err != nil {
		return err
	}
	return s.newCentral(i)
}

func (s *fleetStage) replaceBoth(d time.Duration) error {
	for _, c := range s.centrals {
		if err := kill(c.agent); err != nil {
			return err
		}
		if err := s.pause(d / 2); err != nil {
			return err
		}
	}
	for i := range s.centrals {
		if err := s.newCentral(i); err != nil {
			return err
		}
	}
	return nil
}

func (s *fleetStage) stopHost(d time.Duration) error {
	h := s.hosts[1]
	if err := h.agent.Stop(); err != nil {
		return err
	}
	if err := s.pause(d); err != nil {
		return err
	}
	var err error
	h.agent, err = s.startAgent(h.config)
	return err
}

func (s *fleetStage) cutSite(d time.Duration) error {
	s.site.Shut(true)
	defer s.site.Shut(false)
	return s.pause(d)
}

func kill(a *telegraf.Telegraf) error {
	err := a.Signal(syscall.SIGKILL)
	<-a.Done()
	return err
}

// alive returns the components of a host that live, and are not about to die.
func (s *fleetStage) alive(h *fleetHost, dying []*deadFleet) []string {
	return slices.DeleteFunc(slices.Clone(h.colony.Names()), func(zooid string) bool {
		is := func(d *deadFleet) bool { return d != nil && d.host == h && d.zooid == zooid }
		return slices.ContainsFunc(s.dead, is) || slices.ContainsFunc(dying, is)
	})
}

// isClosed reports whether a central Telegraf that runs has closed an incident.
func (s *fleetStage) isClosed(incident string) bool {
	return s.wrote("liveness_gap,", `incident_id="`+incident+`"`, "open=false")
}

// wrote reports whether a central Telegraf that runs wrote a line with all of some texts.
func (s *fleetStage) wrote(texts ...string) bool {
	for _, c := range s.centrals {
		content, _ := os.ReadFile(c.seen) // it is created with the first metric
		for line := range strings.Lines(string(content)) {
			if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
				return true
			}
		}
	}
	return false
}

// await waits for a condition; false if it did not come true in time.
func (s *fleetStage) await(condition func() bool) bool {
	for limit := time.Now().Add(roundLimit); time.Now().Before(limit) && s.ctx.Err() == nil; time.Sleep(4 * poll) {
		if condition() {
			return true
		}
	}
	return false
}

func (s *fleetStage) pause(d time.Duration) error {
	select {
	case <-s.ctx.Done():
		return s.ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// close stops everything, and writes the logs.
func (s *fleetStage) close() {
	for i, a := range s.agents {
		_ = a.Stop() // those that were killed fail
		_ = syscall.Kill(-a.Pid(), syscall.SIGKILL)
		_ = os.WriteFile(filepath.Join(s.o.dir, fmt.Sprintf("telegraf-%d.log", i)), []byte(a.Output()), 0o600)
	}
	for _, h := range s.hosts {
		if h.gaps != nil {
			_ = h.gaps.disconnect()
		}
		if h.colony != nil {
			_ = h.colony.Close()
		}
		_ = h.bus.Close()
	}
	if s.site != nil {
		s.site.Close()
	}
	if s.nats != nil {
		_ = s.nats.Stop()
	}
}
