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
