package liveness

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// gapMeasurement is what this plugin emits of gaps, and takes from other processors with the option adopt.
const gapMeasurement = "liveness_gap"

// addLevel takes a gap that another processor reported, or this one itself, and that came back. It ends here.
func (l *Liveness) addLevel(m telegraf.Metric, acc telegraf.Accumulator) {
	e := event{kind: level, at: m.Time()}
	e.level = l.readLevel(m)
	key, _ := l.buses.Key(m)
	m.Drop()
	switch {
	case e.level == nil:
	case l.standby:
		l.keep(key, true, e)
	default:
		if b := l.busOf(acc, key, true, &e); b != nil {
			l.feed(acc, b, &e)
		}
	}
}

// adopt takes a level to the detector of its bus. What is found has the time of the latest metric of the bus: the level may
// be old.
func (l *Liveness) adopt(acc telegraf.Accumulator, b *bus, e *event) {
	if at := b.latest(); at.After(e.at) {
		e.at = at
	}
	l.report(acc, b, b.detector.Adopt(e.level), e)
}

// readLevel reads a liveness_gap of a bus; nil if it is none, or of a component that is not judged.
func (l *Liveness) readLevel(m telegraf.Metric) *detector.Level {
	if m.HasTag(watchTag) {
		return nil
	}
	kind, _ := m.GetTag("gap_type")
	level := &detector.Level{At: m.Time()}
	level.Type = detector.GapType(kind)
	if !slices.Contains([]detector.GapType{
		detector.HeartbeatMissing, detector.HeartbeatNeverSeen, detector.HeartbeatOutage, detector.HeartbeatFlapping,
	}, level.Type) {
		return nil
	}
	var hasOpen, hasMissing, hasThreshold, hasKey bool
	open, _ := m.GetField("open")
	level.Open, hasOpen = open.(bool)
	level.Missing, hasMissing = seconds(m, "missing_seconds")
	level.Threshold, hasThreshold = seconds(m, "threshold_s")
	level.IncidentID = textOf(m, "incident_id")
	if level.Key, hasKey = keyOf(m, l.Identity); !hasOpen || !hasMissing || !hasThreshold || !hasKey || level.IncidentID == "" {
		return nil
	}
	level.LastSeen = number(m, "last_seen", 0)
	level.Severity, level.Reason, level.Unit = textOf(m, "severity"), textOf(m, "reason"), textOf(m, "unit")
	level.Actions = listOf(m, "actions")
	level.Niche, _ = m.GetTag("niche")
	for _, name := range listOf(m, "members") {
		if parts := strings.Split(name, "/"); len(parts) == len(l.Identity) && !l.ignored.Match(name) {
			level.Members = append(level.Members, storable(strings.Join(parts, detector.KeySeparator)))
		}
	}
	level.Size = count(m, "member_count", 0)
	if l.ignored.Match(detector.Name(level.Key)) && level.Type != detector.HeartbeatOutage {
		return nil
	}
	return level
}

// textOf reads a text; empty if there is none.
func textOf(m telegraf.Metric, field string) string {
	v, _ := m.GetField(field)
	text, _ := v.(string)
	return storable(text)
}

// listOf reads a list, as encode writes it; nil if there is none.
func listOf(m telegraf.Metric, field string) (list []string) {
	if json.Unmarshal([]byte(textOf(m, field)), &list) != nil {
		return nil
	}
	return list
}

// withLevels returns the bus that a level is of; nil if it is not known, and the level is of a gap that is closed, or there is
// no room for it. A level does not prove that the bus is heard, so none is removed for it.
func (s *buses) withLevels(key string, open bool) *bus {
	if b := s.byKey[key]; b != nil || !open {
		return b
	}
	return s.Add(key)
}
