package liveness

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/metric"
	"github.com/influxdata/telegraf/testutil"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// TestCrashes kills and stops the processor again and again, also while it emits, and starts it from what is in its file. In
// between components die and return, alone and many at once, the input restarts, and there are kill signals. Whoever only
// reads the gaps must not see more of all this than that some come later: see check and crashes.Run.
func TestCrashes(t *testing.T) {
	n := uint64(100)
	if testing.Short() {
		n = 15
	}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			newCrashes(t, seed).Run()
		})
	}
}

const (
	crashStep = 0.5              // seconds between two ticks
	crashEnd  = 150.0            // when the processor is left alone, and all components live, or none does
	crashRest = crashEnd + 90    // when all of them must have been found
	crashFlap = 40 * time.Second // after which a component is stable
)

// crashes is one course of events.
type crashes struct {
	t      *testing.T
	random *rand.Rand
	set    func(*Liveness)
	*run
	file string

	now      float64
	away     float64 // for how many seconds more the processor does not run
	watched  bool    // it is a watch of metrics, and no bus
	inputRun int64
	observed float64
	killed   float64 // killed_s of a tick; -1: none
	signal   float64 // when the last kill signal was

	signalRun int64   // of the input
	renames   bool    // the host has another name since one of the restarts
	renamedAt float64 // when; -1: it has not

	zooids    []*mortal
	incidents map[string]*incident
}

// mortal is a component.
type mortal struct {
	host, name string
	alive      bool
	next       float64         // when it dies, or returns
	since      float64         // when it returned
	heard      float64         // when the processor heard it last; -1: that may be forgotten
	covered    map[string]bool // incidents that were open since that, but for flapping
}

// incident is what the levels of it say.
type incident struct {
	open, expected bool
	members        []string
}

func newCrashes(t *testing.T, seed uint64) *crashes {
	t.Helper()
	c := &crashes{t: t, random: rand.New(rand.NewPCG(seed, 7)), file: stateFile(t), inputRun: 1, killed: -1, signal: -60, incidents: make(map[string]*incident)}
	retires := c.random.IntN(3) == 0
	adaptive := c.random.IntN(2) == 0
	c.watched = c.random.IntN(3) == 0
	c.set = func(l *Liveness) {
		l.MassCount, l.MassWindow = 2, config.Duration(3*time.Second)
		l.FlapCount, l.FlapWindow = 3, config.Duration(crashFlap)
		l.Expected, l.ExpectWithin = []string{"*/ghost", "a"}, config.Duration(10*time.Second)
		if adaptive {
			l.Adaptive, l.MinThreshold, l.MaxThreshold = true, config.Duration(3*time.Second), config.Duration(9*time.Second)
		}
		if retires {
			l.RetireAfter = config.Duration(20 * time.Second)
		}
		if c.watched {
			rules := l.RuleOptions
			rules.Expected = []string{"h0/ghost", "h0/a"}
			l.Watches = []*Watch{{
				Name: "w", Measurement: []string{"cpu"}, Tick: []string{"tick"}, Identity: []string{"host", "zooid"},
				BlindAfter: config.Duration(3 * time.Second), RuleOptions: rules,
			}}
		}
	}
	hosts := []string{"h0", "h1"}[:1+c.random.IntN(2)]
	if c.renamedAt = -1; len(hosts) == 1 && !c.watched {
		c.renames = c.random.IntN(2) == 0
	}
	for _, host := range hosts {
		for _, name := range strings.Split("abcdef", "") {
			c.zooids = append(c.zooids, &mortal{host: host, name: name, alive: true, next: 60 * c.random.Float64(), covered: make(map[string]bool)})
		}
	}
	c.run = start(t, c.file, c.set)
	return c
}

