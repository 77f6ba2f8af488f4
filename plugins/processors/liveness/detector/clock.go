package detector

import (
	"slices"
	"time"
)

const (
	// maxJumps bounds how many jumps of the input's clock can be looked back across.
	maxJumps = 32
	// maxRuns bounds how many runs of inputs are remembered.
	maxRuns = 8
	// maxLag bounds how far behind a run is taken to be: inputs whose metrics come in batches that are longer take turns.
	maxLag = time.Minute
)

// clock is the detector's observation clock. Silence is measured in it and in nothing else.
//
// It follows the observation clock of one input, whose readings come with beats, ticks and kill signals. Between
// two readings at most blindAfter apart it advances by the difference. It stands still across a longer step,
// because metrics may have been lost there, and across a restart of the input. A reading from before the last one
// does not move it.
//
// An input says with its run, the time of its start, which readings belong together. Within a run a tick that is not
// later than the last one is a copy. A run that was never seen is a restart of the input. A reading of an earlier run
// is a copy, too, unless it is later than the last one of that run: then two inputs report the same bus. The one that
// counted first goes on to count once it has made up for what the other counted, and the other takes over once it has
// advanced by more than blindAfter further. Without a run (0) only a tick that goes back is a restart of the input.
type clock struct {
	blindAfter time.Duration
	ticksOnly  bool // readings that come with anything but a tick do not move it

	started  bool
	now      time.Duration // what this clock shows
	reading  time.Duration // the latest of the input's clock
	lastTick time.Duration // the latest of a tick in this run; -1: there was none
	jumps    []jump        // the latest, oldest first

	run       int64  // that counts
	runs      []run  // that were seen, the one that counted first at the front
	restarts  uint32 // how often the input restarted or another took over
	duplicate bool   // two inputs report this bus
	older     bool   // the run that counts was heard before it did

	holes     holes
	holeCount int   // of those that the input listed in this run
	tickedAt  int64 // when its last tick was, by the wall clock of its host, in nanoseconds since the epoch; 0: not known
	deaf      bool  // nothing was heard since the state was restored: metrics can have been lost

	jumped     bool // or restarted, since the last tick
	jumpsInRow int  // how many ticks in a row, the latest, came after that
}

// jump is a step of the input's clock from one reading to another while this clock showed at.
type jump struct {
	From time.Duration `json:"from"`
	To   time.Duration `json:"to"`
	At   time.Duration `json:"at"`
}

// run is one run of an input.
type run struct {
	ID      int64         `json:"id"`
	Reading time.Duration `json:"reading"`        // the latest of its clock; of the run that counts, when another was heard
	Lead    time.Duration `json:"lead,omitempty"` // how much further it has advanced than the run that counts, of late
}

// Take takes a reading of the input's clock, and reports whether it counts: a copy does not, nor does a second input.
func (c *clock) Take(id int64, reading time.Duration, tick bool) bool {
	switch {
	case id == 0:
		if tick && c.started && reading < c.reading {
			c.restart(0, reading)
		}
	case !c.started || id != c.run:
		if !c.admit(id, reading) {
			return false
		}
	case tick && reading <= c.lastTick:
		return false
	}
	switch {
	case !c.ticksOnly:
		c.forward(reading)
	case tick && c.lastTick < 0: // what came before it says nothing
		c.reading = max(c.reading, reading)
	case tick:
		c.forward(reading)
	}
	if tick {
		c.lastTick = reading
		c.jumpsInRow++
		if !c.jumped {
			c.jumpsInRow = 0
		}
		c.jumped = false
	}
	return true
}

