package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
	"github.com/kloros/telegraf-chembus/testutil/markdown"
	"github.com/kloros/telegraf-chembus/testutil/nats"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

const fleetFolder = root + "/cmd/telegraf-chembus/fleet"

// quickCentral are the options of a central processor, as quick are those of all three plugins.
const quickCentral = `
[[processors.liveness]]
  adopt = true
  threshold = "3s"
  blind_after = "1s"
  report_interval = "1s"
`

// fleet is a NATS server, a central Telegraf and hosts with a bus and a Telegraf each, with the fleet's unchanged drop-ins.
type fleet struct {
	*testing.T
	nats       *nats.Server
	edge       string // the drop-in of the hosts
	dropIn     string // the drop-in of the central Telegraf
	central    *telegraf.Telegraf
	centralDir string // of its configuration and state
	seen       string // the file that it writes its metrics to
	hosts      []*fleetHost
}

// fleetHost is a host of a fleet.
type fleetHost struct {
	*scene
	name   string
	dir    string   // of Telegraf's configuration and state
	more   []string // of its environment
	colony *colony.Colony
	zooids []string
	gaps   *consumer.Consumer
}

// newFleet starts a fleet whose central processor has further options.
func newFleet(t *testing.T, hosts int, options string) *fleet {
	t.Helper()
	f := newServer(t)
	f.shell("./streams.sh")
	f.startCentral("central-a", quickCentral+options)
	for i := range hosts {
		f.addHost(fmt.Sprintf("host%d", i))
	}
	f.waitUp()
	return f
}

// newServer starts a fleet's NATS server, with further blocks in its configuration.
func newServer(t *testing.T, blocks ...string) *fleet {
	t.Helper()
	t.Parallel()
	f := &fleet{
		T: t, edge: filepath.Join(fleetFolder, "edge.conf"), dropIn: filepath.Join(fleetFolder, "central.conf"),
		centralDir: t.TempDir(), seen: filepath.Join(t.TempDir(), "metrics.out"),
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var err error
	f.nats, err = nats.Start(ctx, nats.Binary(t, root), t.TempDir(), blocks...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.nats.Stop() })
	return f
}

// another returns the same fleet for a further central Telegraf.
func (f *fleet) another() *fleet {
	other := *f
	other.centralDir, other.seen = f.TempDir(), filepath.Join(f.TempDir(), "metrics.out")
	return &other
}

// waitUp waits until the central Telegraf has heard of all components of all hosts.
func (f *fleet) waitUp() {
	f.Helper()
	for _, h := range f.hosts {
		for _, name := range h.zooids {
			f.wait(name+" of "+h.name+" is up", func() bool { return f.count("liveness,", "host="+h.name, "zooid="+name, `state="up"`) > 0 })
		}
	}
}

// shell runs a command of the documentation in the folder of the fleet, with the nats program beside the server.
func (f *fleet) shell(command string) string {
	f.Helper()
	output, err := f.nats.Shell(f.Context(), fleetFolder, command)
	require.NoError(f, err)
	return output
}

// startCentral starts a central Telegraf.
func (f *fleet) startCentral(name, options string, env ...string) {
	f.Helper()
	f.central = f.start(f.dropIn, f.centralDir, options, fmt.Sprintf(`
[[outputs.file]]
  files = [%q]
  namepass = ["liveness", "liveness_gap"]
`, f.seen), append(env, "FLEET_CENTRAL="+name)...)
}

// start starts a Telegraf with a drop-in of the fleet.
func (f *fleet) start(dropIn, dir, options, blocks string, env ...string) *telegraf.Telegraf {
	f.Helper()
	p, err := telegraf.Start(telegraf.Config{
		Binary: telegraf.Binary(f.T, root), Plugins: plugins, Dir: dir, DropIn: dropIn, Options: options,
		Agent: quickAgent + blocks, Env: append([]string{"NATS_URL=" + f.nats.URL()}, env...),
	})
	require.NoError(f, err)
	f.Cleanup(func() {
		err := p.Stop()
		if f.Failed() {
			f.Logf("the log of Telegraf with %s %v:\n%s", filepath.Base(dropIn), env, p.Output())
		} else if !strings.Contains(fmt.Sprint(err), "killed") {
			assert.NoError(f, err, "telegraf must exit by itself")
		}
	})
	return p
}

// addHost starts a host, whose Telegraf has further environment variables.
func (f *fleet) addHost(name string, env ...string) {
	f.Helper()
	h := &fleetHost{scene: &scene{T: f.T}, name: name, dir: f.TempDir(), more: env}
	var err error
	h.bus, err = colony.NewBus(colony.BusConfig{})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, h.bus.Close()) })
	f.startEdge(h)
	h.gaps = h.consumer()
	h.colony, err = colony.New(colony.Config{XSub: h.bus.XSub()})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, h.colony.Close()) })
	for _, z := range colony.Field(4) {
		z.Interval = time.Second
		require.NoError(f, h.colony.Add(z))
	}
	h.zooids = h.colony.Names()
	f.hosts = append(f.hosts, h)
}

