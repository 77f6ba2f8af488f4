package chembus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"

	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
)

// gapMetric returns what the processor says of an open incident, each of a zooid of its own; the changes replace fields and tags, a nil
// takes one away.
func gapMetric(incident string, changes map[string]any) telegraf.Metric {
	m := metric.New("liveness_gap",
		map[string]string{"zooid": "of " + incident, "niche": "voice", "host": "h", "gap_type": "heartbeat_missing"},
		map[string]any{
			"incident_id":     incident,
			"open":            true,
			"last_seen":       1795446803.8781514,
			"missing_seconds": 31.25,
			"threshold_s":     30.0,
			"severity":        "critical",
			"reason":          `no heartbeat from "audio_io" for 31.2 s, threshold 30 s`,
		}, time.Unix(1795446835, 0))
	for name, value := range changes {
		switch {
		case value == nil:
			m.RemoveField(name)
			m.RemoveTag(name)
		case name == "zooid" || name == "gap_type":
			m.AddTag(name, value.(string))
		default:
			m.AddField(name, value)
		}
	}
	return m
}

func TestGapOf(t *testing.T) {
	g, problem := gapOf(gapMetric("i", nil))
	require.Empty(t, problem)
	require.Equal(t, &gap{
		Level: livenessgap.Level{
			Incident: "i", Open: true, Kind: "heartbeat_missing", LastSeen: 1795446803.8781514, Missing: 31.25, Threshold: 30,
			Niche: "voice", Severity: "critical", Reason: `no heartbeat from "audio_io" for 31.2 s, threshold 30 s`,
		},
		zooid: "of i", component: "of i", host: "h", at: 1795446835,
	}, g)

	g, problem = gapOf(gapMetric("i", map[string]any{
		"last_seen": int64(5), "missing_seconds": uint64(7), "severity": nil, "reason": nil, "open": false,
		"niche": nil, "host": nil, "threshold_s": nil, "actions": `["a", "b"]`, "unit": "u.service",
	}))
	require.Empty(t, problem)
	require.Equal(t, &gap{
		Level: livenessgap.Level{
			Incident: "i", Kind: "heartbeat_missing", LastSeen: 5, Missing: 7, Reason: `no heartbeat from "of i" for 7.0 s`,
			Actions: []string{"a", "b"}, Unit: "u.service",
		},
		zooid: "of i", component: "of i", at: 1795446835,
	}, g)
}

// TestGapOfAWatch has two watches of one host find that it is silent, and that others are.
func TestGapOfAWatch(t *testing.T) {
	for _, watch := range []string{"cpu", "mem"} {
		m := gapMetric("i", map[string]any{"zooid": nil, "component": "web1", "members": `["web1", "web2"]`})
		m.AddTag("watch", watch)
		g, problem := gapOf(m)
		require.Empty(t, problem)
		require.Equal(t, "heartbeat_web1", g.name())
		require.Equal(t, watch+"/web1", g.component)
		require.Equal(t, []string{watch + "/web1", watch + "/web2"}, g.Members)
	}
	g, problem := gapOf(gapMetric("i", map[string]any{"zooid": nil, "component": "north/web1"}))
	require.Empty(t, problem)
	require.Equal(t, []string{"heartbeat_north/web1", "north/web1"}, []string{g.name(), g.component})
}

func TestGapOfMalformed(t *testing.T) {
	for name, want := range map[string]string{"open": `"open"`, "zooid": `"component"`} {
		_, problem := gapOf(gapMetric("i", map[string]any{name: nil}))
		require.Contains(t, problem, want, "without %s", name)
	}
}
