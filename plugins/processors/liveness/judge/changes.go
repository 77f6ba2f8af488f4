package judge

import (
	"slices"
	"time"
)

// nextChange is when a component has to be looked at again if nothing is heard of it.
func (j *Judge) nextChange(c *component) time.Duration {
	switch {
	case c.abandoned:
		return -never
	case c.Phase == unseen:
		if c.Incident != "" {
			return never
		}
		return later(c.Last, j.config.ExpectWithin)
	case !c.alive():
		if j.expected[c.Key] {
			return never
		}
		return later(c.Last, c.rule.RetireAfter)
	}
	next := later(c.Last, c.Threshold)
	if c.Phase == up && j.sensors.Now <= next {
		next = later(c.Last, c.lateAfter())
	}
	if c.flapping() {
		next = min(next, later(c.Flaps.Since, j.config.FlapWindow))
	}
	return next
}

// askAgainAfter is how long a change that is due and cannot be made yet waits until it is looked at again, unless a
// tick comes before: with many of them each beat would otherwise look at all.
const askAgainAfter = 100 * time.Millisecond

// never is later than every time.
const never = time.Duration(1<<63 - 1)

// later adds a time, at most up to never.
func later(at, by time.Duration) time.Duration {
	if at > never-by {
		return never
	}
	return at + by
}

// expire looks at the components whose time is over, in the order in which it was. Nobody is judged before
// the first tick: who hears beats and no ticks does not sit behind a sensor, but behind another judge,
// which consumed them.
func (j *Judge) expire() {
	if !j.ticked {
		return
	}
	now := j.sensors.Now
	if now >= j.askAgain {
		for _, c := range j.undecided {
			c.undecided = false
			j.await(c, j.nextChange(c))
		}
		clear(j.undecided)
		j.undecided = j.undecided[:0]
		j.askAgain = later(now, askAgainAfter)
	}
	for c := j.deadlines.Expired(now); c != nil; c = j.deadlines.Expired(now) {
		switch due := j.nextChange(c); {
		case c.Phase == retired:
		case due > c.queuedAt: // it was heard meanwhile
			j.await(c, due)
		case j.change(c):
			j.await(c, j.nextChange(c))
		case !c.undecided:
			c.undecided = true
			j.undecided = append(j.undecided, c)
		}
	}
}

// await makes sure that the component is looked at when its next change is due.
func (j *Judge) await(c *component, due time.Duration) {
	if due != never && c.Phase != retired {
		j.deadlines.Add(c, due)
	}
}

// change makes the change that is due for a component. It returns false if there is none yet, because the
// sensors do not agree, or it is still to be told of.
func (j *Judge) change(c *component) bool {
	now := j.sensors.Now
	if gap := j.settle(c); gap != nil {
		j.find(c, Changed, gap)
		return true
	}
	silence := now - c.Last
	switch {
	case c.abandoned:
		j.retire(c)
	case c.alive() && silence > c.Threshold && j.agreed(c):
		c.enter(silent, now)
		j.find(c, Stopped, j.openGap(c, HeartbeatMissing))
	case c.Phase != unseen && silence > c.rule.RetireAfter && !j.expected[c.Key] && !j.gathers(c):
		j.retire(c) // also one that is not silent, if none of those who could tell is left
	case c.Phase == up && silence > c.lateAfter():
		c.enter(late, now)
		j.find(c, Changed, nil)
	case c.Phase == unseen && c.Incident == "" && silence > j.config.ExpectWithin:
		j.find(c, Missed, j.openGap(c, HeartbeatNeverSeen))
	default:
		return false
	}
	return true
}

// retire forgets a component.
func (j *Judge) retire(c *component) {
	gap := j.closeGap(c, j.silence(c))
	if c.flapping() {
		gap = j.gap(c, HeartbeatFlapping, c.Flaps.Incident, false, j.silence(c))
	}
	c.enter(retired, j.sensors.Now)
	j.find(c, Forgotten, gap)
	delete(j.components, c.Key)
	if j.retired++; j.retired > len(j.order)/2 {
		j.order = slices.DeleteFunc(j.order, func(c *component) bool { return c.Phase == retired })
		j.retired = 0
	}
}
