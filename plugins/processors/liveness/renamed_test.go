package liveness

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"
)

// hear lets some components beat on a bus each second. It returns what was found, of gaps as "host/component type open".
func (r *run) hear(host string, run int64, from, to int, names ...string) []string {
	r.t.Helper()
	var found []string
	for at := from; at <= to; at++ {
		for _, name := range append(names, "") {
			m := newMetric("chembus_heartbeat", host, name, run, float64(at))
			if name == "" {
				m = newMetric(tickMeasurement, host, "", run, float64(at))
			}
			r.at = m.Time()
			r.acc.ClearMetrics()
			require.NoError(r.t, r.Add(m, &r.acc))
			for _, g := range gaps(&r.acc) {
				found = append(found, fmt.Sprint(g.Tags["host"], "/", g.Tags["zooid"], " ", g.Tags["gap_type"], " ", g.Fields["open"]))
			}
		}
	}
	return found
}

// renamedHost is a processor whose host has another name since a restart. Of three components one died before it, and
// one during it.
func renamedHost(t *testing.T, file string) *run {
	t.Helper()
	first := start(t, file)
	first.hear("old", 1, 0, 3, "lives", "dies", "silent")
	require.Contains(t, first.hear("old", 1, 4, 12, "lives", "dies"), "old/silent heartbeat_missing true")
	first.Stop()
	return start(t, file)
}

func TestRenamedBusInherits(t *testing.T) {
	r := renamedHost(t, stateFile(t))
	found := r.hear("new", 2, 0, 29, "lives")
	require.Empty(t, found, "the former bus is awaited")
	found = r.hear("new", 2, 30, 32, "lives")
	require.Contains(t, found, "new/dies heartbeat_missing true")
	require.Contains(t, found, "new/silent heartbeat_missing true", "the same incident, repeated")
	require.NotContains(t, found, "new/lives heartbeat_missing true")
	require.Contains(t, logged(r.log), `W! The bus "old tcp://127.0.0.1:5559" was not heard since the start, and "new tcp://127.0.0.1:5559" `+
		`is the only other one: it is taken to be the same bus under another name. If it is not, this is undone once the former one is heard`)
	require.Contains(t, r.hear("new", 2, 33, 33, "dies", "silent"), "new/silent heartbeat_missing false")
	require.Len(t, r.buses.all, 1)
}

// TestRenamedBusAfterAHole restarts the host under another name when a beat is due, and has each later beat of a component be
// in a hole of the input, before the bus is taken to be renamed and after it: it is not silent before all that is over.
func TestRenamedBusAfterAHole(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	for at := range 41 {
		names := []string{"lives"}
		if at%4 == 0 {
			names = append(names, "swallowed")
		}
		r.hear("old", 1e9, at, at, names...)
	}
	r.Stop()
	r = start(t, file)
	const began = 43 // by the clock of the former run, of which the last tick was at 40 s
	holes := ""
	dark := 0.0 // each hole is of half a second and swallows a beat
	silent := 0
	for at := 0; at < 100; at++ {
		now := began + float64(at) + dark
		for due := 44.0; at < 60 && due <= now+1; due += 4 {
			if due > now-0.25 {
				holes = strings.TrimSpace(fmt.Sprintf("%s %d.000:0.500", holes, at))
				dark += 0.5
			}
		}
		for _, name := range []string{"lives", ""} {
			m := newMetric("chembus_heartbeat", "new", name, began*1e9, float64(at))
			if name == "" {
				m = newMetric(tickMeasurement, "new", "", began*1e9, float64(at))
				list := strings.Fields(holes)
				m.AddField("holes", int64(len(list)))
				m.AddField("hole_list", strings.Join(list[max(len(list)-8, 0):], " "))
			}
			r.acc.ClearMetrics()
			require.NoError(t, r.Add(m, &r.acc))
			if len(gaps(&r.acc)) > 0 && silent == 0 {
				silent = at
			}
		}
	}
	require.Len(t, r.buses.all, 1)
	require.Greater(t, silent, 59)
	require.Less(t, silent, 75)
}

func TestRenamedBusIsInheritedAfterTwoRestarts(t *testing.T) {
	file := stateFile(t)
	r := renamedHost(t, file)
	r.hear("new", 2, 0, 20, "lives")
	r.Stop()
	r = start(t, file)
	require.Contains(t, r.hear("new", 2, 21, 60, "lives"), "new/dies heartbeat_missing true")
}

