package status

import "time"

// Gap is what a metric liveness_gap says.
type Gap struct {
	Key
	At       time.Time `json:"-"`
	Incident string    `json:"incident_id"`
	Kind     string    `json:"gap_type"`
	Open     bool      `json:"-"`
	Niche    string    `json:"niche,omitempty"`
	Severity string    `json:"severity,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Unit     string    `json:"unit,omitempty"`
	Actions  []string  `json:"actions,omitempty"`
	Members  []string  `json:"members,omitempty"` // of an outage, the first of them
	Count    int64     `json:"member_count,omitempty"`
	Missing  float64   `json:"missing_seconds"`
	LastSeen float64   `json:"last_seen"` // epoch seconds by the component's clock; 0: never
}

// gap is an open gap.
type gap struct {
	Gap       // as it was reported last
	opened    time.Time
	delivered time.Time // when its message was heard on the bus; zero: it was not
}

// Gap takes the level of a gap.
func (s *Status) Gap(g Gap, now time.Time) {
	now = s.clock(now)
	g.At = earlier(g.At, now)
	known := s.gaps[g.Incident]
	switch {
	case known != nil && g.At.Before(known.At):
	case known == nil && !g.Open:
		// The end of a gap is repeated.
	case known == nil && len(s.gaps) >= s.config.MaxComponents:
		s.dropped++
	case known == nil:
		s.gaps[g.Incident] = &gap{Gap: g, opened: g.At}
		s.logGap(GapOpened, g, g.Reason)
	case g.Open:
		known.Gap = g
	default:
		delete(s.gaps, g.Incident)
		s.logGap(GapClosed, g, g.Reason)
	}
}

// Delivered takes that the message of an incident was heard on the bus.
func (s *Status) Delivered(incident string, at, now time.Time) {
	now = s.clock(now)
	if g := s.gaps[incident]; g != nil && g.delivered.IsZero() {
		g.delivered = earlier(at, now)
	}
}

// dropUnreported removes the gaps that are not repeated any more although their detector reports: the processor has
// lost its state.
func (s *Status) dropUnreported() {
	for incident, g := range s.gaps {
		if from := s.sources[g.Source]; from != nil && from.reported.Sub(g.At) > 2*s.config.StaleAfter {
			delete(s.gaps, incident)
			s.logGap(GapClosed, g.Gap, "the gap is no longer reported")
		}
	}
}