// Run lets time pass. At the end nobody who is silent may lack a gap, and no gap may be open of who is back.
func (c *crashes) Run() {
	back := c.random.IntN(2) == 0
	for ; c.now < crashRest; c.now += crashStep {
		c.away -= crashStep
		if c.now < crashEnd {
			c.happen()
		}
		for _, z := range c.zooids {
			if c.now >= crashEnd && z.alive != back {
				z.turn(c.now)
			}
			if z.alive && (c.now == float64(int(c.now)) || c.random.IntN(4) == 0) {
				c.beat(z)
			}
		}
		for _, host := range c.hosts() {
			fields := map[string]any{}
			if c.killed >= 0 {
				fields["killed_s"] = c.killed
			}
			c.hear(tickMeasurement, map[string]string{"host": host}, fields)
		}
		c.observed += crashStep
	}
	covered := make(map[string]bool)
	for id, i := range c.incidents {
		require.False(c.t, back && i.open && !i.expected, "%s of %s is never closed", id, i.members)
		for _, member := range i.members {
			covered[member] = covered[member] || i.open
		}
	}
	for _, b := range c.known() {
		for _, s := range b.detector.Snapshot().Components {
			name := detector.Name(s.Key)
			if b.watch == nil {
				name = c.host(b.values[0]) + "/" + name
			}
			z := c.zooid(name)
			switch s.State {
			case "silent":
				require.True(c.t, covered[name], "%s is silent, without a gap", name)
			case "killed":
				require.True(c.t, z == nil || z.heard < c.signal+killGrace || c.inputRun != c.signalRun, "%s was heard since the kill signal", name)
			case "up", "late":
				require.True(c.t, back, "%s is not found", name)
			}
		}
	}
}

// killGrace is how long after the kill signal a beat can have been on its way, with two steps for the metric.
const killGrace = 6.0

// host is the first name of a host.
func (c *crashes) host(name string) string {
	if name == "renamed" {
		return "h0"
	}
	return name
}

func (c *crashes) hosts() []string {
	hosts := make([]string, 0, 2)
	for _, z := range c.zooids {
		hosts = append(hosts, z.host)
	}
	return slices.Compact(hosts)
}

func (c *crashes) zooid(name string) *mortal {
	i := slices.IndexFunc(c.zooids, func(z *mortal) bool { return z.host+"/"+z.name == name })
	if i < 0 {
		return nil
	}
	return c.zooids[i]
}

// happen is what happens before a tick.
func (c *crashes) happen() {
	for _, z := range c.zooids {
		if c.now >= z.next {
			z.turn(c.now)
			z.next = c.now + 1 + 60*c.random.Float64()*c.random.Float64()
		}
	}
	switch c.random.IntN(150) {
	case 0:
		c.inputRun, c.observed, c.killed = c.inputRun+1, 0, -1
	case 1:
		alive := c.random.IntN(2) == 0
		for _, z := range c.zooids {
			if z.alive != alive && c.random.IntN(2) == 0 {
				z.turn(c.now)
			}
		}
	case 2:
		if c.watched {
			break
		}
		c.killed, c.signal, c.signalRun = c.observed, c.now, c.inputRun
		for _, host := range c.hosts() {
			c.hear(killMeasurement, map[string]string{"host": host}, map[string]any{})
		}
		for _, z := range c.zooids {
			z.alive = false
		}
	}
}

func (z *mortal) turn(now float64) {
	z.alive, z.since = !z.alive, now
}

func (c *crashes) beat(z *mortal) {
	if c.away > 0 {
		return
	}
	z.heard = c.now
	sent := 1e9 + c.now
	if z.host == "h1" { // else the same component of both fails at the same time, which would be one id
		sent += 0.001
	}
	c.hear("chembus_heartbeat", map[string]string{"host": z.host, "zooid": z.name}, map[string]any{"sent": sent})
	clear(z.covered)
}

