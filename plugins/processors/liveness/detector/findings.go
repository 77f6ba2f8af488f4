package detector

import (
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

// Change says why a finding was made.
type Change int

// The reasons: a periodic report, a change of state, or one of the changes that are logged.
const (
	Report       Change = iota
	StateChanged        // to a state that is not logged
	FirstHeard
	WentSilent
	CameBack
	WasKilled  // by the kill signal
	WasStopped // as it announced
	NeverSeen  // although it is expected
	WasRetired // after a long silence
	WentAway   // fell silent, and nobody waits for it
	WasEvicted // to make room for another
	Adopted    // known from the gap of another detector; there is neither a status nor a gap
)

// Finding is the status of a component, and the level of its gap if that changed or is repeated.
type Finding struct {
	Key, Niche string

	Change Change
	Status *Status // nil: there is only a gap
	Gap    *Gap    // nil: there is none
	Joined string  // the id of the outage that collects members and that it joined by falling silent, or by not appearing; empty: of none
}

// Status is what is known of a component.
type Status struct {
	State        State
	Alive        bool
	Silence      time.Duration
	Life         time.Duration // how long this life lasts, or lasted
	Beats        int64
	Interval     float64 // seconds between beats; 0: not known
	IntervalDev  float64 // standard deviation, seconds
	Loss         float64 // share of intervals in which no beat came
	Threshold    time.Duration
	Gaps         int64
	Availability float64 // 0..1 of the observed time
}

// Report returns the status of every component and the level of every open gap, as a tick does when a report
// is due. It changes no verdict. The findings are valid until the next call.
func (d *Detector) Report() []Finding {
	d.clearFindings()
	d.report(true)
	return d.findings
}

// report reports all components, those that are gone only if gone is set. What this tick has found already is left out: a
// metric of the same series and the same time would take the place of the first in a database.
func (d *Detector) report(gone bool) {
	statuses, incidents := d.found()
	for _, c := range d.order {
		if c.phase == retired || !gone && d.isGone(c) {
			continue
		}
		var gap *Gap
		switch {
		case c.flapping():
			gap = d.gap(c, gaptype.Flapping, c.flaps.incident, true, d.silence(c))
		case c.incident != "" && d.outageOf(c.key) == nil:
			gap = d.gap(c, c.gapType(), c.incident, true, d.silence(c))
		}
		if gap != nil && incidents[gap.IncidentID] {
			gap = nil
		}
		switch {
		case !statuses[c.key]:
			d.add(c, Report, gap)
		case gap != nil:
			d.findings = append(d.findings, Finding{Key: c.key, Niche: c.niche, Change: Report, Gap: gap})
		}
	}
	for _, o := range d.outages {
		if o.reported && len(o.members) > 0 && !incidents[o.id] {
			d.addOutage(o, Report, true)
		}
	}
}

// found returns of which components there is a status, and of which incidents the level, since the findings were cleared.
func (d *Detector) found() (statuses, incidents map[string]bool) {
	statuses, incidents = make(map[string]bool), make(map[string]bool)
	for i := range d.findings {
		f := &d.findings[i]
		if f.Status != nil {
			statuses[f.Key] = true
		}
		if f.Gap != nil {
			incidents[f.Gap.IncidentID] = true
		}
	}
	return statuses, incidents
}

func (d *Detector) addOutage(o *outage, change Change, open bool) {
	gap := d.outageGap(o, open)
	d.findings = append(d.findings, Finding{Key: o.key, Niche: o.niche, Change: change, Gap: gap})
	d.end(o.key, o.niche, gap)
}

// add makes a finding of a component.
func (d *Detector) add(c *component, change Change, gap *Gap) {
	now := d.clock.now
	c.account(now)
	d.end(c.key, c.niche, gap)
	silence := d.silence(c)
	ends := now
	if !c.alive() {
		ends = c.last
	}
	d.findings = append(d.findings, Finding{
		Key: c.key, Niche: c.niche,
		Change: change,
		Status: &Status{
			State:        d.state(c),
			Alive:        c.alive(),
			Silence:      silence,
			Life:         max(ends-c.born, 0),
			Beats:        c.beats,
			Interval:     float64(c.rhythm.Interval),
			IntervalDev:  c.rhythm.Deviation(),
			Loss:         c.rhythm.Loss(),
			Threshold:    c.threshold,
			Gaps:         int64(c.gaps),
			Availability: c.availability(),
		},
		Gap: gap,
	})
	if gap == nil && (change == WentSilent || change == NeverSeen) && d.isCollected(c) {
		d.findings[len(d.findings)-1].Joined = c.incident
	}
}
