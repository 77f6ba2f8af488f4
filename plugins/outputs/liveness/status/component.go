package status

import (
	"regexp"
	"time"
)

// component is what is known about one.
type component struct {
	key      Key
	nameless bool      // it is named by the number of its process
	report   Report    // the last one; its time is zero before the first
	since    time.Time // in this state
	lastBeat time.Time // zero: not known
	starts   int64
	history  *History
}

// component returns the component of a key. One that is new takes the place of the one that can best be spared, if there
// is no room; nil if all are needed more.
func (s *Status) component(k Key, now time.Time) *component {
	if c := s.components[k]; c != nil {
		return c
	}
	if len(s.components) >= s.config.MaxComponents && !s.makeRoom(k.unnamed(), now) {
		s.dropped++
		return nil
	}
	return s.add(k)
}

// add adds a component of which nothing is known.
func (s *Status) add(k Key) *component {
	c := &component{key: k, nameless: k.unnamed(), history: newHistory(s.config.History)}
	s.components[k] = c
	return c
}

// retire removes a component.
func (s *Status) retire(r Report) {
	c := s.components[r.Key]
	if c == nil || r.At.Before(c.report.At) {
		return
	}
	s.logChange(c, r)
	delete(s.components, r.Key)
}

// forget removes what was not reported for as long as the history reaches back.
func (s *Status) forget(now time.Time) {
	oldest := now.Add(-s.config.History)
	for k, c := range s.components {
		if c.report.At.Before(oldest) {
			delete(s.components, k)
		}
	}
	for k, from := range s.sources {
		if later(from.reported, from.bus.At).Before(oldest) {
			delete(s.sources, k)
		}
	}
	for incident, g := range s.gaps {
		if g.At.Before(oldest) {
			delete(s.gaps, incident)
		}
	}
	for name, o := range s.outputs {
		if o.At.Before(oldest) {
			delete(s.outputs, name)
		}
	}
	s.events.forget(oldest)
}

// reported reports whether there was a report.
func (c *component) reported() bool {
	return !c.report.At.IsZero()
}

// unnamedPattern matches components that are named by the number of their process, another one after each restart.
var unnamedPattern = regexp.MustCompile(`(^|/)zooid_[0-9]+$`)

// unnamed reports whether a component has no name of its own.
func (k Key) unnamed() bool {
	return unnamedPattern.MatchString(k.Name)
}

func (c *component) unnamed() bool {
	return c.report.State == Gone || c.nameless
}

// lastBeat returns when the last beat was, as far as a report tells: it does not count the time in which the bus could
// not be heard.
func lastBeat(r Report) time.Time {
	if r.Beats == 0 {
		return time.Time{}
	}
	return r.At.Add(-time.Duration(r.Silence * float64(time.Second)))
}
