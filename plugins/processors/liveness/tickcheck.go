package liveness

import "time"

// blindTicks is how many ticks in a row have to come too late for a warning.
const blindTicks = 3

// tickCheck finds that the ticks of a watch, or of buses, do not come, or too rarely: a clock stands still then, and nobody
// is judged. Times are those of arrival, since the start.
type tickCheck struct {
	blindAfter time.Duration

	ticked   bool          // there was a tick
	began    time.Duration // the first one
	last     time.Duration // the last one
	observed time.Duration // how much the clock advanced since the last tick that came too late
	late     int           // ticks in a row that came too late, with less time observed between two of them than not
	beat     bool          // there was a beat since the last tick
	since    time.Duration // the first of these, or since when a second period is waited for
	periods  int           // of blindAfter that passed without a tick and with beats
}

// Tick takes a tick, and reports whether it is the one at which a warning is due.
func (c *tickCheck) Tick(at time.Duration) bool {
	step := at - c.last
	first := !c.ticked
	c.ticked, c.last, c.beat, c.periods = true, at, false, 0
	switch {
	case first:
		c.began = at
	case step <= c.blindAfter:
		if c.observed += step; c.observed > c.blindAfter {
			c.late = 0
		}
	default:
		c.observed = 0
		c.late++
		return c.late == blindTicks
	}
	return false
}

// Beat takes a beat, and reports whether it is the one at which a warning is due: no tick came during two periods of
// blindAfter. After a single one the pipeline may have stood still, and the tick may be behind the beat.
func (c *tickCheck) Beat(at time.Duration) bool {
	switch {
	case !c.beat:
		c.beat, c.since = true, at
	case at-c.since > c.blindAfter && c.periods < 2:
		c.since = at
		c.periods++
		return c.periods == 2
	}
	return false
}

// Missing reports whether a warning was due since the last tick.
func (c *tickCheck) Missing() bool { return c.periods == 2 }