func TestRenamedBusThatIsHeardAfterAll(t *testing.T) {
	r := renamedHost(t, stateFile(t))
	r.hear("new", 2, 0, 32, "lives", "only here")
	found := r.hear("old", 3, 0, 1, "lives", "dies")
	require.Contains(t, found, "new/dies heartbeat_missing false", "it was not silent")
	require.NotContains(t, found, "new/silent heartbeat_missing false", "it goes on on the former bus")
	require.Contains(t, r.hear("old", 3, 2, 10, "lives", "dies"), "old/silent heartbeat_missing true")
	require.NotContains(t, fmt.Sprint(r.hear("new", 2, 33, 40, "lives", "only here")), "true")
	require.Len(t, r.buses.all, 2)
}

// TestRenamedBusThatIsHeardAfterAllSinceAKill has the processor be killed: when its components were heard last it knows less
// exactly.
func TestRenamedBusThatIsHeardAfterAllSinceAKill(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	r.hear("old", 1, 0, 3, "lives", "dies", "silent")
	require.NotEmpty(t, r.hear("old", 1, 4, 9, "lives", "dies"), "saved at once, and nothing of the others")
	r.Kill()
	r = start(t, file)
	require.Contains(t, r.hear("new", 2, 0, 40, "lives"), "new/dies heartbeat_missing true")
	require.Contains(t, r.hear("old", 3, 0, 1, "lives", "dies"), "new/dies heartbeat_missing false", "it was not silent")
	require.NotContains(t, fmt.Sprint(r.hear("new", 2, 41, 50, "lives")), "true")
}

// TestRenamedBusThatIsHeardAfterAllOfOneThatIsOnBoth has a component beat as often on the one as before on the other, and be
// silent on both: its gap on the one stays open.
func TestRenamedBusThatIsHeardAfterAllOfOneThatIsOnBoth(t *testing.T) {
	r := renamedHost(t, stateFile(t))
	r.hear("new", 2, 0, 0)
	r.hear("new", 2, 1, 4, "lives", "silent")
	require.Contains(t, r.hear("new", 2, 5, 40, "lives"), "new/silent heartbeat_missing true")
	require.NotContains(t, r.hear("old", 3, 0, 1, "lives", "dies"), "new/silent heartbeat_missing false")
	require.Contains(t, r.hear("new", 2, 41, 50, "lives"), "new/silent heartbeat_missing true")
}

// TestFormerBusThatMadeRoom has the only bus that was known make room for the second of two new ones.
func TestFormerBusThatMadeRoom(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	r.hear("old", 1, 0, 9, "lives")
	r.Stop()
	r = start(t, file, func(l *Liveness) { l.MaxBuses = 2 })
	add := func(host string, second int) {
		m := newMetric(tickMeasurement, host, "", 2, float64(second))
		m.SetTime(time.Unix(25*3600+int64(second), 0))
		r.at = m.Time()
		r.acc.ClearMetrics()
		require.NoError(t, r.Add(m, &r.acc))
	}
	for second := range 50 {
		add("one", second)
		if second > 20 {
			add("two", second)
		}
	}
	require.Len(t, r.buses.all, 2)
	require.False(t, r.buses.all[0].detector.IsSeen("lives"), "neither of them is the former one")
	r.Kill()
	state, _, err := readState(file)
	require.NoError(t, err)
	require.Len(t, state.Buses, 2)
}

func TestSecondBusIsNotTheRenamedOne(t *testing.T) {
	r := renamedHost(t, stateFile(t))
	for at := range 40 {
		require.NotContains(t, r.hear("new", 2, at, at, "lives"), "new/dies heartbeat_missing true")
		r.hear("old", 3, at, at, "lives", "dies")
	}

	r = renamedHost(t, stateFile(t))
	for at := range 40 {
		for _, host := range []string{"one", "two"} {
			require.Empty(t, r.hear(host, 2, at, at, "lives"), "nothing says which of the two it is")
		}
	}
}

// TestSeenAgainOnTheRenamedBus has components that were silent before, or appear for the first time, beat before the
// former bus is given up.
func TestSeenAgainOnTheRenamedBus(t *testing.T) {
	r := renamedHost(t, stateFile(t))
	found := r.hear("new", 2, 0, 31, "lives", "dies", "silent", "appears")
	require.Equal(t, []string{"new/silent heartbeat_missing false"}, slices.Compact(found))
	require.Contains(t, r.hear("new", 2, 32, 40, "lives", "dies", "silent"), "new/appears heartbeat_missing true")
}

