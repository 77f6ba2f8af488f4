package chembus

import "time"

// maxHoles bounds how many holes the clock can look back across.
const maxHoles = 64

// observationClock counts the time during which the input had evidence that the bus forwards. Silence is measured by
// it, so that no component becomes silent while the bus could not be heard.
//
// What moves it: evidence. Between two pieces of evidence at most blind_after apart it advances by the time between
// them. Evidence is
//   - any message that is received, a rejected one too. On a quiet bus that is the input's own probe, which comes back
//     when nothing else was received for a tick_interval;
//   - without a probe, once in each tick_interval, that the connection is up.
//
// What does not move it is a hole:
//   - more than blind_after without evidence, as when the bus stops forwarding, or this host is paused;
//   - the time from the start to the first evidence;
//   - a lost connection: however short, from the last evidence before Lose to the first after Regain;
//   - an overflow, when messages were dropped since more came than could be read: from Overflow to the first evidence
//     after CaughtUp;
//   - a suspension, during maintenance: whatever is heard, from Suspend to the first evidence after Resume;
//   - being behind: when messages have been waiting for more than blind_after, and no probe has come back that was
//     sent since, what is received now is of the past, and no evidence.
//
// A beat does not get the time at which it came but the one at which it was sent, which At looks up.
//
// Times must carry a monotonic reading, as time.Now gives them: no step of the wall clock moves it.
type observationClock struct {
	blindAfter   time.Duration
	tickInterval time.Duration

	observed  time.Duration // shown since the last evidence
	blind     time.Duration // total of the holes that ended
	last      time.Time     // last evidence; at first the start
	broken    bool          // the time since last counts as a hole, however short
	suspended bool
	lost      bool // the connection is, or what was received on the former one is not read yet
	overflown bool
	holes     []hole // the latest, oldest first
	holeCount int    // of all that ended

	backlogSince time.Time // when more began to wait than was received; zero: nothing waits
	probeSent    time.Time // when the last probe that came back was sent; at first the start
}

// hole is a time without evidence.
type hole struct {
	start, end time.Time
	observed   time.Duration // what the clock showed all the while
}

func newObservationClock(start time.Time, blindAfter, tickInterval time.Duration) *observationClock {
	return &observationClock{blindAfter: blindAfter, tickInterval: tickInterval, last: start, probeSent: start, broken: true}
}

// Evidence says that the bus forwarded something.
func (c *observationClock) Evidence(now time.Time) {
	elapsed := now.Sub(c.last)
	if c.suspended || c.lost || c.overflown || elapsed < 0 || c.Behind(now) {
		return
	}
	if c.broken || elapsed > c.blindAfter {
		c.blind += elapsed
		if len(c.holes) == maxHoles {
			c.holes = append(c.holes[:0], c.holes[1:]...)
		}
		c.holes = append(c.holes, hole{start: c.last, end: now, observed: c.observed})
		c.holeCount++
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

// Lose says that the connection was lost: what was forwarded since the last evidence may not have been received. What is
// received until Regain may be of before.
func (c *observationClock) Lose() {
	c.lost, c.broken = true, true
}

// Regain says that what is received from now on was forwarded on a new connection.
func (c *observationClock) Regain() {
	c.lost = false
}

// Overflow says that a message was dropped, which may have been a beat.
func (c *observationClock) Overflow() {
	c.overflown, c.broken = true, true
}

// CaughtUp says that everything that was received has been read.
func (c *observationClock) CaughtUp() {
	c.overflown = false
}

// Backlog says whether more messages wait behind what is received at this time.
func (c *observationClock) Backlog(more bool, now time.Time) {
	switch {
	case !more:
		c.backlogSince = time.Time{}
	case c.backlogSince.IsZero():
		c.backlogSince = now
	}
}

// ProbeReturned says that a probe came back that was sent at this time.
func (c *observationClock) ProbeReturned(sent time.Time) {
	c.probeSent = sent
}

// Overloaded reports whether more comes than is received or read.
func (c *observationClock) Overloaded(now time.Time) bool {
	return c.overflown || c.Behind(now)
}

// Behind reports whether what is received now may have waited for so long that it says nothing about now.
func (c *observationClock) Behind(now time.Time) bool {
	return !c.backlogSince.IsZero() && now.Sub(c.backlogSince) > c.blindAfter &&
		now.Sub(c.probeSent) > c.blindAfter+c.tickInterval
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

// Blind returns the total time of the holes, including the present one.
func (c *observationClock) Blind(now time.Time) time.Duration {
	if c.Observable(now) {
		return c.blind
	}
	return c.blind + now.Sub(c.last)
}