// admit takes a reading of a run other than the one that counts, and reports whether that run counts from now on.
func (c *clock) admit(id int64, reading time.Duration) bool {
	at, counts := c.indexOf(id), c.indexOf(c.run)
	if counts >= 0 {
		c.runs[counts].Reading = c.reading
	}
	if at < 0 {
		if len(c.runs) == maxRuns {
			oldest := slices.IndexFunc(c.runs, func(r run) bool { return r.ID != c.run })
			c.runs = slices.Delete(c.runs, oldest, oldest+1)
		}
		c.runs = append(c.runs, run{ID: id})
		c.restart(id, reading)
		return true
	}
	r := &c.runs[at]
	if reading <= r.Reading {
		return false
	}
	c.duplicate = true
	r.Lead += reading - r.Reading
	r.Reading = reading
	if at < counts && r.Lead < 0 || at > counts && r.Lead <= c.blindAfter {
		return false
	}
	lead := r.Lead
	if at < counts && len(c.jumps) > 0 {
		lead = c.reading - c.jumps[0].To // it has just made up for what the other counted
	}
	for i := range c.runs {
		c.runs[i].Lead = max(c.runs[i].Lead-lead, -maxLag)
	}
	c.runs = slices.Insert(slices.Delete(c.runs, at, at+1), 0, run{ID: id, Reading: reading})
	c.restart(id, reading)
	c.older = true
	return true
}

// restart says that the clock of the input, or of another one, began anew at a reading.
func (c *clock) restart(id int64, reading time.Duration) {
	if c.started {
		c.addRestart(id, reading)
	}
	c.holeCount, c.deaf = 0, false
	c.jumped, c.started, c.run, c.reading, c.lastTick = c.started, true, id, reading, -1
	c.restarts++
	c.older = false
	// Readings of before belong to another run.
	c.jumps = append(c.jumps[:0], jump{From: -1 << 63, To: reading, At: c.now})
}

// forward takes a reading of the run that counts.
func (c *clock) forward(reading time.Duration) {
	if !c.started {
		c.restart(0, reading)
	}
	step := reading - c.reading
	if step <= 0 {
		return
	}
	for i := range c.runs {
		if r := &c.runs[i]; r.ID != c.run {
			r.Lead = max(min(r.Lead, 0)-step, -maxLag) // what was heard of it before does not add up
		}
	}
	heard := c.now
	if step > c.blindAfter {
		c.jumped = true
		c.addJump(jump{From: c.reading, To: reading, At: c.now})
		c.holes.Add(hole{At: c.now, Until: c.now, Dark: step}, c.now)
	} else if c.now += step; c.deaf {
		c.holes.Add(hole{At: heard, Until: c.now}, c.now)
	}
	c.reading, c.deaf = reading, false
}

// indexOf returns the place of a run among those that were seen, -1 if it is none of them.
func (c *clock) indexOf(id int64) int {
	return slices.IndexFunc(c.runs, func(r run) bool { return r.ID == id })
}

func (c *clock) addJump(j jump) {
	if len(c.jumps) >= maxJumps {
		c.jumps = append(c.jumps[:0], c.jumps[len(c.jumps)-maxJumps+1:]...)
		// Readings from before the oldest jump that is kept are taken to be of that jump: too late rather than too early.
		c.jumps[0].From = -1 << 63
	}
	c.jumps = append(c.jumps, j)
}

// At returns what this clock showed when the input's clock showed a reading.
func (c *clock) At(reading time.Duration) time.Duration {
	now, last := c.now, c.reading
	if ahead := reading - last; c.ticksOnly && ahead > 0 && c.lastTick >= 0 {
		return now + min(ahead, c.blindAfter) // the next tick will show whether it was observed
	}
	for i := len(c.jumps) - 1; i >= 0 && reading < c.jumps[i].To; i-- {
		j := c.jumps[i]
		if reading > j.From {
			return j.At
		}
		now, last = j.At, j.From
	}
	return now - max(last-reading, 0)
}

// AtSignal is At of a signal that ticks go on to say. It may have come before the run of another input took over: so much
// before as the clock of that input says.
func (c *clock) AtSignal(reading time.Duration) time.Duration {
	at := c.At(reading)
	if c.older && reading < c.jumps[0].To {
		at -= c.jumps[0].To - reading
	}
	return at
}
