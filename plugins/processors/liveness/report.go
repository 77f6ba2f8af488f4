package liveness

import (
	"maps"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/judge"
)

// report turns findings into metrics of the given time.
func (l *Liveness) report(acc telegraf.Accumulator, findings []judge.Finding, at time.Time) {
	for i := range findings {
		f := &findings[i]
		s := l.subjects[f.Key]
		tags := maps.Clone(s.tags)
		if s.niche != "" {
			tags["niche"] = s.niche
		}
		acc.AddFields("liveness", statusFields(&f.Status), tags, at)
		if f.Gap != nil {
			tags = maps.Clone(tags)
			tags["gap_type"] = string(f.Gap.Type)
			acc.AddFields("liveness_gap", gapFields(f.Gap), tags, at)
		}
		l.changes.Add(f.Change, s.name)
	}
}

func statusFields(s *judge.Status) map[string]any {
	up := 0
	if s.State.Alive() {
		up = 1
	}
	return map[string]any{
		"state":             string(s.State),
		"up":                up,
		"silence_s":         s.Silence.Seconds(),
		"alive_s":           s.Alive.Seconds(),
		"beats":             s.Beats,
		"interval_mean_s":   s.IntervalMean,
		"interval_stddev_s": s.IntervalDev,
		"phi":               s.Phi,
		"threshold_s":       s.Threshold.Seconds(),
		"gaps":              s.Gaps,
		"availability":      s.Availability,
	}
}

func gapFields(g *judge.Gap) map[string]any {
	return map[string]any{
		"incident_id":     g.IncidentID,
		"open":            g.Open,
		"last_seen":       g.LastSeen,
		"missing_seconds": g.Missing.Seconds(),
		"threshold_s":     g.Threshold.Seconds(),
		"severity":        g.Severity,
		"reason":          g.Reason,
	}
}
