package chembus

import (
	"fmt"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	// gapCategory is what the consumers file these gaps under.
	gapCategory = "liveness"
	// detectionMethod is how all of them were found.
	detectionMethod = "heartbeat_silence"
)

// defaultActions are recommended where the metric recommends nothing.
var defaultActions = []string{"Check that the process of the component runs", "Look at the last lines of its log"}

// message returns what goes out on the bus.
func (c *ChemBus) message(g *gap, now time.Time) bus.Message {
	return bus.Message{
		Signal:     c.Signal,
		Ecosystem:  c.Ecosystem,
		Intensity:  bus.Float(c.Intensity),
		Facts:      c.facts(g),
		IncidentID: &g.incident,
		TS:         bus.Float(bus.EpochSeconds(now)),
	}
}

// facts returns what is known of a gap. They serve several readers: those of the monitor's own facts (zooid, last_seen,
// missing_seconds, ecosystem), of those of every gap (gap_*), and of the signal catalogue (severity, detection_method,
// recommended_actions).
func (c *ChemBus) facts(g *gap) map[string]any {
	facts := map[string]any{
		"gap_type":            g.kind,
		"gap_name":            g.name(),
		"gap_category":        gapCategory,
		"gap_reason":          g.reason,
		"ecosystem":           c.Ecosystem,
		"zooid":               g.zooid,
		"last_seen":           bus.Float(g.lastSeen),
		"missing_seconds":     bus.Float(g.missing),
		"detection_method":    g.detectionMethod(),
		"recommended_actions": defaultActions,
	}
	if len(g.actions) > 0 {
		facts["recommended_actions"] = g.actions
	}
	if g.threshold > 0 {
		facts["threshold_seconds"] = bus.Float(g.threshold)
	}
	if g.flapWindow > 0 {
		facts["flap_window_seconds"] = bus.Float(g.flapWindow)
	}
	for name, value := range map[string]string{"severity": g.severity, "niche": g.niche, "host": g.host, "unit": g.unit} {
		if value != "" {
			facts[name] = value
		}
	}
	if g.component != g.zooid {
		facts["component"] = g.component
	}
	if g.members != nil {
		facts["members"] = g.members
		facts["member_count"] = g.count
	}
	return facts
}

// name is what consumers call a gap.
func (g *gap) name() string {
	return "heartbeat_" + g.zooid
}

// detectionMethod says how a gap was found, and by which clock.
func (g *gap) detectionMethod() string {
	if g.threshold <= 0 {
		return detectionMethod
	}
	return fmt.Sprintf("%s: no heartbeat for more than %g s of the time in which the bus could be heard", detectionMethod, g.threshold)
}

// privateMessage returns a message on a topic of the monitors' own, which whoever hears everything can read, too.
func (c *ChemBus) privateMessage(topic string, facts any, now time.Time) bus.Message {
	return bus.Message{
		Signal: topic, Ecosystem: c.Ecosystem, Intensity: 1, Facts: facts, TS: bus.Float(bus.EpochSeconds(now)),
	}
}
