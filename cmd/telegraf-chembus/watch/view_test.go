package watch

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"
)

var at = time.Unix(1_800_000_000, 123_456_789)

const endpoint = "tcp://127.0.0.1:5559"

var ownTags = map[string]string{"host": "h", "endpoint": endpoint}

func status(zooid, state string, silence float64) telegraf.Metric {
	up := int64(0)
	if state == "up" || state == "late" {
		up = 1
	}
	return metric.New("liveness", map[string]string{"zooid": zooid, "niche": "n", "host": "h", "endpoint": endpoint}, map[string]any{
		"state": state, "up": up, "silence_s": silence, "threshold_s": 30.0, "beats": int64(7), "gaps": int64(1),
		"interval_s": 10.0000004, "interval_stddev_s": 0.5, "availability": 0.75, "loss": 0.01, "alive_s": 90.0,
	}, at)
}

func heartbeat(zooid string, lag float64) telegraf.Metric {
	fields := map[string]any{"beats": int64(1)}
	if !math.IsNaN(lag) {
		fields["lag_s"] = lag
	}
	return metric.New("chembus_heartbeat", map[string]string{"zooid": zooid}, fields, at)
}

func names(zooids []Zooid) []string {
	var names []string
	for _, z := range zooids {
		names = append(names, z.Name)
	}
	return names
}

func TestViewShowsTheMetrics(t *testing.T) {
	v := newView("chembus_heartbeat", []string{"zooid"}, []string{"host", "endpoint"}, ownTags)
	v.Add(metric.New("chembus_bus", map[string]string{"endpoint": "tcp://127.0.0.1:5559"}, map[string]any{
		"observable": true, "connected": true, "probing": true, "observed_s": 12.5, "blind_s": 0.25, "messages": uint64(40),
		"heartbeats": uint64(30), "duplicates": uint64(2), "rejected_json": uint64(3), "rejected_topic": uint64(4),
		"disconnects": uint64(1), "probe_rtt_s": 0.0004,
	}, at))
	v.Add(heartbeat("a", 0.002))
	v.Add(heartbeat("b", math.NaN()))
	v.Add(heartbeat("ignored", 5))
	v.Add(status("a", "up", 3))
	v.Add(status("b", "silent", 40))
	v.Add(status("c", "up", 1))

	s := v.Snapshot(at)
	rtt, lag, mean, deviation, alive := 0.0004, 0.002, 10.0, 0.5, 90.0
	require.Equal(t, Bus{
		Endpoint: "tcp://127.0.0.1:5559", Observable: true, Connected: true, Probing: true, ObservedS: 12.5, BlindS: 0.25,
		Messages: 40, Heartbeats: 30, Duplicates: 2, Rejected: 7, Disconnects: 1, LagS: &lag, ProbeRTTS: &rtt,
	}, s.Bus)
	require.Equal(t, []string{"b", "a", "c"}, names(s.Zooids), "the silent one first")
	require.Equal(t, Zooid{
		Name: "a", Niche: "n", State: "up", Up: true, SilenceS: 3, ThresholdS: 30, SinceS: &alive, IntervalS: &mean, IntervalStddev: &deviation,
		Beats: 7, LagS: &lag, Heard: true, Gaps: 1, Loss: 0.01, Availability: 0.75,
	}, s.Zooids[1])
	require.True(t, s.Zooids[0].Heard)
	require.Nil(t, s.Zooids[0].LagS, "its beat has no lag")
	require.False(t, s.Zooids[2].Heard, "the watch has received no beat of it")
	require.Equal(t, at.UTC().Truncate(time.Millisecond), s.Time)
}

// TestViewDropsRetired requires that nothing is kept of components that the processor does not report any more.
func TestViewDropsRetired(t *testing.T) {
	v := newView("chembus_heartbeat", []string{"zooid"}, []string{"host", "endpoint"}, ownTags)
	for _, name := range []string{"a", "b", "c"} {
		v.Add(heartbeat(name, 0))
		v.Add(status(name, "up", 1))
	}
	v.Add(status("a", "retired", 90000))
	require.Equal(t, []string{"b", "c"}, names(v.Snapshot(at).Zooids))
	v.Add(status("c", "up", 2))
	require.Equal(t, []string{"c"}, names(v.Snapshot(at).Zooids))
	require.Len(t, v.lags, 1)
	require.Empty(t, v.Snapshot(at).Zooids)
	require.Empty(t, v.lags)
}

