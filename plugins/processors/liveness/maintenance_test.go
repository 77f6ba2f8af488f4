package liveness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMaintenanceIsALevel has a component be stopped in a maintenance, in which the clock stands still at 7 s, and the
// processor be restarted after it. Each tick says when it was over, and the gap is opened one threshold, 5 s, later.
func TestMaintenanceIsALevel(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	r.hear("h", 1, 0, 3, "a")
	r.hear("h", 1, 4, 7)
	opened := 0.0
	for at := 8.0; at < 20 && opened == 0; at++ {
		if at == 10 {
			r.Stop()
			r = start(t, file)
		}
		m := newMetric(tickMeasurement, "h", "", 1, at)
		m.AddField("resumed_s", 7.0)
		m.AddField("suspended_s", 60.0)
		r.at = time.Unix(0, int64(at*1e9))
		r.acc.ClearMetrics()
		require.NoError(t, r.Add(m, &r.acc))
		if len(gaps(&r.acc)) > 0 {
			opened = at
		}
	}
	require.Equal(t, 13.0, opened)
}
