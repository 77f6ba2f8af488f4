package liveness

import (
	"slices"
	"strings"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

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
	g, problem := livenessgap.Read(m)
	missing, hasMissing := durationOf(g.Missing)
	threshold, isDuration := durationOf(g.Threshold)
	hasThreshold := isDuration && g.Threshold > 0
	key, hasKey := keyOf(m, l.Identity)
	if problem != "" || !hasMissing || !hasThreshold || !hasKey || !slices.Contains(gaptype.All, g.Kind) || m.HasTag(watchTag) {
		return nil
	}
	if l.ignored.Match(detector.Name(key)) && g.Kind != gaptype.Outage {
		return nil
	}
	level := &detector.Level{
		Gap: detector.Gap{
			IncidentID: storable(g.Incident), Type: g.Kind, Open: g.Open, LastSeen: g.LastSeen, Missing: missing, Threshold: threshold,
			Severity: storable(g.Severity), Reason: storable(g.Reason), Unit: storable(g.Unit), Actions: g.Actions, Size: int(g.Count),
		},
		Key: key, Niche: g.Niche, At: m.Time(),
	}
	for _, name := range g.Members {
		if parts := strings.Split(name, "/"); len(parts) == len(l.Identity) && !l.ignored.Match(name) {
			level.Members = append(level.Members, storable(strings.Join(parts, detector.KeySeparator)))
		}
	}
	return level
}

// withLevels returns the bus that a level is of; nil if it is not known, and the level is of a gap that is closed, or there is
// no room for it. A level does not prove that the bus is heard, so none is removed for it.
func (s *buses) withLevels(key string, open bool) *bus {
	if b := s.byKey[key]; b != nil || !open {
		return b
	}
	return s.Add(key)
}