// hear lets the processor hear a metric, and perhaps end in it or after it.
func (c *crashes) hear(name string, tags map[string]string, fields map[string]any) {
	if c.away > 0 {
		return
	}
	fields["observed_s"], fields["run"] = c.observed, c.inputRun
	if c.renames && c.renamedAt >= 0 {
		tags["host"] = "renamed"
	}
	if c.watched {
		name = map[string]string{"chembus_heartbeat": "cpu", tickMeasurement: "tick"}[name]
	}
	acc := &crashAccumulator{crashes: c, left: -1}
	event := 0
	undecided := c.renamedAt >= 0 && c.now < c.renamedAt+45 // what is found meanwhile is not saved
	if c.now > 4 && c.now < crashEnd && !undecided {
		event = c.random.IntN(60)
	}
	if event == 1 {
		acc.left = c.random.IntN(4)
	}
	c.at = time.Unix(0, int64(c.now*1e9))
	require.NoError(c.t, c.Add(metric.New(name, tags, fields, c.at), acc))
	switch {
	case acc.file != "":
		c.restart(acc.file)
	case event == 2:
		c.restart(copyOf(c.t, c.file))
	case event == 3:
		c.Stop()
		c.restart(c.file)
	}
}

// restart starts the processor some time later, with a file.
func (c *crashes) restart(file string) {
	if c.store != nil {
		c.Kill()
	}
	for _, z := range c.zooids {
		if z.heard >= c.now-1 {
			z.heard = -1 // it may not be in the file
		}
	}
	if c.renames && c.renamedAt < 0 && c.now > 20 {
		c.renamedAt = c.now
		c.inputRun, c.observed, c.killed = c.inputRun+1, 0, -1
	}
	c.file = file
	c.away = []float64{0.01, 0.01, 1, 3, 8}[c.random.IntN(5)]
	c.run = start(c.t, c.file, c.set)
}

// crashAccumulator reads what is emitted, up to a crash after so many metrics of the processor; -1: there is none.
type crashAccumulator struct {
	testutil.Accumulator
	crashes *crashes
	left    int
	file    string // as it was then
}

func (a *crashAccumulator) AddFields(name string, fields map[string]any, tags map[string]string, _ ...time.Time) {
	switch {
	case a.file != "":
	case a.left == 0:
		a.file = copyOf(a.crashes.t, a.crashes.file)
	default:
		a.left--
		if name == "liveness_gap" {
			a.crashes.check(fields, tags)
		}
	}
}

// check checks a level: an incident is not opened again once it was closed, a component is in one open incident at most,
// its silence is one incident, and no gap is opened of a component that lives.
func (c *crashes) check(fields map[string]any, tags map[string]string) {
	c.t.Helper()
	id, open, kind := fields["incident_id"].(string), fields["open"].(bool), tags["gap_type"]
	members := []string{c.host(tags["host"]) + "/" + tags["zooid"]}
	if kind == "heartbeat_mass_missing" {
		members = nil
		var names []string
		require.NoError(c.t, json.Unmarshal([]byte(fields["members"].(string)), &names))
		for _, name := range names {
			if !c.watched {
				name = c.host(tags["host"]) + "/" + name
			}
			members = append(members, name)
		}
	}
	i, known := c.incidents[id]
	require.False(c.t, known && !i.open && open, "%s of %v is opened again", id, members)
	c.incidents[id] = &incident{open: open, members: members, expected: len(members) == 1 && strings.HasSuffix(members[0], "/ghost")}
	if !open {
		return
	}
	for _, member := range members {
		for otherID, other := range c.incidents {
			if c.renames {
				break // the former bus may still have one
			}
			require.False(c.t, otherID != id && other.open && slices.Contains(other.members, member), "%s is in two: %s and %s", member, id, otherID)
		}
		z := c.zooid(member)
		if z == nil || kind == "heartbeat_flapping" {
			continue
		}
		require.False(c.t, fields["event"] == "opened" && z.alive && z.heard >= z.since, "%s lives", member)
		z.covered[id] = true
		require.True(c.t, c.renames || len(z.covered) == 1, "the failure of %s is several incidents", member)
	}
}
