package chembus

import (
	"math"
	"slices"
	"unicode/utf8"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

const (
	// incidentsPerPending is how many incidents the delivery log holds for each that may be pending.
	incidentsPerPending = 10
	// maxEnded bounds how many of them are over. As many ends are repeated by processors.liveness.
	maxEnded = 1000
	// maxSilences bounds how many components the delivery log holds: other monitors may send any number.
	maxSilences = 10_000
	// maxName bounds the names and ids in the delivery log, in bytes.
	maxName = 512
	// longestFlapWindow bounds for how long a component is taken to flap, in seconds.
	longestFlapWindow = 24 * 60 * 60
)

// deliveryLog holds what consumers are known to have been told, by this monitor or by another one: which incidents, and
// which components are silent. An id alone is not enough: a monitor that missed the last beats of a component, because
// it was down, derives another id for the same failure.
type deliveryLog struct {
	incidents *simplelru.LRU[string, incidentState]
	ended     *simplelru.LRU[string, struct{}] // incidents that are over, and perhaps others
	silences  *simplelru.LRU[string, silence]  // of each component one, and one that says that it flaps
	revision  uint64                           // changes with the content
}

// incidentState is what is known of an incident.
type incidentState struct {
	delivered bool // or its failure was, under another id
	ended     bool // according to this monitor's processor, which repeats that
	counted   bool // as published, or as known already
}

// silence is what consumers were told last about one component.
type silence struct {
	Component string  `json:"component"`
	Incident  string  `json:"incident"`
	Since     float64 `json:"since,omitempty"` // epoch seconds by the component's clock: its last beat; 0: not known
	Until     float64 `json:"until"`           // likewise: it was silent up to then

	// FlapWindow says that it flaps, up to the end of such a time, in seconds, without a silence. Until is by a monitor's
	// clock then. 0: it does not flap.
	FlapWindow float64 `json:"flap_window,omitempty"`
}

// usable reports whether a silence can be kept and sent.
func (s *silence) usable() bool {
	sum := s.Since + s.Until + s.FlapWindow
	return usableName(s.Component) && usableName(s.Incident) && !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

// key is what a silence is kept under.
func (s *silence) key() string {
	if s.FlapWindow > 0 {
		return flapsKey(s.Component)
	}
	return silenceKey(s.Component)
}

func flapsKey(component string) string   { return "flaps " + component }
func silenceKey(component string) string { return "silence " + component }
func incidentKey(incident string) string { return "incident " + incident }

func usableName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) // JSON would change it if it were not
}

func newDeliveryLog(maxPending int) *deliveryLog {
	most := incidentsPerPending * maxPending
	return &deliveryLog{
		incidents: newTable[incidentState](most), ended: newTable[struct{}](min(most, maxEnded)), silences: newTable[silence](min(most, maxSilences)),
	}
}

// Add takes a gap of which consumers were told.
func (l *deliveryLog) Add(g *gap) {
	l.deliver(g.Incident)
	for _, component := range g.components() {
		l.Learn(silence{Component: component, Incident: g.Incident, Since: g.LastSeen, Until: g.until()})
	}
	if g.Kind == gaptype.Flapping {
		l.Learn(silence{Component: g.component, Incident: g.Incident, Until: g.at, FlapWindow: min(g.FlapWindow, longestFlapWindow)})
	}
}

// Learn takes an entry, such as of another monitor's log. One that says less than what is known is ignored.
func (l *deliveryLog) Learn(s silence) {
	known, ok := l.silences.Get(s.key())
	if !s.usable() || ok && s.Until <= known.Until || !l.deliver(s.Incident) {
		return
	}
	l.silences.Add(s.key(), s)
	l.revision++
}

// deliver takes that consumers know an incident. It reports whether it goes on.
func (l *deliveryLog) deliver(incident string) bool {
	state, _ := l.incidents.Peek(incident)
	if !state.ended && !state.delivered {
		state.delivered = true
		l.set(incident, state)
	}
	return !state.ended
}

func (l *deliveryLog) set(incident string, state incidentState) {
	l.incidents.Add(incident, state)
	if l.revision++; state.ended {
		l.end(incident)
	}
}

