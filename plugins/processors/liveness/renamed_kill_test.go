package liveness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func (r *run) kill(host string, run int64, at float64) {
	r.t.Helper()
	r.acc.ClearMetrics()
	require.NoError(r.t, r.Add(newMetric(killMeasurement, host, "", run, at), &r.acc))
}

// TestKillOnTheRenamedBus has the kill signal come before the former bus is given up.
func TestKillOnTheRenamedBus(t *testing.T) {
	r := renamedHost(t, stateFile(t))
	r.hear("new", 2, 0, 2, "lives")
	r.kill("new", 2, 2)
	require.Empty(t, r.hear("new", 2, 3, 29))
	require.NotContains(t, r.hear("new", 2, 30, 60), "new/dies heartbeat_missing true", "it was killed on purpose")
}

// TestExpectedAreKilledOnTheRenamedBus has two components that are expected not appear before the restart. One has beaten when
// the kill signal comes, the other one never does.
func TestExpectedAreKilledOnTheRenamedBus(t *testing.T) {
	for _, known := range []int{2, 12} { // the second time they were missed already
		file := stateFile(t)
		r := expecting(t, file, "*/beats", "*/ghost")
		r.hear("old", 1, 0, known, "lives")
		r.Stop()
		r = expecting(t, file, "*/beats", "*/ghost")
		r.hear("new", 2, 100, 103, "beats")
		r.kill("new", 2, 103)
		open := make(map[string]bool)
		for at := 104; at < 200; at++ {
			r.hear("new", 2, at, at)
			for _, g := range gaps(&r.acc) {
				open[g.Tags["zooid"]+" "+g.Tags["gap_type"]] = g.Fields["open"].(bool)
			}
		}
		require.Len(t, r.buses.all, 1)
		want := make(map[string]bool)
		if known == 12 {
			want = map[string]bool{"beats heartbeat_never_seen": false, "ghost heartbeat_never_seen": true}
		}
		require.Equal(t, want, open)
	}
}
