// Package status knows what the metrics of processors.liveness and inputs.chembus say at present, and what they said
// over the last hours. It is plain Go: times are passed in, and what it holds is bounded.
//
//   - status.go: what is taken in; component.go, source.go, gap.go and output.go hold it; room.go: if there is too much
//   - history.go: what a component did over the last hours
//   - clock.go: what happens if the clock is set back
//   - event.go: the log of what changed
//   - view.go: what is shown
package status

import (
	"cmp"
	"time"
)

// Config bounds what is held.
type Config struct {
	StaleAfter    time.Duration // age of the last report from which a component, or a bus, is unknown
	History       time.Duration // how far back history and events reach
	MaxComponents int           // and buses, open gaps, and outputs
	MaxEvents     int
}

// Source is what finds silent components: the detector of a bus, or that of a watch.
type Source struct {
	Watch string `json:"watch,omitempty"`
	Bus   string `json:"bus"` // the values of the tags that name it, with a space between
}

// Key names a component.
type Key struct {
	Source
	Name string `json:"name"`
}

// compare orders keys.
func (k Key) compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Watch, o.Watch), cmp.Compare(k.Bus, o.Bus), cmp.Compare(k.Name, o.Name))
}

// Report is what a metric liveness says about a component.
type Report struct {
	Key
	At    time.Time
	Niche string
	State State
	Up    bool

	Silence, Threshold float64 // seconds
	Interval           float64 // seconds; 0: not known
	Loss               float64
	Beats, Gaps        int64
}

// Beat is what a metric chembus_heartbeat says.
type Beat struct {
	Key
	At     time.Time
	Beats  int64
	Starts int64
}

// Bus is what a metric chembus_bus says.
type Bus struct {
	Source
	At         time.Time
	Observable *bool // nil: it cannot be known yet
	Suspended  bool  // for a maintenance
	Unjudged   int64 // components that cannot be judged at present
}

// Status is what is known. It is not safe for concurrent use.
type Status struct {
	config     Config
	now        time.Time // of the last call
	components map[Key]*component
	sources    map[Source]*source
	gaps       map[string]*gap // that are open, by incident
	outputs    map[string]Output
	events     events
	room       room
	dropped    uint64 // metrics of what there was no room for
}

// New returns a status that knows nothing.
func New(c Config) *Status {
	return &Status{
		config:     c,
		components: make(map[Key]*component),
		sources:    make(map[Source]*source),
		gaps:       make(map[string]*gap),
		outputs:    make(map[string]Output),
		events:     events{max: c.MaxEvents},
	}
}

// Dropped returns how many metrics were left out because there was no room for what they are about.
func (s *Status) Dropped() uint64 {
	return s.dropped
}

// Report takes a report. It may be an old one, or one that came before.
func (s *Status) Report(r Report, now time.Time) {
	now = s.clock(now)
	r.At = earlier(r.At, now)
	if now.Sub(r.At) > s.config.History {
		return
	}
	from := s.source(r.Source)
	if from == nil {
		return
	}
	from.reported = later(from.reported, r.At)
	if r.State == Retired {
		s.retire(r)
		return
	}
	c := s.component(r.Key, now)
	if c == nil || r.At.Before(c.report.At) {
		return
	}
	if c.reported() {
		s.logChange(c, r)
		if r.At.Sub(c.report.At) <= s.config.StaleAfter {
			c.history.Add(c.report.At, r.At, c.report.State, c.report.Up)
		}
	}
	if !c.reported() || c.report.State != r.State {
		c.since = r.At
	}
	c.report = r
	c.lastBeat = later(c.lastBeat, lastBeat(r))
}

// Beat takes a beat, which is of no component that is new.
func (s *Status) Beat(b Beat, now time.Time) {
	now = s.clock(now)
	if c := s.components[b.Key]; c != nil && b.Beats > 0 {
		c.lastBeat = later(c.lastBeat, earlier(b.At, now))
		c.starts += b.Starts
	}
}

// Bus takes what the input says about a bus.
func (s *Status) Bus(b Bus, now time.Time) {
	now = s.clock(now)
	from := s.source(b.Source)
	if from == nil || b.At.Before(from.bus.At) {
		return
	}
	b.At = earlier(b.At, now)
	s.logBus(from, b)
	from.bus = b
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