// TestSilentAgainOnTheRenamedBus has a component that was silent before beat on the renamed bus, and fall silent again, or be
// killed, before the former bus is given up. Each of its gaps is closed.
func TestSilentAgainOnTheRenamedBus(t *testing.T) {
	for _, kill := range []bool{false, true} {
		r := renamedHost(t, stateFile(t))
		open := make(map[any]bool)
		check := func(at int) {
			last := true
			for _, g := range gaps(&r.acc) {
				if id := g.Fields["incident_id"]; g.Tags["zooid"] == "silent" {
					require.False(t, g.Fields["event"] == "opened" && open[id], "opened twice")
					open[id] = g.Fields["open"].(bool)
					last = open[id]
				}
			}
			require.True(t, last || kill || at > 50, "at %d s a database, which keeps the last of one time, has it for back", at)
		}
		for at := range 60 {
			names := []string{"lives", "dies"}
			if at < 18 || at > 50 {
				names = append(names, "silent")
			}
			if at == 19 && kill {
				r.acc.ClearMetrics()
				require.NoError(t, r.Add(newMetric(killMeasurement, "new", "", 2, 19), &r.acc))
			}
			for _, name := range append(names, "") {
				m := newMetric("chembus_heartbeat", "new", name, 2, float64(at))
				if name == "" {
					m = newMetric(tickMeasurement, "new", "", 2, float64(at))
				}
				r.acc.ClearMetrics()
				require.NoError(t, r.Add(m, &r.acc))
				check(at)
			}
		}
		require.Len(t, open, map[bool]int{false: 2, true: 1}[kill])
		for id, is := range open {
			require.False(t, is, id)
		}
		require.NotContains(t, fmt.Sprint(logged(r.log)), "contradicted itself")
	}
}

// TestStoppedOnTheRenamedBus has a component announce its stop before the former bus is given up.
func TestStoppedOnTheRenamedBus(t *testing.T) {
	r := renamedHost(t, stateFile(t))
	r.hear("new", 2, 0, 9, "lives", "dies")
	r.acc.ClearMetrics()
	require.NoError(t, r.Add(newMetric(stopMeasurement, "new", "dies", 2, 10), &r.acc))
	require.NotContains(t, r.hear("new", 2, 10, 60, "lives"), "new/dies heartbeat_missing true")
}

// TestExpectedOnTheRenamedBusThatIsHeardAfterAll has an expected component that was never heard.
func TestExpectedOnTheRenamedBusThatIsHeardAfterAll(t *testing.T) {
	file := stateFile(t)
	r := expecting(t, file, "ghost", "a")
	require.Contains(t, r.hear("old", 1, 0, 12, "a"), "old/ghost heartbeat_never_seen true")
	r.Stop()
	r = expecting(t, file, "ghost", "a")
	r.hear("new", 2, 0, 32, "b")
	found := r.hear("old", 3, 0, 10, "a")
	require.NotContains(t, found, "old/ghost heartbeat_never_seen false", "it was not heard")
	require.NotContains(t, found, "new/ghost heartbeat_never_seen false", "it goes on")
	require.Contains(t, found, "old/ghost heartbeat_never_seen true")
	for _, key := range []string{"ghost", "a"} {
		require.Equal(t, "old", r.expected.anywhere[key].values[0], key)
	}
}

// TestOutageOnTheRenamedBus has an outage be reported before the former bus is given up.
func TestOutageOnTheRenamedBus(t *testing.T) {
	r := renamedHost(t, stateFile(t))
	r.MassCount = 1
	r.reset() // nothing is loaded before the first tick
	names := []string{"dies", "x", "y", "z"}
	r.hear("new", 2, 0, 1, names...)
	r.hear("new", 2, 2, 29)
	before := r.hear("new", 2, 30, 40)
	require.Contains(t, fmt.Sprint(before), "heartbeat_mass_missing true")
	require.Contains(t, fmt.Sprint(r.hear("new", 2, 41, 42, names...)), "heartbeat_mass_missing false")
}

// TestOutageAgainOnTheRenamedBus has all members of an outage beat on the renamed bus, and fall silent together again, before
// the former bus is given up. The first outage is closed once, and the second one has the last word.
func TestOutageAgainOnTheRenamedBus(t *testing.T) {
	for _, names := range [][]string{nil, {"lives"}} {
		set := func(l *Liveness) { l.MassCount, l.MassWindow = 1, config.Duration(2*time.Second) }
		file := stateFile(t)
		r := start(t, file, set)
		r.hear("old", 1, 0, 3, "lives", "x", "y", "z")
		require.Contains(t, r.hear("old", 1, 4, 15, "lives"), "old/y heartbeat_mass_missing true")
		r.Stop()
		r = start(t, file, set)
		r.hear("new", 2, 100, 103, append(names, "x", "y", "z")...)
		r.hear("new", 2, 104, 115, names...)
		closed := 0
		for at := 116; at < 160; at++ {
			r.hear("new", 2, at, at, names...)
			last := true
			for _, g := range gaps(&r.acc) {
				if last = g.Fields["open"].(bool); g.Tags["gap_type"] == "heartbeat_mass_missing" && g.Fields["event"] == "closed" {
					closed++
				}
			}
			require.True(t, last, "at %d s", at)
		}
		require.Equal(t, 1, closed)
	}
}
