//go:build attack

package liveness

// Defects that are not mended yet: go test -tags attack ./plugins/processors/liveness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"
)

// TestBeatsWithoutTagsBeforeTheFirstTick has the heartbeats of another input, which lack the tags of bus, come before
// the first tick, and after a restart.
func TestBeatsWithoutTagsBeforeTheFirstTick(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	for at := range 5 {
		r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": "e"}, 1, float64(at))
		r.feedMetric("chembus_heartbeat", map[string]string{"zooid": "a"}, 0, float64(at))
	}
	r.Stop()
	r = start(t, file)
	for at := 5; at < 9; at++ {
		r.feedMetric("chembus_heartbeat", map[string]string{"zooid": "a"}, 0, float64(at))
		require.Empty(t, r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": "e"}, 1, float64(at)))
	}
	require.Len(t, r.buses.all, 1)
}

// TestTwoInputsInBatches has two inputs of one bus, each of whose metrics come in batches.
func TestTwoInputsInBatches(t *testing.T) {
	for _, batch := range []int{1, 2, 5, 10, 30} {
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
		}
		require.LessOrEqual(t, r.buses.all[0].detector.Now(), 601*time.Second, "batches of %d: no faster than time passes", batch)
		require.GreaterOrEqual(t, r.buses.all[0].detector.Now(), 540*time.Second, "batches of %d: nor much slower", batch)
		// The first falls silent: the second takes over.
		found := r.hear("h", 2, 1600, 1660)
		require.Contains(t, found, "h/a heartbeat_missing true", "batches of %d", batch)
	}
}

// TestEvictedBus has a bus with an open gap removed to make room.
func TestEvictedBus(t *testing.T) {
	r := start(t, "", func(l *Liveness) { l.MaxBuses = 1 })
	r.hear("gone", 1, 0, 0, "a")
	require.Contains(t, r.hear("gone", 1, 1, 8), "gone/a heartbeat_missing true")
	m := newMetric(tickMeasurement, "next", "", 1, 0)
	m.SetTime(time.Unix(25*3600, 0))
	r.acc.ClearMetrics()
	require.NoError(t, r.Add(m, &r.acc))
	closed := gaps(&r.acc)
	require.Len(t, closed, 1, "nobody else will ever close it")
	require.Equal(t, false, closed[0].Fields["open"])
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

// TestOneClockInTheFuture has a single bus whose host's clock is years ahead.
func TestOneClockInTheFuture(t *testing.T) {
	r := start(t, "", func(l *Liveness) { l.MaxBuses = 2 })
	add := func(host string, at time.Time) {
		m := newMetric(tickMeasurement, host, "", 1, float64(at.Unix()%1000))
		m.SetTime(at)
		require.NoError(t, r.Add(m, &r.acc))
	}
	add("good", time.Unix(1000, 0))
	add("ahead", time.Unix(1e9, 0))
	add("third", time.Unix(1001, 0))
	require.NotNil(t, r.buses.byKey["good\x1ftcp://127.0.0.1:5559\x1f"], "it was heard a second ago")
}

// TestStateOfABusOptionThatIsShorterToday has two buses that are the same by today's option.
func TestStateOfABusOptionThatIsShorterToday(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	for at := range 3 {
		for _, e := range []string{"one", "two"} {
			r.feedMetric("chembus_heartbeat", map[string]string{"host": "h", "endpoint": e, "zooid": e}, 1, float64(at))
			r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": e}, 1, float64(at))
		}
	}
	r.Stop()
	r = start(t, file, func(l *Liveness) { l.Bus = []string{"host"} })
	var found []string
	for at := range 10 {
		found = append(found, r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": "one"}, 2, float64(at))...)
	}
	require.Contains(t, found, "one heartbeat_missing true")
	require.Contains(t, found, "two heartbeat_missing true")
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
