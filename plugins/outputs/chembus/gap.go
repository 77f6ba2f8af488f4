package chembus

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/influxdata/telegraf"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/field"
	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
)

// gap is the level of an incident, from a metric or from a message of another monitor.
type gap struct {
	livenessgap.Level
	zooid     string  // or the name of another component
	component string  // whole name of what is missing, if several components have that zooid; else the zooid
	host      string  // empty: not known
	at        float64 // epoch seconds when that was so, by the monitor's clock
}

// gapOf reads a metric with the fields of liveness_gap; the problem is empty if it is one.
func gapOf(m telegraf.Metric) (g *gap, problem string) {
	g = &gap{at: bus.EpochSeconds(m.Time())}
	if g.Level, problem = livenessgap.Read(m); problem != "" {
		return nil, problem
	}
	g.host, _ = m.GetTag("host")
	zooid, hasZooid := m.GetTag("zooid")
	component := field.Text(m, "component")
	if !hasZooid && component == "" {
		return nil, `has neither a tag "zooid" nor a text in field "component"`
	}
	g.zooid, g.component = cmp.Or(zooid, component), cmp.Or(component, zooid)
	g.Reason = cmp.Or(g.Reason, fmt.Sprintf("no heartbeat from %q for %.1f s", g.zooid, g.Missing))
	if watch, ok := m.GetTag("watch"); ok { // another may have a component of the same name
		g.component = watch + "/" + g.component
		for i := range g.Members {
			g.Members[i] = watch + "/" + g.Members[i]
		}
	}
	return g, ""
}

// heardGap reads a gap of processors.liveness from a message on the signal's topic, whoever sent it; nil if it is none.
func heardGap(payload []byte) *gap {
	m, ok := bus.ParseMessage(string(payload))
	var f peerFacts
	if !ok || !usableName(m.IncidentID) || math.IsNaN(m.TS) || m.DecodeFacts(&f) != nil {
		return nil
	}
	g := &gap{
		Level: livenessgap.Level{
			Incident: m.IncidentID, Open: true, Kind: f.Kind, LastSeen: float64(f.LastSeen), Missing: float64(f.Missing),
			FlapWindow: float64(f.FlapWindow), Members: f.Members, Count: f.Count,
		},
		zooid: f.Zooid, component: cmp.Or(f.Component, f.Zooid), at: m.TS,
	}
	if len(g.components()) == 0 {
		return nil
	}
	return g
}

// components returns the names of what a gap of processors.liveness says to be silent; none for any other gap.
func (g *gap) components() []string {
	switch {
	case !slices.Contains(gaptype.All, g.Kind):
		return nil
	case g.Members != nil:
		return g.Members
	}
	return []string{g.component}
}

// until is up to when a gap says that there was silence, in epoch seconds.
func (g *gap) until() float64 {
	// Time in which the monitor did not run, or did not hear the bus, is not in what it observed, but the silence lasts
	// until now.
	// Where the component's clock is ahead of the monitor's, what was observed says more.
	return max(g.LastSeen+g.Missing, g.at)
}

// precedes reports whether the silence of a gap that is closed was over when another one of its component began: after a
// beat at a time, in epoch seconds by the component's clock.
func (g *gap) precedes(since float64) bool {
	if g.neverSeen() {
		return since > g.at
	}
	// That beat may be the one that ended the gap, and what was observed is not exactly the time between two beats.
	return since > g.LastSeen+g.Missing-g.Threshold/2
}

// neverSeen reports whether the incident is that nothing was ever heard.
func (g *gap) neverSeen() bool {
	return g.LastSeen == 0
}

// outlasts reports whether the incident goes on when the silence that opened it is over.
func (g *gap) outlasts() bool {
	return g.Members != nil || g.Kind == gaptype.Flapping
}

// subject names what there is one incident of at a time: the silence of a component, else the incident itself.
func (g *gap) subject() string {
	if len(g.components()) > 0 && !g.outlasts() {
		return silenceKey(g.component)
	}
	return incidentKey(g.Incident)
}
