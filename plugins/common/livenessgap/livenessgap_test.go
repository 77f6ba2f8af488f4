package livenessgap

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

// changed returns a metric that Read reads, with some fields changed, or removed where they are nil.
func changed(fields map[string]any) telegraf.Metric {
	m := metric.New(Name, map[string]string{"zooid": "a", "gap_type": gaptype.Missing}, map[string]any{
		"incident_id": "i", "open": true, "last_seen": 100.5, "missing_seconds": 31.25,
	}, time.Unix(0, 0))
	for name, value := range fields {
		if value == nil {
			m.RemoveField(name)
		} else {
			m.AddField(name, value)
		}
	}
	return m
}

func TestRead(t *testing.T) {
	least := Level{Incident: "i", Kind: gaptype.Missing, Open: true, LastSeen: 100.5, Missing: 31.25}
	for name, test := range map[string]struct {
		fields map[string]any
		want   func(*Level)
	}{
		"the least": {nil, func(*Level) {}},
		"all": {
			map[string]any{"open": false, "threshold_s": 30.0, "flap_window_s": 600.0, "severity": "high", "reason": "r", "unit": "u", "actions": `["x","y"]`},
			func(l *Level) {
				l.Open, l.Threshold, l.FlapWindow, l.Severity, l.Reason, l.Unit, l.Actions = false, 30, 600, "high", "r", "u", []string{"x", "y"}
			},
		},
		"integers": {
			map[string]any{"last_seen": int64(7), "missing_seconds": uint64(8), "threshold_s": int64(9)},
			func(l *Level) { l.LastSeen, l.Missing, l.Threshold = 7, 8, 9 },
		},
		"other types, of what may be absent": {
			map[string]any{"threshold_s": "30", "flap_window_s": math.NaN(), "severity": 3, "reason": true, "unit": 1.5, "actions": 4, "members": false},
			func(*Level) {},
		},
		"members without a count":  {map[string]any{"members": `["a","b"]`}, func(l *Level) { l.Members, l.Count = []string{"a", "b"}, 2 }},
		"more members than names":  {map[string]any{"members": `["a"]`, "member_count": 7}, func(l *Level) { l.Members, l.Count = []string{"a"}, 7 }},
		"fewer members than names": {map[string]any{"members": `["a","b"]`, "member_count": -1}, func(l *Level) { l.Members, l.Count = []string{"a", "b"}, 2 }},
		"more members than there are": {
			map[string]any{"members": "[]", "member_count": 1e300}, func(l *Level) { l.Members, l.Count = []string{}, math.MaxInt32 },
		},
		"a count that is none":     {map[string]any{"members": `["a"]`, "member_count": "7"}, func(l *Level) { l.Members, l.Count = []string{"a"}, 1 }},
		"a count without members":  {map[string]any{"member_count": 7}, func(*Level) {}},
		"members that are nothing": {map[string]any{"members": "null", "member_count": 7}, func(*Level) {}},
	} {
		want := least
		test.want(&want)
		got, problem := Read(changed(test.fields))
		require.Empty(t, problem, name)
		require.Equal(t, want, got, name)
	}
}

func TestReadNamesWhatIsWrong(t *testing.T) {
	for name, values := range map[string][]any{
		"incident_id":     {nil, "", 7, true},
		"open":            {nil, "true", 1},
		"last_seen":       {nil, "now", false, math.NaN()},
		"missing_seconds": {nil, "1", true, math.Inf(1)},
		"members":         {"a", "[1]", `{"a":1}`, `["a"`},
		"actions":         {"a", "[1]", `{"a":1}`, `["a"`},
	} {
		for _, value := range values {
			got, problem := Read(changed(map[string]any{name: value}))
			require.Contains(t, problem, `"`+name+`"`, "%v", value)
			require.Zero(t, got)
		}
	}
	m := changed(map[string]any{"gap_type": gaptype.Missing}) // a field
	m.RemoveTag("gap_type")
	_, problem := Read(m)
	require.Contains(t, problem, `tag "gap_type"`)
}
