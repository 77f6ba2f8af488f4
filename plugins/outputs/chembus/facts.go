package chembus

import (
	"fmt"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
)

const (
	// gapCategory is what the consumers file these gaps under.
	gapCategory = "liveness"
	// detectionMethod is how all of them were found.
	detectionMethod = "heartbeat_silence"
)

// message returns what goes out on the bus.
func (c *ChemBus) message(g *gap, now time.Time) bus.Message {
	return bus.Message{
		Signal:     c.Signal,
		Ecosystem:  c.Ecosystem,
		Intensity:  bus.Float(c.Intensity),
		Facts:      c.facts(g),
		IncidentID: &g.Incident,
		TS:         bus.Float(bus.EpochSeconds(now)),
	}
}

// facts are what a message says of a gap. They serve several readers: those of the monitor's own facts (zooid, last_seen,
// missing_seconds, ecosystem), of those of every gap (gap_*), of the signal catalogue (severity, detection_method,
// recommended_actions), and other monitors.
type facts struct {
	peerFacts
	Method    string    `json:"detection_method"`
	Ecosystem string    `json:"ecosystem"`
	Category  string    `json:"gap_category"`
	Name      string    `json:"gap_name"`
	Reason    string    `json:"gap_reason"`
	Host      string    `json:"host,omitempty"`
	Niche     string    `json:"niche,omitempty"`
	Actions   []string  `json:"recommended_actions"`
	Severity  string    `json:"severity,omitempty"`
	Threshold bus.Float `json:"threshold_seconds,omitempty"`
	Unit      string    `json:"unit,omitempty"`
}

// peerFacts are those that other monitors read.
type peerFacts struct {
	Component  string    `json:"component,omitempty"` // empty: the zooid
	FlapWindow bus.Float `json:"flap_window_seconds,omitempty"`
	Kind       string    `json:"gap_type"`
	LastSeen   bus.Float `json:"last_seen"`
	Count      int64     `json:"member_count,omitempty"`
	Members    []string  `json:"members,omitzero"`
	Missing    bus.Float `json:"missing_seconds"`
	Zooid      string    `json:"zooid"`
}

// facts returns what is known of a gap.
func (c *ChemBus) facts(g *gap) facts {
	f := facts{
		peerFacts: peerFacts{
			FlapWindow: bus.Float(max(g.FlapWindow, 0)), Kind: g.Kind, LastSeen: bus.Float(g.LastSeen), Count: g.Count, Members: g.Members,
			Missing: bus.Float(g.Missing), Zooid: g.zooid,
		},
		Method: g.detectionMethod(), Ecosystem: c.Ecosystem, Category: gapCategory, Name: g.name(), Reason: g.Reason, Host: g.host,
		Niche: g.Niche, Actions: g.Actions, Severity: g.Severity, Threshold: bus.Float(max(g.Threshold, 0)), Unit: g.Unit,
	}
	if len(f.Actions) == 0 {
		f.Actions = livenessgap.DefaultActions
	}
	if g.component != g.zooid {
		f.Component = g.component
	}
	return f
}

// name is what consumers call a gap.
func (g *gap) name() string {
	return "heartbeat_" + g.zooid
}

// detectionMethod says how a gap was found, and by which clock.
func (g *gap) detectionMethod() string {
	if g.Threshold <= 0 {
		return detectionMethod
	}
	return fmt.Sprintf("%s: no heartbeat for more than %g s of the time in which the bus could be heard", detectionMethod, g.Threshold)
}

// privateMessage returns a message on a topic of the monitors' own, which whoever hears everything can read, too.
func (c *ChemBus) privateMessage(topic string, facts any, now time.Time) bus.Message {
	return bus.Message{
		Signal: topic, Ecosystem: c.Ecosystem, Intensity: 1, Facts: facts, TS: bus.Float(bus.EpochSeconds(now)),
	}
}
