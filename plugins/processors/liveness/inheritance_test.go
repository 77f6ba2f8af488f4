package liveness

import (
	"testing"

	"github.com/stretchr/testify/require"
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