func TestViewJoinsIdentities(t *testing.T) {
	v := newView("cpu", []string{"host", "zooid"}, []string{"host", "endpoint"}, ownTags)
	v.Add(metric.New("cpu", map[string]string{"host": "h", "zooid": "a"}, map[string]any{"lag_s": 0.5}, at))
	v.Add(metric.New("cpu", map[string]string{"zooid": "a"}, map[string]any{"lag_s": 9.0}, at))
	v.Add(status("a", "up", 1))
	s := v.Snapshot(at)
	require.Equal(t, []string{"h/a"}, names(s.Zooids))
	require.InDelta(t, 0.5, *s.Zooids[0].LagS, 0)
}

// TestViewShowsOneBus ignores the components of other buses, which the processor knows from its state.
func TestViewShowsOneBus(t *testing.T) {
	v := newView("chembus_heartbeat", []string{"zooid"}, []string{"host", "endpoint"}, ownTags)
	v.Add(status("a", "up", 1))
	for tag, value := range map[string]string{"endpoint": otherEndpoint, "host": "g"} {
		other := status("a", "silent", 99)
		other.AddTag(tag, value)
		v.Add(other)
	}
	s := v.Snapshot(at)
	require.Len(t, s.Zooids, 1)
	require.Equal(t, "up", s.Zooids[0].State)
}

// TestViewTellsSinceWhen derives it from the metrics, or from the changes that the watch has seen.
func TestViewTellsSinceWhen(t *testing.T) {
	v := newView("chembus_heartbeat", []string{"zooid"}, []string{"host", "endpoint"}, ownTags)
	look := func(after time.Duration, m telegraf.Metric) *float64 {
		v.Add(m)
		return v.Snapshot(at.Add(after)).Zooids[0].SinceS
	}
	require.InDelta(t, 10, *look(0, status("a", "silent", 40)), 0.001, "silence less threshold")
	require.Nil(t, look(time.Second, status("b", "killed", 40)), "since before the watch")
	look(2*time.Second, status("b", "up", 0))
	require.InDelta(t, 0, *look(3*time.Second, status("b", "killed", 1)), 0.001)
	require.InDelta(t, 2, *look(5*time.Second, status("b", "killed", 3)), 0.001)
	require.InDelta(t, 90, *look(6*time.Second, status("b", "up", 0)), 0.001, "alive_s")
}

// TestViewShowsOpenGaps shows a gap as long as it is reported as open.
func TestViewShowsOpenGaps(t *testing.T) {
	v := newView("chembus_heartbeat", []string{"zooid"}, []string{"host", "endpoint"}, ownTags)
	gap := func(zooid, endpoint string, open bool, missing float64) telegraf.Metric {
		return metric.New("liveness_gap", map[string]string{"zooid": zooid, "host": "h", "endpoint": endpoint, "gap_type": "heartbeat_missing"},
			map[string]any{"open": open, "incident_id": "id-" + zooid, "missing_seconds": missing, "severity": "high", "reason": "r"}, at)
	}
	v.Add(gap("a", endpoint, true, 31))
	v.Add(gap("b", endpoint, true, 60))
	v.Add(gap("c", endpoint, true, 60))
	v.Add(gap("c", endpoint, false, 61))
	v.Add(gap("d", otherEndpoint, true, 99))
	require.Equal(t, []Gap{
		{Zooid: "b", Type: "heartbeat_missing", Severity: "high", MissingS: 60, Reason: "r", IncidentID: "id-b"},
		{Zooid: "a", Type: "heartbeat_missing", Severity: "high", MissingS: 31, Reason: "r", IncidentID: "id-a"},
	}, v.Snapshot(at).Gaps)
	require.Empty(t, v.Snapshot(at).Gaps)
}

func TestOrder(t *testing.T) {
	v := newView("chembus_heartbeat", []string{"zooid"}, []string{"host", "endpoint"}, ownTags)
	for _, m := range []telegraf.Metric{
		status("gone", "gone", 500), status("up2", "up", 1), status("up1", "up", 0), status("stopped", "stopped", 100), status("killed", "killed", 99), status("late", "late", 20),
		status("flapping", "flapping", 0), status("unseen", "unseen", 70), status("silent1", "silent", 40), status("silent2", "silent", 50),
	} {
		v.Add(m)
	}
	s := v.Snapshot(at)
	require.Equal(t, []string{"silent2", "silent1", "unseen", "flapping", "late", "killed", "stopped", "up1", "up2", "gone"}, names(s.Zooids))
	require.Equal(t, []stateCount{{"silent", 2}, {"unseen", 1}, {"flapping", 1}, {"late", 1}, {"killed", 1}, {"stopped", 1}, {"up", 2}, {"gone", 1}}, s.states())
}
