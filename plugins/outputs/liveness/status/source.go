package status

import (
	"fmt"
	"time"
)

// source is what is known about a detector.
type source struct {
	Source
	reported time.Time // when a component of it was reported last
	bus      Bus       // its time is zero if the input said nothing
}

// source returns what is known about a detector; nil if there is no room for a new one.
func (s *Status) source(k Source) *source {
	from := s.sources[k]
	if from == nil {
		if len(s.sources) >= s.config.MaxComponents {
			s.dropped++
			return nil
		}
		from = &source{Source: k}
		s.sources[k] = from
	}
	return from
}

// problem says why nothing is known about the components of a detector at a time; empty: it is known.
func (f *source) problem(now time.Time, staleAfter time.Duration) string {
	// A bus that is not observed is said by the input before reports are missing.
	if !f.bus.At.IsZero() && !f.bus.heard() {
		return f.bus.text()
	}
	if f.reported.IsZero() {
		return "no component was reported yet"
	}
	if age := now.Sub(f.reported); age > staleAfter {
		return fmt.Sprintf("no report for %s", rounded(age))
	}
	return ""
}

// heard reports whether the bus can be heard, and is not suspended.
func (b Bus) heard() bool {
	return b.Observable != nil && *b.Observable && !b.Suspended
}

// text says how it is with the bus.
func (b Bus) text() string {
	switch {
	case b.Observable == nil:
		return "it is not known yet whether the bus can be heard"
	case b.Suspended:
		return "the bus is suspended for maintenance"
	case !*b.Observable:
		return "the bus cannot be heard"
	}
	return "the bus can be heard"
}

// rounded is a duration for people.
func rounded(d time.Duration) time.Duration {
	if d < time.Hour {
		return d.Round(time.Second)
	}
	return d.Round(time.Minute)
}
