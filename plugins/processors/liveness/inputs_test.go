package liveness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"
)

// TestTwoInputsInBatches has two inputs of one bus, each of whose metrics come in batches.
func TestTwoInputsInBatches(t *testing.T) {
	for _, batch := range []int{1, 2, 5, 10, 20, 30, 60} {
		r := start(t, "", func(l *Liveness) { l.Threshold = config.Duration(12 * time.Second) })
		for from := 0; from < 600; from += batch {
			for input := range 2 {
				for at := from; at < from+batch; at++ {
					names := []string{}
					if at%10 == 4 {
						names = append(names, "a")
					}
					require.Empty(t, r.hear("h", int64(input+1), 1000*input+at, 1000*input+at, names...), "batches of %d, at %d", batch, at)
				}
			}
			if from > 0 { // at first the second is taken for a restart of the first
				passed := time.Duration(from+batch) * time.Second
				require.LessOrEqual(t, r.buses.all[0].detector.Now(), passed+3*time.Second, "batches of %d: no faster than time passes", batch)
			}
		}
		require.LessOrEqual(t, r.buses.all[0].detector.Now(), 601*time.Second, "batches of %d: no faster than time passes", batch)
		require.GreaterOrEqual(t, r.buses.all[0].detector.Now(), 540*time.Second, "batches of %d: nor much slower", batch)
		// The first falls silent: the second takes over.
		found := r.hear("h", 2, 1600, 1660)
		require.Contains(t, found, "h/a heartbeat_missing true", "batches of %d", batch)
	}
}

// TestMoreInputsThanRuns has nine inputs report one bus: nothing is judged, and that must be said.
func TestMoreInputsThanRuns(t *testing.T) {
	r := start(t, "")
	var found []string
	for at := range 60 {
		for run := range int64(9) {
			if at < 5 {
				r.feedMetric("chembus_heartbeat", map[string]string{"host": "h", "endpoint": "e", "zooid": "a"}, run+1, float64(at))
			}
			found = append(found, r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": "e"}, run+1, float64(at))...)
		}
	}
	require.True(t, len(found) > 0 || len(r.log.Warnings()) > 0, "neither found nor warned")
}
