package chembus

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// gapCategory is what the consumers file these gaps under.
const gapCategory = "liveness"

// gap is the level of an incident as a metric carries it.
type gap struct {
	incident string
	open     bool
	kind     string
	zooid    string
	// component is the whole name of what is missing, where zooid alone does not tell it from others.
	component string
	lastSeen  float64 // epoch seconds
	missing   float64 // seconds, of observed time
	at        float64 // epoch seconds when that was so, by the monitor's clock
	severity  string
	reason    string
	members   []string // of an incident of many
	count     int64    // of members, which may be more than are named
}

// gapOf reads a metric with the fields of liveness_gap; the problem is empty if it is one.
func gapOf(m telegraf.Metric) (*gap, string) {
	g := gap{at: bus.EpochSeconds(m.Time())}
	var ok bool
	if g.incident, ok = text(m, "incident_id"); !ok {
		return nil, `has no text in field "incident_id"`
	}
	open, _ := m.GetField("open")
	if g.open, ok = open.(bool); !ok {
		return nil, `has no boolean in field "open"`
	}
	if g.zooid, ok = m.GetTag("zooid"); !ok {
		return nil, `has no tag "zooid"`
	}
	if g.kind, ok = m.GetTag("gap_type"); !ok {
		return nil, `has no tag "gap_type"`
	}
	if g.lastSeen, ok = number(m, "last_seen"); !ok {
		return nil, `has no number in field "last_seen"`
	}
	if g.missing, ok = number(m, "missing_seconds"); !ok {
		return nil, `has no number in field "missing_seconds"`
	}
	if g.component, ok = text(m, "component"); !ok {
		g.component = g.zooid
	}
	g.severity, _ = text(m, "severity")
	if g.reason, ok = text(m, "reason"); !ok {
		g.reason = fmt.Sprintf("no heartbeat from %q for %.1f s", g.zooid, g.missing)
	}
	if members, ok := text(m, "members"); ok {
		if err := json.Unmarshal([]byte(members), &g.members); err != nil {
			return nil, `has no JSON array of names in field "members"`
		}
		g.count = int64(len(g.members))
		if count, ok := number(m, "member_count"); ok {
			g.count = int64(count)
		}
	}
	return &g, ""
}

// neverSeen reports whether the incident is that nothing was ever heard.
func (g *gap) neverSeen() bool {
	return g.lastSeen == 0
}

// outlasts reports whether the incident goes on when the silence that opened it is over.
func (g *gap) outlasts() bool {
	return g.members != nil || g.kind == "heartbeat_flapping"
}

// ofOneSilence reports whether the incident is one silence of one component, of which there is one at a time.
func (g *gap) ofOneSilence() bool {
	return strings.HasPrefix(g.kind, silencePrefix) && !g.outlasts()
}

func text(m telegraf.Metric, field string) (string, bool) {
	v, _ := m.GetField(field)
	s, ok := v.(string)
	return s, ok && s != ""
}

func number(m telegraf.Metric, field string) (float64, bool) {
	v, _ := m.GetField(field)
	switch n := v.(type) {
	case float64:
		return n, !math.IsNaN(n) && !math.IsInf(n, 0)
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	}
	return 0, false
}

// message returns what goes out on the bus. Its facts serve both readers: the monitor's own (zooid,
// last_seen, missing_seconds, ecosystem) and those every consumer of gaps relies on (gap_*).
func (c *ChemBus) message(g *gap, now time.Time) bus.Message {
	facts := map[string]any{
		"gap_type":        g.kind,
		"gap_name":        "heartbeat_" + g.zooid,
		"gap_category":    gapCategory,
		"gap_reason":      g.reason,
		"ecosystem":       c.Ecosystem,
		"zooid":           g.zooid,
		"last_seen":       bus.Float(g.lastSeen),
		"missing_seconds": bus.Float(g.missing),
	}
	if g.severity != "" {
		facts["severity"] = g.severity
	}
	if g.members != nil {
		facts["members"] = g.members
		facts["member_count"] = g.count
	}
	return bus.Message{
		Signal:     c.Signal,
		Ecosystem:  c.Ecosystem,
		Intensity:  bus.Float(c.Intensity),
		Facts:      facts,
		IncidentID: &g.incident,
		TS:         bus.Float(bus.EpochSeconds(now)),
	}
}
