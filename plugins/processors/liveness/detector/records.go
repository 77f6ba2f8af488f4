package detector

import (
	"slices"
	"time"
)

// A state of many components is saved bit by bit: the head, which is what the detector knows beside its components, and
// the components that changed, or a few of all of them at a time. So a component can have been saved when the clock
// showed less than the head says.

// Head returns what the detector knows beside its components, and without the members of outages.
func (d *Detector) Head() *Snapshot {
	s := &Snapshot{
		Clock: ClockSnapshot{
			Started: d.clock.started, Now: d.clock.now, Reading: d.clock.reading, LastTick: d.clock.lastTick,
			Jumps: slices.Clone(d.clock.jumps), Run: d.clock.run, Runs: slices.Clone(d.clock.runs), Restarts: d.clock.restarts,
			Holes: slices.Clone(d.clock.holes.list), LastHole: d.clock.holes.last, Listed: d.clock.holeCount, TickedAt: d.clock.tickedAt, Older: d.clock.older,
		},
		Opened:     slices.Clone(d.opened),
		NextReport: d.nextReport,
		Identity:   d.identity,
	}
	if d.killed != nil {
		s.Killed = new(*d.killed)
	}
	if d.resumed != nil {
		s.Resumed = new(*d.resumed)
	}
	for _, o := range d.outages {
		s.Outages = append(s.Outages, OutageSnapshot{
			ID: o.id, Opened: o.opened, Reported: o.reported,
			Key: o.key, Niche: o.niche, LastSeen: o.lastSeen, Since: o.since, Threshold: o.threshold, Severity: o.severity,
		})
	}
	return s
}

// Component returns what is known of a component; false if it is not known, or retired.
func (d *Detector) Component(key string) (ComponentSnapshot, bool) {
	c, known := d.components[key]
	if !known {
		return ComponentSnapshot{}, false
	}
	return d.saved(c), true
}

// Components calls use with one component after the other, in the order of their appearance, until it returns false.
// The next call goes on from there, with From as the first it has not been called with. It returns false after the last
// one; Rewind makes the next call begin with the first.
func (d *Detector) Components(use func(*ComponentSnapshot) bool) (more bool) {
	for d.swept < len(d.order) {
		c := d.order[d.swept]
		d.swept++
		if c.phase == retired {
			continue
		}
		saved := d.saved(c)
		if !use(&saved) {
			return true
		}
	}
	return false
}

// Rewind makes the next call of Components begin with the first one.
func (d *Detector) Rewind() { d.swept = 0 }

func (d *Detector) saved(c *component) ComponentSnapshot {
	s := c.snapshot()
	s.Stop = d.stops[c.key]
	s.Member = c.incident != "" && d.outageOf(c.key) != nil
	if c.alive() {
		s.Uncounted = d.uncounted(c)
	}
	return s
}

// Join makes a component that was saved before one that fell silent with an outage, at a time of the clock that was by
// later than when it was saved.
func (s *ComponentSnapshot) Join(outage string, at, later time.Duration) {
	if s.Incident == outage {
		return // it was saved again meanwhile
	}
	s.Incident, s.Member = outage, true
	s.Gaps++
	if s.State != Unseen {
		s.State = Silent
		s.Last = min(s.Last+later, at-s.Threshold)
		s.Since = at
	}
}

// refresh turns what was saved of a component some time ago into what it is now, if nothing was heard of it since that
// had to be saved at once. Whoever was up went on to beat: the silence goes on from what it was.
func (d *Detector) refresh(c *component, s *ComponentSnapshot) {
	if !c.alive() && (c.phase != unseen || c.incident != "") {
		return
	}
	if s.Stale > 0 {
		c.last = min(c.last+max(s.Uncounted, 0)+s.Stale, max(c.last, d.clock.now))
	}
	if s.BeforeKill {
		c.enter(killed, d.clock.now)
	}
}
