package liveness

import (
	"encoding/json"
	"strings"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// report turns what was found on a bus into metrics of the time of an event.
func (l *Liveness) report(acc telegraf.Accumulator, b *bus, findings []detector.Finding, e *event) {
	if l.saves(b) {
		// Before a gap is emitted: a processor that is killed after that must know under which id the gap was opened.
		l.store.Found(b, findings)
	}
	for i := range findings {
		f := &findings[i]
		tags := l.tags(b, f)
		if f.Status != nil {
			acc.AddFields("liveness", l.statusFields(f.Status), tags, e.at)
			l.changes.Add(f.Change, func() string { return l.buses.Describe(b, f.Key) })
		}
		if f.Gap != nil {
			tags["gap_type"] = f.Gap.Type
			acc.AddFields(livenessgap.Name, l.gapFields(b, f), tags, e.at)
		}
	}
	if len(l.expected.anywhere) == 0 || b.watch != nil {
		return
	}
	for i := range findings {
		if c := findings[i].Change; c == detector.FirstHeard || c == detector.WasKilled || c == detector.Adopted {
			l.foundOn(acc, b, findings[i].Key, e)
		}
	}
}

// reportMaps are the maps of a metric. They serve for one after the other, since an accumulator keeps neither of them.
type reportMaps struct {
	tags   map[string]string
	fields map[string]any // of a status
}

// tags names the bus and the component of a finding as its heartbeats did. They are valid until the next call.
func (l *Liveness) tags(b *bus, f *detector.Finding) map[string]string {
	tags := l.maps.tags
	clear(tags)
	l.addBusTags(tags, b)
	identity := l.identityOf(b)
	values := strings.SplitN(f.Key, detector.KeySeparator, len(identity))
	for i, value := range values {
		tags[identity[i]] = value
	}
	if f.Niche != "" {
		tags["niche"] = f.Niche
	}
	return tags
}

// identityOf are the tags that tell the components of a bus apart, or those of a watch.
func (l *Liveness) identityOf(b *bus) []string {
	if b.watch != nil {
		return b.watch.Identity
	}
	return l.Identity
}

// addBusTags adds the tags of a bus, or the name of a watch.
func (l *Liveness) addBusTags(tags map[string]string, b *bus) {
	if b.watch != nil {
		tags[watchTag] = b.watch.Name
		return
	}
	for i, value := range b.values {
		if value != "" {
			tags[l.Bus[i]] = value
		}
	}
}

// stateCodes are the states as numbers, for destinations that keep no text. The more urgent a state, the higher, up to
// Silent: so the maximum over some time or some components is the worst of it. They are stored and alerted on, so they
// never change; later states are appended.
var stateCodes = map[detector.State]int{
	detector.Up:       0,
	detector.Late:     1,
	detector.Killed:   2,
	detector.Retired:  3,
	detector.Unseen:   4,
	detector.Flapping: 5,
	detector.Silent:   6,
	detector.Stopped:  7, // appended
	detector.Gone:     8,
}

// statusFields returns the fields of a status, which are valid until the next call.
func (l *Liveness) statusFields(s *detector.Status) map[string]any {
	up := 0
	if s.Alive {
		up = 1
	}
	fields := l.maps.fields
	fields["state"] = string(s.State)
	fields["state_code"] = stateCodes[s.State]
	fields["up"] = up
	fields["silence_s"] = s.Silence.Seconds()
	fields["alive_s"] = s.Life.Seconds()
	fields["beats"] = s.Beats
	fields["interval_s"] = s.Interval
	fields["interval_stddev_s"] = s.IntervalDev
	fields["loss"] = s.Loss
	fields["threshold_s"] = s.Threshold.Seconds()
	fields["gaps"] = s.Gaps
	fields["availability"] = s.Availability
	return fields
}

// gapEvent says what is new about a gap.
func gapEvent(f *detector.Finding) string {
	switch {
	case f.Change == detector.Report, f.Gap.Adopted:
		return "repeated"
	case f.Gap.Open:
		return "opened"
	}
	return "closed"
}

func (l *Liveness) gapFields(b *bus, f *detector.Finding) map[string]any {
	g := f.Gap
	fields := map[string]any{
		"incident_id":     g.IncidentID,
		"open":            g.Open,
		"event":           gapEvent(f),
		"last_seen":       g.LastSeen,
		"missing_seconds": g.Missing.Seconds(),
		"threshold_s":     g.Threshold.Seconds(),
		"severity":        g.Severity,
		"reason":          g.Reason,
		"actions":         l.encode(g.Actions),
	}
	if g.Unit != "" {
		fields["unit"] = g.Unit
	}
	if identity := l.identityOf(b); len(identity) > 1 || identity[0] != "zooid" {
		// Which tags name it a reader of the metric cannot know.
		fields["component"] = detector.Name(f.Key)
	}
	if g.Type == gaptype.Flapping {
		fields["flap_window_s"] = g.FlapWindow.Seconds()
	}
	if g.Type == gaptype.Outage {
		fields["members"] = l.encode(g.Members)
		fields["member_count"] = g.Size
	}
	return fields
}

// encode returns a list as text: a field of line protocol is no list, and JSON keeps its parts apart whatever is in
// them.
func (l *Liveness) encode(list []string) string {
	text, err := json.Marshal(list)
	if err != nil {
		l.Log.Errorf("Encoding %q: %v", list, err)
	}
	return string(text)
}
