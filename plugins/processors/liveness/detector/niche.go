package detector

import "time"

// newNiche is a niche that a component has had for too short a time to be judged by it. Anybody can send a beat that
// names another niche: that must not put a component under a shorter threshold at once.
type newNiche struct {
	former string        // the niche that the rule is of
	since  time.Duration // when the component was first heard with the present one
}

// setNiche sets the niche of a component. Components share the text.
func (d *Detector) setNiche(c *component, niche string) {
	shared, known := d.niches[niche]
	if !known {
		if len(d.niches) > len(d.components) {
			clear(d.niches) // most of them are of the past
		}
		shared = niche
		d.niches[niche] = niche
	}
	c.niche = shared
}

// changeNiche takes the niche of a beat: one with a shorter threshold counts when it has been the same for as long as
// the present threshold, any other at once.
func (d *Detector) changeNiche(c *component, niche string) {
	former := c.niche
	switch {
	case c.forming != nil:
		former = c.forming.former
		if niche == c.niche && d.clock.now-c.forming.since <= c.rule.Threshold {
			return
		}
		if niche == c.niche {
			former = niche
		}
	case niche == c.niche:
		return
	}
	d.setNiche(c, niche)
	if d.config.Rule(c.key, niche).Threshold < d.config.Rule(c.key, former).Threshold {
		c.forming = &newNiche{former: former, since: d.clock.now}
		return
	}
	c.forming = nil
	d.applyRule(c)
}

// applyRule sets what applies to a component.
func (d *Detector) applyRule(c *component) {
	niche := c.niche
	if c.forming != nil {
		niche = c.forming.former
	}
	c.rule = d.config.Rule(c.key, niche)
	c.threshold = c.rule.Threshold
	d.adapt(c)
}