// end takes that an incident is over. That which was over before all others is forgotten, if there is no room.
func (l *deliveryLog) end(incident string) {
	if first, _, _ := l.ended.GetOldest(); l.ended.Add(incident, struct{}{}) {
		if state, _ := l.incidents.Peek(first); state.ended {
			l.incidents.Remove(first)
		}
	}
}

// Retract takes back a gap that has reached nobody after all.
func (l *deliveryLog) Retract(incident string) {
	l.incidents.Remove(incident)
	l.removeSilences(incident, nil)
}

// Covers reports whether consumers need not be told of an open gap: they know its id, or that each of its components
// was silent up to a time after the gap's last beat, or flaps. Nothing was heard since that beat, so it is the same
// silence.
func (l *deliveryLog) Covers(g *gap) bool {
	if state, _ := l.incidents.Peek(g.Incident); state.delivered {
		return true
	}
	components := g.components()
	for _, component := range components {
		s, ok := l.silences.Peek(silenceKey(component))
		if silent := ok && (g.neverSeen() || g.LastSeen <= s.Until); !silent && !l.flaps(component, g) {
			return false
		}
	}
	// Of many members not all are named.
	return len(components) > 0 && int64(len(components)) >= g.Count
}

// Count takes that a gap is not published, or no more. It reports whether that is new.
func (l *deliveryLog) Count(g *gap) bool {
	state, _ := l.incidents.Peek(g.Incident)
	if state.counted {
		return false
	}
	// An incident that outlasts the silence may become more than consumers know.
	state.delivered, state.counted = state.delivered || !g.outlasts() && !state.ended, true
	l.set(g.Incident, state)
	return true
}

// Opened takes the level of an open gap.
func (l *deliveryLog) Opened(g *gap) {
	state, _ := l.incidents.Get(g.Incident) // which makes it the last to be evicted
	if state.ended {
		state.ended = false
		l.set(g.Incident, state)
	}
	l.stillFlaps(g)
	for _, component := range g.components() {
		l.silences.Get(silenceKey(component))
	}
	if g.Members != nil && g.Count <= int64(len(g.Members)) {
		l.removeSilences(g.Incident, g.Members) // the others are back
	}
}

// Ended takes the level of a gap that is closed: its component is back. Whatever was said of a silence that began before
// is history, and its clock may have been set back meanwhile. A silence that began later is none of this gap: the level may
// come late. It reports whether the end is new.
func (l *deliveryLog) Ended(g *gap) bool {
	state, _ := l.incidents.Peek(g.Incident)
	if state.ended {
		return false
	}
	if g.neverSeen() {
		state = incidentState{} // the same failure can come again under the same id
	}
	state.ended = true
	l.set(g.Incident, state)
	if l.stillFlaps(g); g.Kind == gaptype.Flapping {
		l.silences.Remove(flapsKey(g.component))
	}
	if g.Members != nil {
		l.removeSilences(g.Incident, nil)
		return true
	}
	for _, component := range g.components() {
		if s, ok := l.silences.Peek(silenceKey(component)); ok && (s.Incident == g.Incident || !g.precedes(s.Since)) {
			l.silences.Remove(silenceKey(component))
		}
	}
	return true
}

// removeSilences removes what is said of all components of an incident but some.
func (l *deliveryLog) removeSilences(incident string, but []string) {
	for _, s := range l.silences.Values() {
		if s.Incident == incident && !slices.Contains(but, s.Component) {
			l.silences.Remove(s.key())
			l.revision++
		}
	}
}

// flaps reports whether consumers know that a component flaps, and the silence of a gap is part of that. The processor that
// found it publishes nothing of such silences; another one, that has counted fewer of them, has gaps to publish.
func (l *deliveryLog) flaps(component string, g *gap) bool {
	f, ok := l.silences.Peek(flapsKey(component))
	return ok && math.Max(g.at-g.Missing-f.Until, f.Until-g.at) <= f.FlapWindow
}

// stillFlaps takes a level of a gap of a component that may be known to flap.
func (l *deliveryLog) stillFlaps(g *gap) {
	if f, ok := l.silences.Get(flapsKey(g.component)); ok && g.at > f.Until && len(g.components()) > 0 && l.flaps(g.component, g) {
		f.Until = g.at
		l.Learn(f)
	}
}
