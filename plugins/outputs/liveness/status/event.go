package status

import (
	"slices"
	"time"
)

// Kind says what an event is about.
type Kind string

// The kinds of events.
const (
	StateChanged Kind = "state"
	GapOpened    Kind = "gap_opened"
	GapClosed    Kind = "gap_closed"
	BusChanged   Kind = "bus"
)

// Event is something that changed. Number increases by one with each event.
type Event struct {
	Number uint64  `json:"number"`
	Time   float64 `json:"time"` // epoch seconds
	Kind   Kind    `json:"kind"`
	Key            // without a name if it is about a bus

	From     *State `json:"from,omitempty"` // of a change of state
	To       *State `json:"to,omitempty"`
	Incident string `json:"incident_id,omitempty"`
	GapType  string `json:"gap_type,omitempty"`
	Severity string `json:"severity,omitempty"`
	Text     string `json:"text,omitempty"` // a sentence for people
}

// events are the last ones, the oldest first.
type events struct {
	max  int
	last uint64 // number
	list []Event
}

func (e *events) add(event Event) {
	e.last++
	event.Number = e.last
	if len(e.list) >= e.max {
		e.list = slices.Delete(e.list, 0, len(e.list)-e.max+1)
	}
	e.list = append(e.list, event)
}

// forget removes the events before a time.
func (e *events) forget(oldest time.Time) {
	recent := slices.IndexFunc(e.list, func(event Event) bool { return event.Time >= epoch(oldest) })
	if recent < 0 {
		recent = len(e.list)
	}
	e.list = slices.Delete(e.list, 0, recent)
}

// latest returns all events, the newest first.
func (e *events) latest() []Event {
	list := append([]Event{}, e.list...)
	slices.Reverse(list)
	return list
}

// logChange adds the change of a component's state. That it is late, or not late any more, is no event, nor is what
// components do that have no name.
func (s *Status) logChange(c *component, r Report) {
	from, to := c.report.State, r.State
	if from == to || c.report.Up && r.Up && from != Flapping && to != Flapping || c.unnamed() {
		return
	}
	s.events.add(Event{Time: epoch(r.At), Kind: StateChanged, Key: c.key, From: &from, To: &to})
}

func (s *Status) logGap(kind Kind, g Gap, text string) {
	s.events.add(Event{Time: epoch(g.At), Kind: kind, Key: g.Key, Incident: g.Incident, GapType: g.Kind, Severity: g.Severity, Text: text})
}

// logBus adds what a bus says that is other than before.
func (s *Status) logBus(from *source, b Bus) {
	text := b.text()
	if !from.bus.At.IsZero() && from.bus.text() != text {
		s.events.add(Event{Time: epoch(b.At), Kind: BusChanged, Key: Key{Source: b.Source}, Text: text})
	}
}

// epoch is a time as seconds since the epoch; 0 for the zero time.
func epoch(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}