// startEdge starts the Telegraf of a host.
func (f *fleet) startEdge(h *fleetHost) {
	f.Helper()
	h.telegraf = f.start(f.edge, h.dir, quick, "", slices.Concat(h.env(), []string{"FLEET_HOST=" + h.name}, h.more)...)
}

func (f *fleet) wait(what string, condition func() bool) {
	f.Helper()
	require.Eventually(f, condition, limit, poll, what)
}

// count returns how many metrics the central Telegraf has written that contain all of some texts.
func (f *fleet) count(texts ...string) int {
	content, _ := os.ReadFile(f.seen) // it is created with the first metric
	found := 0
	for line := range strings.Lines(string(content)) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			found++
		}
	}
	return found
}

// TestFleet judges three buses in two central Telegrafs. Each bus hears of its own failure, once, also of one after NATS
// was off for longer than the threshold, which is no silence of anybody.
func TestFleet(t *testing.T) {
	f := newFleet(t, 3, "")
	other := f.another()
	other.startCentral("central-b", quickCentral)
	victims := map[*fleetHost][]string{}
	kill := func(h *fleetHost, name string) {
		require.NoError(t, h.colony.Kill(name))
		victims[h] = append(victims[h], name)
	}
	allTold := func() bool {
		return !slices.ContainsFunc(f.hosts, func(h *fleetHost) bool { return len(h.gaps.Received()) < len(victims[h]) })
	}
	for i, h := range f.hosts {
		kill(h, h.zooids[i])
	}
	f.wait("each bus hears of its gap", allTold)

	require.NoError(t, f.nats.Stop())
	<-time.After(3 * time.Duration(quickThreshold) * time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	require.NoError(t, f.nats.Restart(ctx))
	for _, h := range f.hosts {
		require.Equal(t, victims[h], zooidsOf(h.gaps.Received()), "NATS that is off is no silence")
	}
	seen := f.count("liveness,", `state="up"`)
	f.wait("the central Telegraf hears of all again", func() bool { return f.count("liveness,", `state="up"`) > seen+20 })
	for _, h := range f.hosts {
		kill(h, h.zooids[3])
	}
	f.wait("each bus hears of its second gap", allTold)

	reports := f.count("liveness_gap,", `event="repeated"`)
	f.wait("the gaps come again with three reports", func() bool { return f.count("liveness_gap,", `event="repeated"`) > reports+3*6 })
	for _, h := range f.hosts {
		require.Equal(t, victims[h], zooidsOf(h.gaps.Received()), h.name)
	}
	require.Equal(t, 6, f.count("liveness_gap,", `event="opened"`))
	f.wait("both centrals find the same incidents", func() bool { return maps.Equal(f.gaps("opened"), other.gaps("opened")) })
}

// TestFleetHostIsOff stops the Telegraf of a host for three thresholds, in which a component dies.
func TestFleetHostIsOff(t *testing.T) {
	f := newFleet(t, 2, "")
	off := f.hosts[0]
	require.NoError(t, off.telegraf.Stop())
	require.NoError(t, off.colony.Kill(off.zooids[1]))
	<-time.After(3 * time.Duration(quickThreshold) * time.Second)
	require.Zero(t, f.count("liveness_gap,"), "a host that is off is no silence of its components")
	f.startEdge(off)
	f.wait("the death is told", func() bool { return len(off.gaps.Received()) > 0 })
	reports := f.count("liveness_gap,", `event="repeated"`)
	f.wait("the gap comes again with three reports", func() bool { return f.count("liveness_gap,", `event="repeated"`) > reports+3 })
	require.Equal(t, []string{off.zooids[1]}, zooidsOf(off.gaps.Received()))
	require.Equal(t, 1, f.count("liveness_gap,", `event="opened"`))
	require.Empty(t, f.hosts[1].gaps.Received())
}

// TestFleetHostGone kills the Telegraf of one host, and stops the bus of another one: the first is one gap, of the host.
func TestFleetHostGone(t *testing.T) {
	watch := replaced(t, documentBlock(t, "cmd/telegraf-chembus/fleet/fleet.md", "## Set-up", "toml", "   [[processors.liveness]]"),
		[2]string{"[[processors.liveness]]\n     adopt = true\n", ""}, [2]string{`"30s"`, `"3s"`}, [2]string{`"1m"`, `"8s"`})
	f := newFleet(t, 3, watch)
	gone := f.hosts[0]
	for _, h := range f.hosts {
		f.wait(h.name+" is watched", func() bool { return f.count("liveness,", "watch=buses", "host="+h.name, `state="up"`) > 0 })
	}
	require.NoError(t, f.hosts[1].bus.Pause())
	require.NoError(t, gone.telegraf.Signal(syscall.SIGKILL))
	f.wait("the gap of the host opens", func() bool { return f.count("liveness_gap,", `event="opened"`) > 0 })
	reports := f.count("liveness_gap,", `event="repeated"`)
	f.wait("it comes again with three reports", func() bool { return f.count("liveness_gap,", `event="repeated"`) > reports+3 })
	require.Equal(t, 1, f.count("liveness_gap,", `event="opened"`, "watch=buses", "host="+gone.name))

	f.startEdge(gone)
	f.wait("the gap of the host closes", func() bool { return f.count("liveness_gap,", `event="closed"`, "host="+gone.name) > 0 })
	require.Equal(t, 1, f.count("liveness_gap,", `event="opened"`), "no component was condemned")
	for _, h := range f.hosts {
		require.Empty(t, zooidsOf(h.gaps.Received()), "the bus of %s", h.name)
	}
}

// TestFleetCentralIsLost kills the central Telegraf while a component dies, and then replaces it by one without state, when
// the stream holds no heartbeat any more that was sent before the deaths.
func TestFleetCentralIsLost(t *testing.T) {
	f := newFleet(t, 2, "")
	first, second := f.hosts[0], f.hosts[1]
	require.NoError(t, first.colony.Kill(first.zooids[0]))
	f.wait("the first gap is told", first.told(1))
	f.wait("it is written", func() bool { return len(f.gaps("opened")) == 1 })

	require.NoError(t, f.central.Signal(syscall.SIGKILL))
	require.NoError(t, second.colony.Kill(second.zooids[1]))
	f.startCentral("central-a", quickCentral)
	f.wait("a death meanwhile is told", second.told(1))

	f.wait("both gaps are written", func() bool { return len(f.gaps("opened")) == 2 })
	before := f.gaps("opened")
	require.NoError(t, f.central.Signal(syscall.SIGKILL))
	f.shell("nats stream purge BEATS --force")
	f.centralDir, f.seen = t.TempDir(), filepath.Join(t.TempDir(), "metrics.out")
	f.startCentral("central-b", quickCentral)
	f.wait("the other one goes on with both", func() bool { return maps.Equal(before, f.gaps("repeated")) })
	require.NoError(t, first.colony.Revive(first.zooids[0]))
	f.wait("the first gap is closed", func() bool { return len(f.gaps("closed")) > 0 })
	require.Equal(t, map[string]string{first.name + "/" + first.zooids[0]: before[first.name+"/"+first.zooids[0]]}, f.gaps("closed"))
	require.Empty(t, f.gaps("opened"))
	require.NoError(t, first.colony.Kill(first.zooids[2]))
	f.wait("a death after that is told", first.told(2))
	require.Equal(t, []string{first.zooids[0], first.zooids[2]}, zooidsOf(first.gaps.Received()))
	require.Equal(t, []string{second.zooids[1]}, zooidsOf(second.gaps.Received()))

	document, err := markdown.Read(filepath.Join(fleetFolder, "fleet.md"))
	require.NoError(t, err)
	var commands []string
	require.Contains(t, f.shell("nats consumer ls BEATS --names"), "central-a")
	require.Contains(t, f.shell("nats consumer ls GAPS --names"), "central-a")
	for _, command := range document.Commands {
		if strings.HasPrefix(command, "nats consumer ") {
			commands = append(commands, command)
			f.shell(command)
		}
	}
	require.Len(t, commands, 3)
	require.Equal(t, "central-b", strings.TrimSpace(f.shell("nats consumer ls BEATS --names")))
	require.NotContains(t, f.shell("nats consumer ls GAPS --names"), "central-a")
}

// told returns whether so many gaps came on the bus of the host.
func (h *fleetHost) told(gaps int) func() bool {
	return func() bool { return len(h.gaps.Received()) >= gaps }
}

var gapOf = regexp.MustCompile(`(?m)^liveness_gap,.*\bhost=(\w+),.*\bzooid=(\w+) .*event="(\w+)"`)

// gaps returns the incidents of which the central Telegraf has written an event, by host and component.
func (f *fleet) gaps(event string) map[string]string {
	content, _ := os.ReadFile(f.seen)
	incidents := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if m := gapOf.FindStringSubmatch(line); m != nil && m[3] == event {
			incidents[m[1]+"/"+m[2]] = incidentOf.FindStringSubmatch(line)[1]
		}
	}
	return incidents
}

var incidentOf = regexp.MustCompile(`incident_id="([^"]+)"`)
