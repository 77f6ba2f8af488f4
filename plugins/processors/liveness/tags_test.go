package liveness

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/metric"
)

// feedMetric adds a metric with any tags, and returns the gaps that it led to as "zooid type open".
func (r *run) feedMetric(name string, tags map[string]string, run int64, at float64) []string {
	r.t.Helper()
	m := metric.New(name, tags, map[string]any{"observed_s": at, "run": run, "sent": 1e9 + at}, time.Unix(0, int64(at*1e9)))
	r.at = m.Time()
	r.acc.ClearMetrics()
	require.NoError(r.t, r.Add(m, &r.acc))
	var found []string
	for _, g := range gaps(&r.acc) {
		found = append(found, fmt.Sprint(g.Tags["zooid"], " ", g.Tags["gap_type"], " ", g.Fields["open"]))
	}
	return found
}

// TestSeparatorInATag has tags that hold the character with which keys are joined.
func TestSeparatorInATag(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	for _, host := range []string{"a\x1fb", "a"} {
		for at := range 10 {
			r.feedMetric("chembus_heartbeat", map[string]string{"host": host, "endpoint": "e\x1fx", "zooid": "z"}, 1, float64(at))
			r.feedMetric(tickMeasurement, map[string]string{"host": host, "endpoint": "e\x1fx"}, 1, float64(at))
		}
	}
	require.Len(t, r.buses.all, 2)
	r.Stop()
	r = start(t, file)
	r.feedMetric(tickMeasurement, map[string]string{"host": "a", "endpoint": "e\x1fx"}, 1, 10)
	require.Len(t, r.buses.all, 2)
}

// TestBusesWithoutTheTagHost has two buses of Telegrafs with omit_hostname = true.
func TestBusesWithoutTheTagHost(t *testing.T) {
	r := start(t, "")
	var found []string
	for at := range 20 {
		for i, endpoint := range []string{"one", "two"} {
			if at < 5 || i == 0 {
				r.feedMetric("chembus_heartbeat", map[string]string{"endpoint": endpoint, "zooid": endpoint}, int64(i+1), float64(at))
			}
			found = append(found, r.feedMetric(tickMeasurement, map[string]string{"endpoint": endpoint}, int64(i+1), float64(at))...)
		}
	}
	require.Len(t, r.buses.all, 2)
	require.Contains(t, found, "two heartbeat_missing true")
	require.NotContains(t, found, "one heartbeat_missing true")
}

// TestJumpsAreLoggedOnce has ticks come again while the clock stands still.
func TestJumpsAreLoggedOnce(t *testing.T) {
	r := start(t, "")
	for i := range 11 {
		r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": "e"}, 1, float64(i*10))
	}
	for range 5 {
		r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": "e"}, 1, 100)
	}
	require.Len(t, r.log.Warnings(), 1)
}

// TestRunOfJSON has the run be a float field, as a JSON parser makes it: a tick of before is a copy then.
func TestRunOfJSON(t *testing.T) {
	r := start(t, "")
	for _, at := range []float64{0, 1, 2, 3, 1, 2, 4, 5, 6, 7} {
		for _, name := range []string{"chembus_heartbeat", tickMeasurement} {
			tags := map[string]string{"host": "h", "endpoint": "e", "zooid": "a"}
			fields := map[string]any{"observed_s": at, "run": 1.7e18, "sent": 1e9 + at}
			require.NoError(t, r.Add(metric.New(name, tags, fields, time.Unix(int64(at), 0)), &r.acc))
		}
	}
	require.Equal(t, 7*time.Second, r.buses.all[0].detector.Now())
}

// TestSeparatorInAnIdentity has two components whose tags join to the same text.
func TestSeparatorInAnIdentity(t *testing.T) {
	r := start(t, "", func(l *Liveness) { l.Identity = []string{"unit", "part"} })
	for _, values := range [][2]string{{"a\x1fb", "c"}, {"a", "b\x1fc"}} {
		r.feedMetric("chembus_heartbeat", map[string]string{"host": "h", "endpoint": "e", "unit": values[0], "part": values[1]}, 1, 0)
	}
	require.Len(t, r.buses.all[0].detector.Snapshot().Components, 2)
}
