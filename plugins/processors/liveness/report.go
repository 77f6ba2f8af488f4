package liveness

import (
	"encoding/json"
	"maps"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/judge"
)

// report turns findings into metrics of the given time.
func (l *Liveness) report(acc telegraf.Accumulator, findings []judge.Finding, at time.Time) {
	opened := false
	for i := range findings {
		f := &findings[i]
		l.news = l.news || f.Change != judge.Report && f.Change != judge.Changed
		opened = opened || f.Gap != nil && f.Gap.Open && f.Change != judge.Report
	}
	if opened {
		// First of all: a judge that dies now must know after its restart under which id it was told. Where
		// saving takes long, that is up to half of the time.
		l.saveAfter(l.saveTook)
	}
	for i := range findings {
		f := &findings[i]
		tags := l.tags(f)
		if f.Status != nil {
			acc.AddFields("liveness", statusFields(f.Status), tags, at)
			l.changes.Add(f.Change, judge.Name(f.Key))
		}
		if f.Gap != nil {
			tags = maps.Clone(tags)
			tags["gap_type"] = string(f.Gap.Type)
			acc.AddFields("liveness_gap", l.gapFields(f), tags, at)
		}
	}
}

// tags names the component of a finding as its heartbeats did.
func (l *Liveness) tags(f *judge.Finding) map[string]string {
	tags := make(map[string]string, len(l.Identity)+2)
	values := strings.SplitN(f.Key, judge.KeySeparator, len(l.Identity))
	for i, value := range values {
		tags[l.Identity[i]] = value
	}
	if f.Niche != "" {
		tags["niche"] = f.Niche
	}
	if f.Host != "" {
		tags["host"] = f.Host
	}
	return tags
}

// stateCodes are the states as numbers, for destinations that keep no text. The more a state asks for
// somebody to look, the higher: the maximum over some time or some components is the worst of it. They are
// stored and alerted on, so they never change.
var stateCodes = map[judge.State]int{
	judge.Up:       0,
	judge.Late:     1,
	judge.Killed:   2,
	judge.Retired:  3,
	judge.Unseen:   4,
	judge.Flapping: 5,
	judge.Silent:   6,
}

func statusFields(s *judge.Status) map[string]any {
	up := 0
	if s.Alive {
		up = 1
	}
	return map[string]any{
		"state":             string(s.State),
		"state_code":        stateCodes[s.State],
		"up":                up,
		"silence_s":         s.Silence.Seconds(),
		"alive_s":           s.Life.Seconds(),
		"beats":             s.Beats,
		"interval_mean_s":   s.IntervalMean,
		"interval_stddev_s": s.IntervalDev,
		"phi":               s.Phi,
		"threshold_s":       s.Threshold.Seconds(),
		"gaps":              s.Gaps,
		"availability":      s.Availability,
	}
}

func (l *Liveness) gapFields(f *judge.Finding) map[string]any {
	g := f.Gap
	fields := map[string]any{
		"incident_id":     g.IncidentID,
		"open":            g.Open,
		"last_seen":       g.LastSeen,
		"missing_seconds": g.Missing.Seconds(),
		"threshold_s":     g.Threshold.Seconds(),
		"severity":        g.Severity,
		"reason":          g.Reason,
	}
	if len(l.Identity) > 1 {
		// No single tag names it then, and which of them do so a reader of the metric cannot know.
		fields["component"] = judge.Name(f.Key)
	}
	if g.Type == judge.HeartbeatMassMissing {
		// A field of line protocol is no list; JSON keeps names apart whatever is in them.
		members, err := json.Marshal(g.Members)
		if err != nil {
			l.Log.Errorf("Naming the members of incident %q: %v", g.IncidentID, err)
		}
		fields["members"] = string(members)
		fields["member_count"] = g.Size
	}
	return fields
}
