package detector

import (
	"slices"
	"time"
)

const (
	// maxHoles bounds how many holes are remembered. Of more, two that are close to each other become one.
	maxHoles = 64
	// holePrecision is how exactly an input says when a hole was.
	holePrecision = time.Millisecond
)

// Hole is a time in which an input could not hear the bus, as a tick lists it.
type Hole struct {
	Observed time.Duration // what the input's clock showed all the while
	Length   time.Duration
}

// hole is a time in which a beat can have been missed: one that the input listed, a restart, or metrics that were lost.
type hole struct {
	At      time.Duration `json:"at"`                // by the detector's clock
	Until   time.Duration `json:"until"`             // later than At if the clock went on in it
	Dark    time.Duration `json:"dark,omitempty"`    // how much longer than that it was
	Unknown int           `json:"unknown,omitempty"` // how many such times are in it of which the length is not known
	Number  uint32        `json:"number"`            // holes are numbered in the order in which they became known
}

// holes are the latest holes, in the order of time.
type holes struct {
	list []hole
	last uint32 // number
}

// Add adds a hole.
func (h *holes) Add(add hole, now time.Duration) {
	h.last++
	add.Number = h.last
	place := len(h.list)
	for place > 0 && h.list[place-1].At > add.At {
		place--
	}
	h.list = slices.Insert(h.list, place, add)
	if len(h.list) > maxHoles {
		h.merge(now)
	}
}

// merge makes one of the two that are closest to each other for the time that has passed since.
func (h *holes) merge(now time.Duration) {
	best, least := 0, 0.0
	for i := range len(h.list) - 1 {
		a, b := h.list[i], h.list[i+1]
		if distance := float64(b.At-a.Until) / float64(now-a.At+1); i == 0 || distance < least {
			best, least = i, distance
		}
	}
	a, b := &h.list[best], h.list[best+1]
	a.Until = max(a.Until, b.Until)
	a.Dark = after(a.Dark, b.Dark)
	a.Unknown = min(a.Unknown+b.Unknown, maxHoles)
	a.Number = max(a.Number, b.Number)
	h.list = slices.Delete(h.list, best+1, best+2)
}

// Since returns the holes that came after a beat, or into which it fell: the beat was heard at a time of the detector's
// clock, when the hole with a number was the last one that was known.
func (h *holes) Since(at time.Duration, known uint32) []hole {
	first := len(h.list)
	for first > 0 && h.list[first-1].isSince(at, known) {
		first--
	}
	return h.list[first:]
}

func (h *hole) isSince(at time.Duration, known uint32) bool {
	return h.Until > at+holePrecision || h.Number > known && h.Until >= at-holePrecision
}

// Holes takes the holes of an input from one of its ticks, before the tick: how many there were in this run, and the last
// of them, oldest first. At is the time of the tick by the wall clock of the input's host. That of the run is known by it,
// too, so the time between two runs can be told.
func (d *Detector) Holes(run int64, observed time.Duration, at time.Time, count int, listed []Hole) {
	if run == 0 || !d.clock.Take(run, observed, false) {
		return
	}
	d.clock.addHoles(count, listed)
	if observed > d.clock.lastTick {
		d.clock.tickedAt = at.UnixNano()
	}
}

func (c *clock) addHoles(count int, listed []Hole) {
	fresh := count - c.holeCount
	if fresh <= 0 {
		return
	}
	c.holeCount = count
	listed = listed[max(len(listed)-fresh, 0):]
	if lost := fresh - len(listed); lost > 0 {
		until := c.now
		if len(listed) > 0 {
			until = c.At(listed[0].Observed)
		}
		from := min(c.At(max(c.lastTick, 0)), until)
		c.holes.Add(hole{At: from, Until: until, Unknown: min(lost, maxHoles)}, c.now)
	}
	for _, h := range listed {
		at := c.At(h.Observed)
		c.holes.Add(hole{At: at, Until: at, Dark: h.Length}, c.now)
	}
}

// addRestart adds the time between two runs of the input, up to the first reading of the new one.
func (c *clock) addRestart(id int64, reading time.Duration) {
	h := hole{At: c.now, Until: c.now, Unknown: 1}
	if c.tickedAt != 0 && id > c.tickedAt {
		heard := time.Duration(0) // of the former run, since that tick
		if c.lastTick >= 0 {
			heard = c.reading - c.lastTick
		}
		h.Dark, h.Unknown = max(after(time.Duration(id-c.tickedAt), reading)-heard, 0), 0
	}
	c.holes.Add(h, c.now)
}

// Follow makes a clock that was just begun go on from the end of a former one, of the same bus under another name. The time
// between the two is a hole.
func (c *ClockSnapshot) Follow(former *ClockSnapshot) {
	began, known := former.Now, former.LastHole+1
	between := hole{At: began, Until: began, Unknown: 1, Number: known}
	first := len(c.Jumps) > 0 && c.Jumps[0].From < 0 && c.Restarts == 1 // the input has not been restarted since
	if lasted := time.Duration(c.Run - former.TickedAt); first && former.TickedAt > 0 && lasted > 0 {
		between.Dark, between.Unknown = after(lasted, c.Jumps[0].To), 0
	}
	holes := append(slices.Clone(former.Holes), between)
	for _, h := range c.Holes {
		h.At, h.Until, h.Number = h.At+began, h.Until+began, h.Number+known
		holes = append(holes, h)
	}
	c.Holes, c.LastHole = holes, c.LastHole+known
	c.Now += began
	for i := range c.Jumps {
		c.Jumps[i].At += began
	}
}
