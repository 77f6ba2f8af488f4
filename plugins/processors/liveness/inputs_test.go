package liveness

import (
	"fmt"
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

// TestOldKillSignalOfASecondInput has the second of two inputs take over, whose ticks go on to say when the last kill signal
// came. All components were heard since; one that has just died was not killed.
func TestOldKillSignalOfASecondInput(t *testing.T) {
	r := start(t, "")
	var found []string
	hear := func(name, zooid string, run int64, at float64) {
		m := newMetric(name, "h", zooid, run, at)
		if name == tickMeasurement && int64(at)%1000 >= 5 {
			m.AddField("killed_s", float64(run-1)*1000+5)
		}
		r.at = m.Time()
		r.acc.ClearMetrics()
		require.NoError(t, r.Add(m, &r.acc))
		for _, m := range r.acc.Metrics {
			if at := int64(at) % 1000; m.Measurement == "liveness" && at > 20 {
				found = append(found, fmt.Sprint(m.Tags["zooid"], " ", m.Fields["state"]))
			}
		}
	}
	for at := range 60 {
		for run := range int64(2) {
			if run == 0 && at >= 40 {
				continue
			}
			observed := float64(run)*1000 + float64(at)
			if at < 39 {
				hear("chembus_heartbeat", "dies", run+1, observed)
			}
			hear("chembus_heartbeat", "lives", run+1, observed)
			hear(tickMeasurement, "", run+1, observed)
		}
	}
	require.NotContains(t, found, "lives killed")
	require.NotContains(t, found, "dies killed")
	require.Contains(t, found, "dies silent")
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
