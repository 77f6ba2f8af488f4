package detector

import (
	"slices"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

// never is later than every time.
const never = time.Duration(1<<63 - 1)

// after adds a duration to a time; the sum is never at most.
func after(at, by time.Duration) time.Duration {
	if at > never-by {
		return never
	}
	return at + by
}

// nextChange is when a component has to be looked at again if nothing is heard of it.
func (d *Detector) nextChange(c *component) time.Duration {
	_, expected := d.expected[c.key]
	switch {
	case c.abandoned:
		return -never
	case c.phase == unseen:
		if c.incident != "" {
			return never
		}
		return after(c.last, d.config.ExpectWithin)
	case !c.alive():
		if expected || d.isCollected(c) { // an outage is reported before its members are retired
			return never
		}
		return after(c.last, c.rule.RetireAfter)
	}
	from := d.judgedFrom(c)
	next := after(from, c.threshold)
	if c.phase == up && d.clock.now <= next {
		next = after(from, c.lateAfter())
	}
	if c.flapping() {
		next = min(next, after(c.flaps.since, d.config.FlapWindow))
	}
	return next
}

// expire changes the components whose time is over, in the order in which it was.
func (d *Detector) expire() {
	now := d.clock.now
	for c := d.deadlines.Expired(now); c != nil; c = d.deadlines.Expired(now) {
		switch due := d.nextChange(c); {
		case c.phase == retired:
		case due > c.queuedAt: // it was heard meanwhile
			d.lookAtUnjudged(c)
			if look := d.nextLook(c); look >= now {
				due = look
			}
			d.await(c, due)
		default:
			d.change(c)
			d.await(c, d.nextChange(c))
		}
	}
}

// await makes sure that the component is looked at when its next change is due.
func (d *Detector) await(c *component, due time.Duration) {
	if due != never && c.phase != retired {
		d.deadlines.Add(c, due)
	}
}

// change makes the change that is due for a component.
func (d *Detector) change(c *component) {
	now := d.clock.now
	if gap := d.endFlapping(c); gap != nil {
		d.add(c, StateChanged, gap)
		return
	}
	silence := now - d.judgedFrom(c)
	switch {
	case c.abandoned:
		d.retire(c)
	case c.alive() && silence > c.threshold:
		d.clearUnjudged(c)
		c.enter(silent, now)
		if !d.isAwaited(c) {
			d.add(c, WentAway, nil)
			return
		}
		d.add(c, WentSilent, d.openGap(c, gaptype.Missing))
	case c.phase == up && silence > c.lateAfter():
		c.enter(late, now)
		d.add(c, StateChanged, nil)
	case c.phase == unseen:
		d.add(c, NeverSeen, d.openGap(c, gaptype.NeverSeen))
	default:
		d.retire(c)
	}
}

// retire removes a component after a long silence.
func (d *Detector) retire(c *component) { d.remove(c, WasRetired) }

// remove removes a component.
func (d *Detector) remove(c *component, change Change) {
	gap := d.closeGap(c, d.silence(c))
	if c.flapping() {
		gap = d.gap(c, gaptype.Flapping, c.flaps.incident, false, d.silence(c))
	}
	d.clearUnjudged(c)
	c.enter(retired, d.clock.now)
	c.queued = false
	d.add(c, change, gap)
	delete(d.components, c.key)
	delete(d.stops, c.key)
	delete(d.levels, c.key)
	if d.retired++; d.retired > len(d.order)/8 {
		for _, c := range d.order[:d.swept] {
			if c.phase == retired {
				d.swept--
			}
		}
		d.order = slices.DeleteFunc(d.order, func(c *component) bool { return c.phase == retired })
		d.retired = 0
	}
}
