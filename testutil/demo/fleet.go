package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/influxdata/telegraf/plugins/parsers/influx"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
	"github.com/kloros/telegraf-chembus/testutil/nats"
	"github.com/kloros/telegraf-chembus/testutil/process"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

const (
	fleetHosts = 3
	fleetSize  = 4 // components on each bus

	fleetPause = 15 * time.Second // above all thresholds, with the way over NATS
)

// edgeOptions are those of the hosts.
const edgeOptions = `
[[inputs.chembus]]
  announce_as = ""

[[outputs.chembus]]
`

// centralOptions are those of the central Telegrafs, with the address of the page.
const centralOptions = `
[[processors.liveness]]
  adopt = true
  threshold = "4s"
  late_after = "2s"
  report_interval = "2s"

  [[processors.liveness.watch]]
    name = "buses"
    measurement = ["chembus_bus"]
    identity = ["host"]
    tick = ["probe_returned"]
    blind_after = "6s"
    threshold = "10s"

[[outputs.liveness]]
  listen = %q
`

const pageBlock = `
[[outputs.execd]]
  command = ["telegraf-chembus", "page"]
  restart_delay = "1s"
  flush_interval = "1s"
  namepass = ["liveness", "liveness_gap", "chembus_bus", "chembus_heartbeat", "chembus_output"]
  data_format = "influx"
`

// fleet is a NATS server, two central Telegrafs and hosts with a bus and a Telegraf each.
type fleet struct {
	o      options
	dir    string
	screen *screen
	page   string
	nats   *nats.Server
	hosts  []*fleetHost

	mu      sync.Mutex
	printed map[string]bool // events of gaps that a central Telegraf has told
	gaps    int             // of components that arrived on a bus
	gone    int             // hosts whose gap was opened

	closers []func() error // in the order of their making
}

type fleetHost struct {
	name   string
	colony *colony.Colony
	agent  *telegraf.Telegraf
}

// runFleet runs the demo of a fleet until the context is cancelled or the duration is over.
func runFleet(ctx context.Context, o options, dir string, s *screen) (err error) {
	f := &fleet{o: o, dir: dir, screen: s, printed: make(map[string]bool)}
	defer func() {
		for i := len(f.closers) - 1; i >= 0; i-- {
			err = errors.Join(err, f.closers[i]())
		}
	}()
	addresses, err := process.FreeAddresses(1)
	if err != nil {
		return err
	}
	f.page = addresses[0]
	if err := f.startNATS(ctx); err != nil {
		return err
	}
	for i := range fleetHosts {
		if err := f.startHost(fmt.Sprintf("host%d", i+1)); err != nil {
			return err
		}
	}
	first, err := f.startCentral("central-a", "")
	if err != nil {
		return err
	}
	if _, err := f.startCentral("central-b", pageBlock); err != nil {
		return err
	}
	s.printf("started two central Telegrafs; the page of central-b is http://%s", f.page)

	steps := []func() error{
		func() error { return f.killComponent(f.hosts[0], 0) },
		func() error {
			s.printf("KILL      the Telegraf of %s: the host is gone", f.hosts[1].name)
			return f.hosts[1].agent.Signal(syscall.SIGKILL)
		},
		func() error {
			s.printf("KILL      central-a")
			return errors.Join(first.Signal(syscall.SIGKILL), f.killComponent(f.hosts[2], 1))
		},
	}
	for _, step := range steps {
		if !sleep(ctx, fleetPause) {
			return f.result()
		}
		if err := step(); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return f.result()
}

func (f *fleet) result() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.screen.printf("finished: gaps of components that arrived on their bus: %d, hosts that were found gone: %d", f.gaps, f.gone)
	if f.o.duration > 5*fleetPause && (f.gaps != 2 || f.gone != 1) {
		return fmt.Errorf("within %v two gaps were to arrive, and one host to be found gone", f.o.duration)
	}
	return nil
}

func (f *fleet) startNATS(ctx context.Context) (err error) {
	if f.nats, err = nats.Start(ctx, f.o.nats, filepath.Join(f.dir, "nats")); err != nil {
		return err
	}
	f.closers = append(f.closers, f.nats.Stop)
	if _, err := f.nats.Shell(ctx, f.o.fleet, "./streams.sh"); err != nil {
		return err
	}
	f.screen.printf("started a NATS server at %s, with the streams of streams.sh", f.nats.URL())
	return nil
}

