package detector

import (
	"maps"
	"slices"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

// Level is the level of a gap as another detector of the same bus reported it.
type Level struct {
	Gap            // its Members are not used
	Key     string // of the component that it is named after
	Niche   string
	Members []string  // keys; of an outage only
	At      time.Time // when that was so, by the wall clock of the input's host
}

// Adopt takes the level of a gap from another detector of the bus. The silence of a component is found here all the same,
// by its beats or, if none has come, by what the level says of the last one; but it goes on as the incident of the level. A
// detector that begins without state and hears only the latest beats so finds what one found that ran on. It must be
// called before or after a tick, and not during one. The findings are valid until the next call.
func (d *Detector) Adopt(l *Level) []Finding {
	d.clearFindings()
	if !l.Open {
		d.abandonLevel(l)
		return d.findings
	}
	if d.isEnded(l.IncidentID) {
		return nil // it comes late
	}
	goesOn := false
	for _, key := range l.keys() {
		goesOn = d.awaitFailure(key, l) || goesOn
	}
	if !goesOn {
		d.closeLevel(l)
	}
	return d.findings
}

// keys are the components that are silent.
func (l *Level) keys() []string {
	if l.Type == gaptype.Outage {
		return l.Members
	}
	return []string{l.Key}
}

// awaitFailure keeps a level until the failure of one of its components is found. It reports whether that failure can
// still go on.
func (d *Detector) awaitFailure(key string, l *Level) bool {
	c, known := d.components[key]
	if known && (c.incident == l.IncidentID || c.flapping() && (l.Type == gaptype.Flapping || c.flaps.incident == l.IncidentID)) {
		return true // it is open here
	}
	if known && l.Type == gaptype.Flapping && !c.onlyAdopted() && d.clock.now >= d.config.FlapWindow {
		return true // whether it flaps is known here
	}
	if known && d.wasBack(c, l) {
		return false
	}
	before, waits := d.levels[key]
	switch {
	case waits && before.LastSeen > l.LastSeen:
		return before.Type == gaptype.Outage || l.Type == gaptype.Outage // of an outage it is not known who was seen when
	case waits || d.config.MaxComponents == 0 || len(d.levels) < d.config.MaxComponents:
		d.levels[key] = l
	}
	if waits && before.IncidentID != l.IncidentID && before.LastSeen < l.LastSeen {
		d.closeLevel(before)
	}
	return true
}

// wasBack reports whether a component was heard after the failure that a level is of.
func (d *Detector) wasBack(c *component, l *Level) bool {
	switch {
	case c.beats == 0 || l.Type == gaptype.Flapping: // which goes on when it is back
		return false
	case l.Type == gaptype.Outage: // when its members were heard last it does not say
		return c.alive() && d.sinceTick(l) <= 0
	}
	return c.lastSeen > l.LastSeen
}

// sinceTick is by how much a level is later than the last tick. Before the first tick that is a time without end, and zero
// if the time of the tick is not known.
func (d *Detector) sinceTick(l *Level) time.Duration {
	switch {
	case d.clock.tickedAt != 0:
		return min(max(l.At.Sub(time.Unix(0, d.clock.tickedAt)), -never/4), never/4)
	case d.ticked:
		return 0
	}
	return never / 4
}

// outdateLevel takes a beat of a component whose failure is awaited: one that was sent, or heard, after the level is of
// is the end of that failure.
func (d *Detector) outdateLevel(b *Beat) {
	l, waits := d.levels[b.Key]
	if !waits || b.Beats <= 0 || l.Type == gaptype.Flapping || (l.Type == gaptype.Outage || b.LastSeen <= l.LastSeen) && d.sinceTick(l) > 0 {
		return
	}
	delete(d.levels, b.Key)
	d.closeLevel(l)
}

// closeLevel closes a gap that another detector left open, unless one of its components is still silent, or may be.
func (d *Detector) closeLevel(l *Level) {
	if l.Type == gaptype.Flapping || d.outageWith(l.IncidentID) != nil || l.Size > len(l.Members) {
		return
	}
	for _, key := range l.keys() {
		if c, known := d.components[key]; known && c.incident == l.IncidentID {
			return
		}
		if other, waits := d.levels[key]; waits && other.IncidentID == l.IncidentID {
			return
		}
	}
	gap := l.Gap
	gap.Open, gap.Members, gap.Size = false, []string{}, 0
	d.findings = append(d.findings, Finding{Key: l.Key, Niche: l.Niche, Change: CameBack, Gap: &gap})
	d.end(l.Key, l.Niche, &gap)
}

// abandonLevel takes that another detector has closed a gap. What was heard here is judged here; a component that was not
// is not known any more.
func (d *Detector) abandonLevel(l *Level) {
	maps.DeleteFunc(d.levels, func(_ string, other *Level) bool { return other.IncidentID == l.IncidentID })
	if d.sinceTick(l) > 0 {
		return // a beat may be on its way
	}
	keys := []string{l.Key}
	if o := d.outageWith(l.IncidentID); o != nil {
		keys = slices.Sorted(maps.Keys(o.members))
	}
	for _, key := range keys {
		if c, known := d.components[key]; known && c.incident == l.IncidentID && c.onlyAdopted() {
			d.retire(c)
		}
	}
	d.closeOutages()
}

// onlyAdopted reports whether a component is known from levels only.
func (c *component) onlyAdopted() bool { return c.beats > 0 && c.restarts == 0 && c.reading == 0 }

// addAdopted adds the components of which levels came and no beat, as soon as the clock shows when the last beat was.
func (d *Detector) addAdopted() {
	for _, key := range slices.Sorted(maps.Keys(d.levels)) {
		l := d.levels[key]
		last := d.clock.now + d.sinceTick(l) - l.Missing
		c, known := d.components[key]
		switch {
		case known && c.phase != unseen:
		case last > d.clock.now:
			continue // its last beats are still to come
		case known && (l.LastSeen == 0 || l.Type == gaptype.Outage):
			if c.incident == "" {
				c.last = min(c.last, last)
				d.await(c, d.nextChange(c))
			}
		default:
			if c = d.adopt(c, key, last, l); c == nil {
				delete(d.levels, key)
				continue
			}
		}
		if l.Type == gaptype.Flapping {
			c.flaps = &flaps{incident: l.IncidentID, since: d.clock.now}
			delete(d.levels, key)
			d.await(c, d.nextChange(c))
			d.findings = append(d.findings, Finding{Key: key, Niche: c.niche, Change: Adopted})
		}
	}
}

// adopt adds a component that is known from a level only, or takes that one was heard that is only expected here. It
// returns nil if it is none to be judged, or there is no room.
func (d *Detector) adopt(c *component, key string, last time.Duration, l *Level) *component {
	niche := ""
	if key == l.Key {
		niche = l.Niche
	}
	switch {
	case c != nil:
		if gap := d.closeGap(c, d.silence(c)); gap != nil {
			d.add(c, StateChanged, gap)
		}
		d.setNiche(c, niche)
		d.applyRule(c)
	case l.LastSeen == 0 || !d.config.Rule(key, niche).Gaps || d.config.MaxComponents > 0 && len(d.components) >= d.config.MaxComponents:
		return nil
	default:
		c = &component{key: key}
		d.setNiche(c, niche)
		d.enlist(c)
	}
	c.enter(up, d.clock.now)
	c.last, c.lastSeen, c.born, c.beats, c.holes = last, l.LastSeen, last, 1, d.clock.holes.last
	d.await(c, d.nextChange(c))
	d.findings = append(d.findings, Finding{Key: key, Niche: niche, Change: Adopted})
	return c
}

// takeLevel returns the level of the failure of a component that was just found; nil if none waits for it.
func (d *Detector) takeLevel(c *component) *Level {
	l, waits := d.levels[c.key]
	if !waits || !d.isFailure(c, l) {
		return nil
	}
	delete(d.levels, c.key)
	return l
}

// isFailure reports whether a level is of the failure of a component that was just found: that may be an earlier one.
func (d *Detector) isFailure(c *component, l *Level) bool {
	switch {
	case c.beats == 0 || c.onlyAdopted():
		return true
	case l.Type != gaptype.Outage:
		return c.lastSeen >= l.LastSeen
	}
	// The members of an outage fall silent within a window; when that was is known of the one that it is named after.
	ago, before := d.silence(c)-c.threshold, l.Missing-l.Threshold-d.sinceTick(l)
	return max(ago-before, before-ago) <= d.config.OutageWindow
}

// joinAdopted makes a component a member of an outage that another detector reported.
func (d *Detector) joinAdopted(c *component, l *Level) {
	o := d.outageWith(l.IncidentID)
	if o == nil {
		d.reportEndedOf(l.Key, true)
		since := d.clock.now + d.sinceTick(l) - l.Missing
		opened := since + l.Threshold
		if d.clock.now-opened < d.config.BlindAfter {
			opened = d.clock.now // it was at a tick
		}
		o = &outage{
			id: l.IncidentID, opened: opened, reported: true, joinable: true, members: make(map[string]bool),
			key: l.Key, niche: l.Niche, lastSeen: l.LastSeen, since: since, threshold: l.Threshold, severity: l.Severity,
		}
		d.outages = slices.Insert(d.outages, 0, o)
	}
	o.members[c.key] = true
	c.incident = o.id
}

// outageWith returns the open outage with an id; nil if there is none.
func (d *Detector) outageWith(id string) *outage {
	for _, o := range d.outages {
		if o.id == id {
			return o
		}
	}
	return nil
}

// isEnded reports whether a gap was closed here of late.
func (d *Detector) isEnded(id string) bool {
	return slices.ContainsFunc(d.ended, func(e EndedGap) bool { return e.Gap.IncidentID == id })
}
