package detector

import (
	"math"
	"time"
)

const (
	// certainty is how many standard deviations from its time a beat may come, and leastMargin is added to that, in seconds.
	certainty, leastMargin = 3, 0.5
	// mostMargin bounds both, in intervals.
	mostMargin = 0.25
)

// stretch is a hole as one component sees it, in seconds since its last beat.
type stretch struct {
	observed float64 // when it was over, by a clock that stands still in holes
	from, to float64 // by one that goes on
}

// phases is when the beats of a component are due, in seconds since the last that was heard, by a clock that goes on in
// holes: the first one of several that come together, or the only one, at first, and then again and again after an interval.
type phases struct {
	interval, first float64
	width           float64 // how long several that come together take
	deviation       float64
}

// phases returns when beats are due; false while that is not known.
func (r *rhythm) phases() (phases, bool) {
	if r.Cycle <= 0 || r.Known < 3*r.Interval {
		return phases{}, false
	}
	cycle, width := float64(r.Cycle), float64(max(r.Cycle-r.Longest, 0))
	return phases{interval: cycle, first: cycle - min(float64(r.Short), width), width: width, deviation: r.Deviation()}, true
}

// margin is how long before or after its time the k-th beat may come.
func (p *phases) margin(k float64) float64 {
	return min(leastMargin+certainty*p.deviation*math.Sqrt(max(k, 1)), mostMargin*p.interval)
}

// latest is when the k-th beat has come at the latest; that before the first is the one that was heard.
func (p *phases) latest(k float64) float64 {
	if k < 1 {
		return 0
	}
	return p.first + (k-1)*p.interval + p.width + p.margin(k)
}

// dueIn returns which beats may have been due in a hole; none if the last comes before the first.
func (p *phases) dueIn(s stretch) (first, last float64) {
	last = math.Floor((s.to-p.first)/p.interval + 1 + mostMargin)
	if p.latest(last)-p.width-2*p.margin(last) > s.to {
		last--
	}
	first = max(math.Floor((s.from-p.first-p.width)/p.interval+1-mostMargin), 1)
	for range 2 {
		if p.latest(first) < s.from {
			first++
		}
	}
	return first, last
}

// missed returns for how many seconds of the silence until now it does not count, by a clock that stands still in holes: from
// the last beat that was heard, or due, before a hole until one that was due in it has come at the latest. Lost is how many
// such beats there were, apart from one that comes now. Now is by a clock that goes on in holes.
func (p *phases) missed(stretches []stretch, now float64) (seconds float64, lost int) {
	done := 0.0 // the number of the last beat
	next, observed, full := 0, 0.0, 0.0
	// pass returns how much passes up to a time by a clock that stands still in holes.
	pass := func(to float64) float64 {
		start := observed
		for next < len(stretches) && stretches[next].from <= to {
			observed, full = stretches[next].observed, stretches[next].to
			next++
		}
		if to > full {
			observed, full = observed+to-full, to
		}
		return observed - start
	}
	for _, s := range stretches {
		first, last := p.dueIn(s)
		if first = max(first, done+1); first > last {
			continue
		}
		pass(min(p.latest(first-1), now))
		seconds += pass(min(p.latest(last), now))
		if known := math.Round((now-p.first)/p.interval + 1); known > first {
			lost += int(min(known-first, last-first+1, math.MaxInt32))
		}
		done = last
	}
	return seconds, lost
}

// stretchesOf appends the holes since the last beat of a component as it sees them. A hole of which the length is not known is
// taken to be as long as an interval.
func (c *component) stretchesOf(since []hole, stretches []stretch, interval float64) []stretch {
	dark := 0.0
	for _, h := range since {
		until := max(h.Until-c.last, 0).Seconds()
		from := max(h.At-c.last, 0).Seconds() + dark
		dark += h.Dark.Seconds() + float64(h.Unknown)*interval
		stretches = append(stretches, stretch{observed: until, from: from, to: until + dark})
	}
	return stretches
}

// uncounted is how much of the silence of a component does not count because a beat was due in a hole. While its rhythm is
// not known, one can have been due in any.
func (d *Detector) uncounted(c *component) time.Duration {
	since := d.clock.holes.Since(c.last, c.holes)
	if len(since) == 0 {
		return 0
	}
	due, known := c.rhythm.phases()
	if !known {
		return max(since[len(since)-1].Until-c.last, 0)
	}
	var buffer [maxHoles]stretch
	stretches := c.stretchesOf(since, buffer[:0], due.interval)
	last := stretches[len(stretches)-1]
	silence := d.silence(c)
	seconds, _ := due.missed(stretches, silence.Seconds()-last.observed+last.to)
	return min(time.Duration(seconds*float64(time.Second)), silence)
}

// spacing returns how long after the last beat of a component one came that was sent at a time, in seconds by a clock that
// goes on in holes and leaving out beats that were due in them, and the same without leaving out any. It is false if nobody
// can tell.
func (d *Detector) spacing(c *component, at time.Duration) (spacing, whole float64, known bool) {
	spacing = (at - c.last).Seconds()
	since := d.clock.holes.Since(c.last, c.holes)
	for len(since) > 0 && since[len(since)-1].At > at {
		since = since[:len(since)-1]
	}
	if len(since) == 0 {
		return spacing, spacing, true
	}
	whole = spacing
	for _, h := range since {
		whole += h.Dark.Seconds()
		if h.Unknown > 0 {
			return 0, 0, false
		}
	}
	due, settled := c.rhythm.phases()
	if !settled {
		// If it is longer than before, a beat may be missing in it.
		return whole, whole, whole <= 1.5*float64(c.rhythm.Interval)
	}
	var buffer [maxHoles]stretch
	_, lost := due.missed(c.stretchesOf(since, buffer[:0], due.interval), whole)
	if lost == 0 {
		return whole, whole, true
	}
	spacing = whole - float64(lost)*due.interval
	return spacing, whole, math.Abs(spacing-due.first) <= mostMargin*due.interval
}
