// Package livenessgap reads the metric liveness_gap, which processors.liveness writes.
package livenessgap

import (
	"math"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/field"
)

// Name is the name of the metric.
const Name = "liveness_gap"

// DefaultActions are recommended where nothing else is.
var DefaultActions = []string{"Check that the process of the component runs", "Look at the last lines of its log"}

// Level is what a metric says of an incident. Texts and numbers that it lacks are empty and 0.
type Level struct {
	Incident   string
	Kind       string
	Open       bool
	LastSeen   float64 // epoch seconds by the component's clock; 0: never
	Missing    float64 // seconds, of observed time
	Threshold  float64 // seconds
	FlapWindow float64 // seconds; of a component that flaps: it does up to the end of such a time without a silence
	Niche      string
	Severity   string
	Reason     string
	Actions    []string // that are recommended
	Unit       string   // of systemd that runs the component
	Members    []string // of an outage; nil: it is none
	Count      int64    // of members, which may be more than are named
}

// Read reads a metric with the fields of liveness_gap; the problem is empty if it is one.
func Read(m telegraf.Metric) (l Level, problem string) {
	l = Level{
		Incident: field.Text(m, "incident_id"), Severity: field.Text(m, "severity"), Reason: field.Text(m, "reason"), Unit: field.Text(m, "unit"),
	}
	open, _ := m.GetField("open")
	var hasOpen, hasKind, hasLastSeen, hasMissing bool
	l.Open, hasOpen = open.(bool)
	l.Kind, hasKind = m.GetTag("gap_type")
	l.Niche, _ = m.GetTag("niche")
	l.LastSeen, hasLastSeen = field.Number(m, "last_seen")
	l.Missing, hasMissing = field.Number(m, "missing_seconds")
	l.Threshold, _ = field.Number(m, "threshold_s")
	l.FlapWindow, _ = field.Number(m, "flap_window_s")
	var membersErr, actionsErr error
	l.Members, membersErr = field.Texts(m, "members")
	l.Actions, actionsErr = field.Texts(m, "actions")
	switch {
	case l.Incident == "":
		return Level{}, `has no text in field "incident_id"`
	case !hasOpen:
		return Level{}, `has no boolean in field "open"`
	case !hasKind:
		return Level{}, `has no tag "gap_type"`
	case !hasLastSeen:
		return Level{}, `has no number in field "last_seen"`
	case !hasMissing:
		return Level{}, `has no number in field "missing_seconds"`
	case membersErr != nil:
		return Level{}, `has no JSON array of names in field "members"`
	case actionsErr != nil:
		return Level{}, `has no JSON array of texts in field "actions"`
	}
	l.Count = int64(len(l.Members))
	if count, ok := field.Number(m, "member_count"); ok && l.Members != nil {
		l.Count = int64(min(max(count, float64(l.Count)), math.MaxInt32))
	}
	return l, ""
}
