package status

import "time"

// smallStep is how far the clock may be set back without anything being done: what is reported comes later than that.
const smallStep = time.Second

// clock takes the time of a call, and returns it as the clock on the wall shows it. If that was set back, all times that
// are known are set back with it: else what is reported now would be older than what is known, and left out.
func (s *Status) clock(now time.Time) time.Time {
	now = now.Round(0) // without the monotonic clock, which is never set back
	if back := s.now.Sub(now); back > smallStep {
		s.setBack(back)
		s.now = now
	}
	s.now = later(s.now, now)
	return now
}

// setBack makes all times earlier.
func (s *Status) setBack(by time.Duration) {
	set := func(times ...*time.Time) {
		for _, t := range times {
			if !t.IsZero() {
				*t = t.Add(-by)
			}
		}
	}
	for _, c := range s.components {
		set(&c.report.At, &c.since, &c.lastBeat)
		c.history.restore(c.history.newest-int64(by.Round(c.history.cell)/c.history.cell), c.history.bytes())
	}
	set(&s.room.searched)
	for _, from := range s.sources {
		set(&from.reported, &from.bus.At)
	}
	for _, g := range s.gaps {
		set(&g.At, &g.opened, &g.delivered)
	}
	for name, o := range s.outputs {
		set(&o.At)
		s.outputs[name] = o
	}
	for i := range s.events.list {
		s.events.list[i].Time -= by.Seconds()
	}
}
