package liveness

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/metric"

	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
)

func adopting(l *Liveness) { l.Adopt = true }

// levelOf is an open gap of another processor.
func levelOf(host, zooid, incident string, at float64) telegraf.Metric {
	return metric.New(livenessgap.Name, map[string]string{"host": host, "endpoint": "e", "zooid": zooid, "gap_type": "heartbeat_missing"}, map[string]any{
		"incident_id": incident, "open": true, "last_seen": 1e9 + at - 100, "missing_seconds": 100.0, "threshold_s": 5.0,
	}, time.Unix(0, int64(at*1e9)))
}

// TestAdoptedGapSurvivesARestart takes a gap before the first tick, when the state is not loaded yet, and kills the processor
// afterwards: the component is silent in the same incident, which its next heartbeat closes.
func TestAdoptedGapSurvivesARestart(t *testing.T) {
	file := stateFile(t)
	bus := map[string]string{"host": "h", "endpoint": "e"}
	a := map[string]string{"host": "h", "endpoint": "e", "zooid": "a"}
	r := start(t, file, adopting)
	require.NoError(t, r.Add(levelOf("h", "a", "one", 0), &r.acc))
	require.Equal(t, []string{"a heartbeat_missing true"}, r.feedMetric(tickMeasurement, bus, 1, 1))
	require.Equal(t, "one", gaps(&r.acc)[0].Fields["incident_id"])
	require.Empty(t, r.feedMetric(tickMeasurement, bus, 1, 2))
	r.Kill()

	r = start(t, file, adopting)
	r.feedMetric(tickMeasurement, bus, 1, 3)
	require.NoError(t, r.Add(levelOf("h", "a", "one", 2), &r.acc))
	require.Empty(t, r.feedMetric("chembus_heartbeat", map[string]string{"host": "h", "endpoint": "e", "zooid": "b"}, 1, 3.2))
	require.Equal(t, []string{"a heartbeat_missing false"}, r.feedMetric("chembus_heartbeat", a, 1, 3.5))
	require.Equal(t, "one", gaps(&r.acc)[0].Fields["incident_id"])
}

// TestExpectedComponentIsAdopted expects a component on any bus, of which only the gap on one bus is known: it is not missed
// on the other one.
func TestExpectedComponentIsAdopted(t *testing.T) {
	r := expecting(t, "", "a")
	r.Adopt = true
	require.NoError(t, r.Add(levelOf("two", "a", "one", 0), &r.acc))
	var found []string
	for at := range 20 {
		for _, host := range []string{"one", "two"} {
			found = append(found, r.feedMetric(tickMeasurement, map[string]string{"host": host, "endpoint": "e"}, 1, float64(at))...)
		}
	}
	require.NotContains(t, found, "a heartbeat_never_seen true")
	require.Contains(t, found, "a heartbeat_missing true")
}

// TestIncompleteGapIsNotAdopted has a pipeline drop fields of gaps of other processors.
func TestIncompleteGapIsNotAdopted(t *testing.T) {
	bus := map[string]string{"host": "h", "endpoint": "e"}
	for _, field := range []string{"incident_id", "open", "last_seen", "missing_seconds", "threshold_s"} {
		r := start(t, "", adopting)
		level := levelOf("h", "a", "one", 0)
		level.RemoveField(field)
		require.NoError(t, r.Add(level, &r.acc))
		require.Empty(t, r.feedMetric(tickMeasurement, bus, 1, 1), field)
	}
}

// TestAdoptedGapsAreBounded has more gaps arrive than may be known. None makes a component or a bus that was heard give way.
func TestAdoptedGapsAreBounded(t *testing.T) {
	r := start(t, "", adopting, func(l *Liveness) {
		l.MaxBuses, l.MaxComponents, l.RetireAfter = 2, 3, config.Duration(10*time.Second)
	})
	bus := map[string]string{"host": "one", "endpoint": "e"}
	for _, zooid := range []string{"x", "y"} {
		r.feedMetric("chembus_heartbeat", map[string]string{"host": "one", "endpoint": "e", "zooid": zooid}, 1, 0)
	}
	r.feedMetric(tickMeasurement, bus, 1, 0)
	closed := levelOf("five", "a", "five", 0)
	closed.AddField("open", false)
	require.NoError(t, r.Add(closed, &r.acc))
	for i := range 10 {
		for _, host := range []string{"two", "three", "four", "one"} {
			require.NoError(t, r.Add(levelOf(host, string(rune('a'+i)), fmt.Sprint(host, i), 100), &r.acc))
		}
	}
	for at := range 3 {
		r.feedMetric(tickMeasurement, bus, 1, float64(at))
	}
	require.Len(t, r.buses.all, 2)
	require.Equal(t, "one", r.buses.all[0].values[0])
	require.Equal(t, "two", r.buses.all[1].values[0], "and not that of which there was only a gap that is closed")
	var known []string
	for _, c := range r.buses.all[0].detector.Snapshot().Components {
		known = append(known, c.Key)
	}
	require.Equal(t, []string{"x", "y", "a"}, known)
}

// TestOutageNamedAfterAnIgnoredComponent adopts its other members.
func TestOutageNamedAfterAnIgnoredComponent(t *testing.T) {
	r := start(t, "", adopting, func(l *Liveness) { l.Ignore = []string{"noise"} })
	outage := levelOf("h", "noise", "all", 0)
	outage.AddTag("gap_type", "heartbeat_mass_missing")
	outage.AddField("members", `["b","noise"]`)
	outage.AddField("member_count", 2)
	require.NoError(t, r.Add(outage, &r.acc))
	r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": "e"}, 1, 1)
	known := r.buses.all[0].detector.Snapshot().Components
	require.Len(t, known, 1)
	require.Equal(t, "b", known[0].Key)
	require.Equal(t, "all", known[0].Incident)
}

// TestFlappingIsDecidedHere has watched a component for longer than flap_window: that another processor once found it
// flapping changes nothing.
func TestFlappingIsDecidedHere(t *testing.T) {
	r := start(t, "", adopting, func(l *Liveness) { l.FlapWindow = config.Duration(8 * time.Second) })
	bus := map[string]string{"host": "h", "endpoint": "e"}
	for at := range 20 {
		r.feedMetric("chembus_heartbeat", map[string]string{"host": "h", "endpoint": "e", "zooid": "a"}, 1, float64(at))
		r.feedMetric(tickMeasurement, bus, 1, float64(at))
	}
	late := levelOf("h", "a", "one", 5)
	late.AddTag("gap_type", "heartbeat_flapping")
	require.NoError(t, r.Add(late, &r.acc))
	for at := 20; at < 30; at++ {
		require.Empty(t, r.feedMetric("chembus_heartbeat", map[string]string{"host": "h", "endpoint": "e", "zooid": "a"}, 1, float64(at)))
		require.Empty(t, r.feedMetric(tickMeasurement, bus, 1, float64(at)))
	}
}
