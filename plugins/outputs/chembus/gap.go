package chembus

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/influxdata/telegraf"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/field"
)

// The types of the gaps of processors.liveness, which say that components are silent.
const (
	missing     = "heartbeat_missing"
	neverSeen   = "heartbeat_never_seen"
	massMissing = "heartbeat_mass_missing"
	flapping    = "heartbeat_flapping"
)

// gap is the level of an incident, from a metric or from a message of another monitor.
type gap struct {
	incident  string
	open      bool
	kind      string
	zooid     string  // or the name of another component
	component string  // whole name of what is missing, if several components have that zooid; else the zooid
	lastSeen  float64 // epoch seconds by the component's clock; 0: never
	missing   float64 // seconds, of observed time
	at        float64 // epoch seconds when that was so, by the monitor's clock
	severity  string
	reason    string
	members   []string // of an outage; nil: it is none
	count     int64    // of members, which may be more than are named

	niche, host string   // empty: not known, as those below
	threshold   float64  // seconds; 0: not known
	flapWindow  float64  // seconds; of a component that flaps: it does up to the end of such a time without a silence
	actions     []string // that are recommended
	unit        string   // of systemd that runs the component
}

// gapOf reads a metric with the fields of liveness_gap; the problem is empty if it is one.
func gapOf(m telegraf.Metric) (g *gap, problem string) {
	g = &gap{
		at: bus.EpochSeconds(m.Time()), incident: field.Text(m, "incident_id"), component: field.Text(m, "component"),
		severity: field.Text(m, "severity"), reason: field.Text(m, "reason"), unit: field.Text(m, "unit"),
	}
	open, _ := m.GetField("open")
	var hasOpen, hasZooid, hasKind, hasLastSeen, hasMissing bool
	g.open, hasOpen = open.(bool)
	g.zooid, hasZooid = m.GetTag("zooid")
	g.kind, hasKind = m.GetTag("gap_type")
	g.lastSeen, hasLastSeen = field.Number(m, "last_seen")
	g.missing, hasMissing = field.Number(m, "missing_seconds")
	g.threshold, _ = field.Number(m, "threshold_s")
	g.flapWindow, _ = field.Number(m, "flap_window_s")
	g.niche, _ = m.GetTag("niche")
	g.host, _ = m.GetTag("host")
	var membersErr, actionsErr error
	g.members, membersErr = field.Texts(m, "members")
	g.actions, actionsErr = field.Texts(m, "actions")
	switch {
	case g.incident == "":
		return nil, `has no text in field "incident_id"`
	case !hasOpen:
		return nil, `has no boolean in field "open"`
	case !hasZooid && g.component == "":
		return nil, `has neither a tag "zooid" nor a text in field "component"`
	case !hasKind:
		return nil, `has no tag "gap_type"`
	case !hasLastSeen:
		return nil, `has no number in field "last_seen"`
	case !hasMissing:
		return nil, `has no number in field "missing_seconds"`
	case membersErr != nil:
		return nil, `has no JSON array of names in field "members"`
	case actionsErr != nil:
		return nil, `has no JSON array of texts in field "actions"`
	}
	if !hasZooid {
		g.zooid = g.component
	}
	g.component = cmp.Or(g.component, g.zooid)
	g.reason = cmp.Or(g.reason, fmt.Sprintf("no heartbeat from %q for %.1f s", g.zooid, g.missing))
	g.count = int64(len(g.members))
	if count, ok := field.Number(m, "member_count"); ok && g.members != nil {
		g.count = int64(count)
	}
	if watch, ok := m.GetTag("watch"); ok { // another may have a component of the same name
		g.component = watch + "/" + g.component
		for i := range g.members {
			g.members[i] = watch + "/" + g.members[i]
		}
	}
	return g, ""
}

// heardGap reads a gap of processors.liveness from a message on the signal's topic, whoever sent it; nil if it is none.
func heardGap(payload []byte) *gap {
	m, ok := bus.ParseMessage(string(payload))
	var facts struct {
		GapType           string   `json:"gap_type"`
		Zooid             string   `json:"zooid"`
		Component         string   `json:"component"`
		LastSeen          float64  `json:"last_seen"`
		MissingSeconds    float64  `json:"missing_seconds"`
		Members           []string `json:"members"`
		MemberCount       int64    `json:"member_count"`
		FlapWindowSeconds float64  `json:"flap_window_seconds"`
	}
	if !ok || !usableName(m.IncidentID) || math.IsNaN(m.TS) || m.DecodeFacts(&facts) != nil {
		return nil
	}
	g := &gap{
		incident: m.IncidentID, open: true, kind: facts.GapType, zooid: facts.Zooid,
		component: cmp.Or(facts.Component, facts.Zooid), lastSeen: facts.LastSeen, missing: facts.MissingSeconds, at: m.TS,
		members: facts.Members, count: facts.MemberCount, flapWindow: facts.FlapWindowSeconds,
	}
	if len(g.components()) == 0 {
		return nil
	}
	return g
}

// components returns the names of what a gap of processors.liveness says to be silent; none for any other gap.
func (g *gap) components() []string {
	switch {
	case !slices.Contains([]string{missing, neverSeen, massMissing, flapping}, g.kind):
		return nil
	case g.members != nil:
		return g.members
	}
	return []string{g.component}
}

// until is up to when a gap says that there was silence, in epoch seconds.
func (g *gap) until() float64 {
	// Time in which the monitor did not run, or did not hear the bus, is not in what it observed, but the silence lasts
	// until now.
	// Where the component's clock is ahead of the monitor's, what was observed says more.
	return max(g.lastSeen+g.missing, g.at)
}

// precedes reports whether the silence of a gap that is closed was over when another one of its component began: after a
// beat at a time, in epoch seconds by the component's clock.
func (g *gap) precedes(since float64) bool {
	if g.neverSeen() {
		return since > g.at
	}
	// That beat may be the one that ended the gap, and what was observed is not exactly the time between two beats.
	return since > g.lastSeen+g.missing-g.threshold/2
}

// neverSeen reports whether the incident is that nothing was ever heard.
func (g *gap) neverSeen() bool {
	return g.lastSeen == 0
}

// outlasts reports whether the incident goes on when the silence that opened it is over.
func (g *gap) outlasts() bool {
	return g.members != nil || g.kind == flapping
}

// subject names what there is one incident of at a time: the silence of a component, else the incident itself.
func (g *gap) subject() string {
	if len(g.components()) > 0 && !g.outlasts() {
		return "silence of " + g.component
	}
	return "incident " + g.incident
}
