package detector

import "time"

// unjudged is which components cannot be judged: most of a silence longer than the threshold does not count, because their
// beats were due in holes.
type unjudged struct {
	count int
	last  string // key of the one that was found last
}

// Unjudged returns how many components cannot be judged at present, because their beats were due in holes, and the name of
// one of them.
func (d *Detector) Unjudged() (count int, name string) {
	return d.unjudged.count, Name(d.unjudged.last)
}

// nextLook is when a component is to be looked at if nothing is heard of it: at its next change, or when the threshold is
// over although its silence does not count.
func (d *Detector) nextLook(c *component) time.Duration {
	next := d.nextChange(c)
	if c.alive() && !c.unjudged {
		next = min(next, after(c.last, c.threshold))
	}
	return next
}

// lookAtUnjudged finds out whether a component that is alive cannot be judged.
func (d *Detector) lookAtUnjudged(c *component) {
	if c.alive() && !c.unjudged && d.silence(c) > c.threshold && d.uncounted(c) > c.threshold/3*2 {
		c.unjudged = true
		d.unjudged.count++
		d.unjudged.last = c.key
	}
}

// clearUnjudged takes that a component was heard, or is not alive any more.
func (d *Detector) clearUnjudged(c *component) {
	if c.unjudged {
		c.unjudged = false
		d.unjudged.count--
	}
}
