package liveness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// TestFlappingOnTheRenamedBus has two components flap on the renamed bus, one of which the former one knew, and be silent when
// that is given up: their incidents go on.
func TestFlappingOnTheRenamedBus(t *testing.T) {
	set := func(l *Liveness) { l.FlapCount = 2 }
	file := stateFile(t)
	r := start(t, file, set)
	r.hear("old", 1, 0, 9, "lives", "known")
	r.Stop()
	r = start(t, file, set)
	r.hear("new", 2, 100, 101, "lives", "known", "other")
	r.hear("new", 2, 102, 108, "lives")
	r.hear("new", 2, 109, 110, "lives", "known", "other")
	found := r.hear("new", 2, 111, 160, "lives")
	for _, name := range []string{"known", "other"} {
		require.Contains(t, found, "new/"+name+" heartbeat_flapping true")
		require.NotContains(t, found, "new/"+name+" heartbeat_flapping false")
	}
	require.Len(t, r.buses.all, 1)
	require.Len(t, openLevels(r.buses.all[0].detector), 2)
}

// TestEndIsRepeatedOnTheRenamedBus has a gap be closed just before the restart, by a metric that may not have left the process.
func TestEndIsRepeatedOnTheRenamedBus(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	r.hear("old", 1, 0, 3, "lives", "silent")
	require.Contains(t, r.hear("old", 1, 4, 12, "lives"), "old/silent heartbeat_missing true")
	require.Contains(t, r.hear("old", 1, 13, 13, "lives", "silent"), "old/silent heartbeat_missing false")
	r.Stop()
	r = start(t, file)
	require.Equal(t, []string{"new/silent heartbeat_missing false"}, r.hear("new", 2, 100, 160, "lives", "silent"))
}

// TestInheritanceMovesTimes has all that the bus itself knows be by the clock of both.
func TestInheritanceMovesTimes(t *testing.T) {
	const s = time.Second
	x := detector.ComponentSnapshot{
		Key: "x", State: detector.Up, Last: 21 * s, Born: 2 * s, Since: 3 * s, Holes: 2, Former: new(""), NicheAt: 4 * s,
		Stop: &detector.EndSignal{At: 5 * s, Reading: 5 * s}, Reading: 21 * s, Beats: 2,
	}
	own := &detector.Snapshot{
		Clock:      detector.ClockSnapshot{Started: true, Now: 30 * s, Reading: 30 * s, LastTick: 30 * s, Run: 2, Restarts: 1, LastHole: 3},
		Killed:     &detector.EndSignal{At: 6 * s},
		Resumed:    &detector.Maintenance{EndSignal: detector.EndSignal{At: 7 * s}},
		Outages:    []detector.OutageSnapshot{{ID: "o", Reported: true, Opened: 8 * s, Since: 9 * s, Members: []string{"y"}}},
		Ended:      []detector.EndedGap{{Key: "z", Until: 31 * s}},
		Components: []detector.ComponentSnapshot{x, {Key: "y", State: detector.Silent, Incident: "o", Member: true}, {Key: "late", State: detector.Up, Beats: 1}},
	}
	former := &detector.Snapshot{
		Clock: detector.ClockSnapshot{Started: true, Now: 100 * s, LastHole: 4}, Components: []detector.ComponentSnapshot{{Key: "late", State: detector.Unseen}},
	}
	i := newInheritance(own, former)
	require.Equal(t, 106*s, i.whole.Killed.At)
	require.Equal(t, 107*s, i.whole.Resumed.At)
	require.Equal(t, []time.Duration{108 * s, 109 * s}, []time.Duration{i.whole.Outages[0].Opened, i.whole.Outages[0].Since})
	require.Equal(t, 131*s, i.whole.Ended[0].Until)
	require.Equal(t, 30*s, i.heard[0].Observed, "of one that was awaited: now")
	x.Last, x.Born, x.Since, x.Holes, x.NicheAt, x.Stop = 121*s, 102*s, 103*s, 7, 104*s, &detector.EndSignal{At: 105 * s, Reading: 5 * s}
	require.Equal(t, x, i.whole.Components[1])
}
