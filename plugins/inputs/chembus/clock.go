package chembus

import "time"

// maxHoles bounds how many holes the clock can look back across.
const maxHoles = 64

// observationClock counts the time during which the bus could be heard. Between two pieces of
// evidence at most blindAfter apart it advances by the time between them; across a longer hole it
// stands still. Times must carry a monotonic reading, as time.Now gives them.
type observationClock struct {
	blindAfter time.Duration

	observed  time.Duration // shown since the last evidence
	blind     time.Duration // total of the holes that ended
	last      time.Time     // last evidence; at first the start
	broken    bool          // the time since last counts as a hole, however short
	suspended bool
	holes     []hole // the latest, oldest first
}

// hole is a time without evidence.
type hole struct {
	start, end time.Time
	observed   time.Duration // what the clock showed all the while
}

func newObservationClock(start time.Time, blindAfter time.Duration) *observationClock {
	return &observationClock{blindAfter: blindAfter, last: start, broken: true}
}

// Evidence says that the bus forwarded something.
func (c *observationClock) Evidence(now time.Time) {
	elapsed := now.Sub(c.last)
	if c.suspended || elapsed < 0 {
		return
	}
	if c.broken || elapsed > c.blindAfter {
		c.blind += elapsed
		if len(c.holes) == maxHoles {
			c.holes = append(c.holes[:0], c.holes[1:]...)
		}
		c.holes = append(c.holes, hole{start: c.last, end: now, observed: c.observed})
		c.broken = false
	} else {
		c.observed += elapsed
	}
	c.last = now
}

// Suspend makes the clock stand still, whatever is heard, until Resume and the next evidence: the
// bus is known not to forward everything.
func (c *observationClock) Suspend() {
	c.suspended, c.broken = true, true
}

// Resume ends a suspension.
func (c *observationClock) Resume() {
	c.suspended = false
}

// At returns what the clock showed at a time in the past, or shows now. Beyond the holes it remembers
// it answers with the oldest value it is sure of, which is later than the true one.
func (c *observationClock) At(t time.Time) time.Duration {
	observed, end := c.observed, c.last
	for i := len(c.holes) - 1; i >= 0; i-- {
		h := c.holes[i]
		if !t.Before(h.end) {
			break
		}
		if t.After(h.start) || i == 0 {
			return h.observed
		}
		observed, end = h.observed, h.start
	}
	if t.Before(end) {
		observed -= end.Sub(t)
	}
	return max(observed, 0)
}

// Observable reports whether the bus can be heard.
func (c *observationClock) Observable(now time.Time) bool {
	return !c.broken && now.Sub(c.last) <= c.blindAfter
}

// Blind returns the total time of blindness, including the present hole.
func (c *observationClock) Blind(now time.Time) time.Duration {
	if c.Observable(now) {
		return c.blind
	}
	return c.blind + now.Sub(c.last)
}
