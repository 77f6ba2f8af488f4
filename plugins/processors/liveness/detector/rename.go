package detector

import (
	"maps"
	"slices"
	"time"
)

// A bus gets another name when the host of Telegraf is renamed, or the endpoint is spelled another way. Whoever died
// during the restart has to be found all the same.

// Inherit adds what was known of the same bus under a former name: the time that its snapshot ends with is the time
// at which this detector began. The findings are valid until the next call. After an error, which says what is wrong
// with the snapshot, the detector is unchanged.
func (d *Detector) Inherit(s *Snapshot) ([]Finding, error) {
	whole := New(d.config, d.bus)
	whole.expected = maps.Clone(d.expected)
	if err := whole.Restore(s); err != nil {
		return nil, err
	}
	began := whole.clock.now
	whole.clock = d.clock
	whole.clock.now += began
	for i := range whole.clock.jumps {
		whole.clock.jumps[i].At += began
	}
	whole.ticked, whole.identity = d.ticked, d.identity
	if d.wasKilled {
		whole.wasKilled, whole.killedAt = true, d.killedAt+began
	}
	for _, c := range whole.order {
		c.inherited = true
		c.restarts = d.clock.restarts - 1 // its reading is of a former run
	}
	for _, c := range d.order {
		if c.phase != retired && c.phase != unseen {
			whole.join(c, d.clock.run, began)
		}
	}
	whole.nextReport = whole.reportAfter(whole.clock.now)
	*d = *whole
	d.deadlines.Next = d.nextChange
	return d.findings, nil
}

// join adds a component of a detector that began at a time.
func (d *Detector) join(c *component, run int64, began time.Duration) {
	last := c.last + began
	known := d.components[c.key]
	if known != nil && known.beats > 0 {
		d.prove(known, &Beat{
			Key: c.key, Niche: c.niche, Run: run, Observed: c.reading, LastSeen: c.lastSeen, Beats: int(c.beats),
		}, last)
		if c.phase == killed && known.alive() {
			known.enter(killed, d.clock.now)
		}
		return
	}
	var closed *Gap
	if known != nil { // it was expected
		closed = d.closeGap(known, d.silence(known))
		known.enter(retired, d.clock.now)
		d.retired++
	}
	joined := *c
	joined.queued, joined.incident, joined.flaps = false, "", nil
	joined.last, joined.born, joined.since = last, c.born+began, c.since+began
	if joined.phase == silent {
		joined.phase = late // its gap opens again, under the same id
	}
	d.components[c.key] = &joined
	d.order = append(d.order, &joined)
	d.await(&joined, d.nextChange(&joined))
	if closed != nil {
		d.add(&joined, StateChanged, closed)
	}
}

// GiveBack undoes Inherit when the former bus is heard after all: what was not heard on this one is removed. Gaps that
// the snapshot has go on there, all others are closed. The findings are valid until the next call.
func (d *Detector) GiveBack(s *Snapshot) []Finding {
	d.clearFindings()
	goesOn := make(map[string]string, len(s.Components))
	for i := range s.Components {
		goesOn[s.Components[i].Key] = s.Components[i].Incident
	}
	d.outages = slices.DeleteFunc(d.outages, func(o *outage) bool {
		return slices.ContainsFunc(s.Outages, func(saved OutageSnapshot) bool { return saved.ID == o.id })
	})
	for _, c := range slices.Clone(d.order) {
		if !c.inherited || c.phase == unseen || c.phase == retired {
			continue
		}
		if c.incident == goesOn[c.key] {
			c.incident = ""
		}
		d.retire(c)
	}
	d.closeOutages()
	return d.findings
}
