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

	FlapWindow float64 `json:"flap_window,omitempty"` // seconds; it flaps, and Until is by a monitor's clock; 0: it does not
}

// usable reports whether a silence can be kept and sent.
func (s *silence) usable() bool {
	sum := s.Since + s.Until + s.FlapWindow
	return usableName(s.Component) && usableName(s.Incident) && !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

func silenceKey(component string) string { return "silence " + component }
func incidentKey(incident string) string { return "incident " + incident }

func usableName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) // JSON would change it if it were not
}

func newDeliveryLog(maxPending int) *deliveryLog {
	most := incidentsPerPending * maxPending
	l := &deliveryLog{incidents: newTable[incidentState](most, nil), silences: newTable[silence](min(most, maxSilences), nil)}
	l.ended = newTable(min(most, maxEnded), func(incident string, _ struct{}) { // it was over before all others
		if state, _ := l.incidents.Peek(incident); state.ended {
			l.incidents.Remove(incident)
		}
	})
	return l
}

// Add takes a gap of which consumers were told.
func (l *deliveryLog) Add(g *gap) {
	l.deliver(g.Incident)
	for _, component := range g.components() {
		l.Learn(silence{Component: component, Incident: g.Incident, Since: g.LastSeen, Until: g.until()})
	}
	if g.Kind == gaptype.Flapping {
		l.Learn(g.flapping())
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
		l.ended.Add(incident, struct{}{})
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
	l.followFlapping(g)
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
	l.followFlapping(g)
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