// startHost starts a bus, its components, a subscriber and a Telegraf.
func (f *fleet) startHost(name string) error {
	bus, err := colony.NewBus(colony.BusConfig{})
	if err != nil {
		return err
	}
	f.closers = append(f.closers, bus.Close)
	listener, err := consumer.New(consumer.Config{XPub: bus.XPub(), Topic: "CAPABILITY_GAP", OnMessage: func(m consumer.Message) {
		f.mu.Lock()
		f.gaps++
		f.mu.Unlock()
		f.screen.printf("GAP       of %q arrived on the bus of %s", m.Facts["zooid"], name)
	}})
	if err != nil {
		return err
	}
	f.closers = append(f.closers, listener.Close)
	c, err := colony.New(colony.Config{XSub: bus.XSub()})
	if err != nil {
		return err
	}
	f.closers = append(f.closers, c.Close)
	zooids := colony.Field(fleetSize)
	for i := range zooids {
		zooids[i].Interval = beatInterval
	}
	if err := c.Add(zooids...); err != nil {
		return err
	}
	agent, err := f.start("edge.conf", name, fleetAgent, edgeOptions, nil,
		"FLEET_HOST="+name, "KLR_CHEM_XSUB="+bus.XSub(), "KLR_CHEM_XPUB="+bus.XPub())
	f.hosts = append(f.hosts, &fleetHost{name: name, colony: c, agent: agent})
	f.screen.printf("started %s: a bus with %d components, and a Telegraf", name, fleetSize)
	return err
}

const fleetAgent = `
[agent]
  interval = "2s"
  flush_interval = "500ms"
  quiet = true
  skip_processors_after_aggregators = true
`

// startCentral starts a central Telegraf, and prints the gaps that it writes.
func (f *fleet) startCentral(name, blocks string) (*telegraf.Telegraf, error) {
	reader, writer := io.Pipe()
	f.closers = append(f.closers, writer.Close)
	go f.read(reader, name)
	return f.start("central.conf", name, agentConfig+blocks, fmt.Sprintf(centralOptions, f.page), writer, "FLEET_CENTRAL="+name)
}

func (f *fleet) start(dropIn, name, agent, options string, stdout io.Writer, env ...string) (*telegraf.Telegraf, error) {
	p, err := telegraf.Start(telegraf.Config{
		Binary: f.o.telegraf, Plugins: f.o.plugins, DropIn: filepath.Join(f.o.fleet, dropIn), Agent: agent,
		Options: options, Dir: filepath.Join(f.dir, name), Stdout: stdout,
		Env: append(env, "NATS_URL="+f.nats.URL()),
	})
	if err == nil {
		f.closers = append(f.closers, func() error {
			_ = p.Stop() // some were killed
			return nil
		})
	}
	return p, err
}

func (f *fleet) killComponent(h *fleetHost, i int) error {
	zooid := h.colony.Names()[i]
	f.screen.printf("KILL      %q on %s", zooid, h.name)
	return h.colony.Kill(zooid)
}

// read prints each gap of a host that a central Telegraf writes, once for both.
func (f *fleet) read(r io.Reader, central string) {
	parser := influx.NewStreamParser(r)
	for {
		m, err := parser.Next()
		if errors.Is(err, influx.EOF) {
			return
		}
		if err != nil {
			f.screen.printf("invalid line from %s: %v", central, err)
			continue
		}
		watch, watched := m.GetTag("watch")
		event, _ := m.GetField("event")
		if m.Name() != "liveness_gap" || !watched || event == "repeated" {
			continue
		}
		host, _ := m.GetTag("host")
		incident, _ := m.GetField("incident_id")
		f.mu.Lock()
		id := fmt.Sprint(incident, event)
		known := f.printed[id]
		f.printed[id] = true
		if !known && event == "opened" {
			f.gone++
		}
		f.mu.Unlock()
		if !known {
			f.screen.printf("HOST      the gap of %q was %v by the watch %q, says %s first", host, event, watch, central)
		}
	}
}

// sleep waits for d; false if the context was cancelled before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
