package judge

import "time"

// Change says why a finding was made.
type Change int

// The reasons: a periodic report, or one of the changes that an operator wants to be told.
const (
	Report    Change = iota
	Changed          // another state, not worth telling
	Started          // heard for the first time
	Stopped          // silent
	Recovered        // back
	Ended            // killed on purpose
	Missed           // expected, but not seen
	Forgotten        // retired
)

// Finding is what the judge has to say of a component: its status, and the level of its gap if there
// is news of one.
type Finding struct {
	Key, Niche, Host string

	Change Change
	Status *Status // nil: only the gap is news
	Gap    *Gap    // nil: there is no news of one
}

// Status is the standing of a component.
type Status struct {
	State        State
	Alive        bool
	Silence      time.Duration
	Life         time.Duration // how long this life lasts, or lasted
	Beats        int64
	IntervalMean float64 // seconds
	IntervalDev  float64 // standard deviation, seconds
	Phi          float64
	Threshold    time.Duration
	Gaps         int64
	Availability float64 // 0..1 of the observed time
}

// Report returns the status of every component and the level of every open gap, as a tick does when a report
// is due. It changes nothing that is judged. The findings are valid until the next call.
func (j *Judge) Report() []Finding {
	clear(j.findings)
	j.findings = j.findings[:0]
	j.report()
	return j.findings
}

// report repeats the status of every component and the level of every open gap.
func (j *Judge) report() {
	masses := make(map[string]bool, len(j.crowd.Masses))
	for _, m := range j.crowd.Masses {
		masses[m.ID] = true
	}
	for _, c := range j.order {
		if c.Phase == retired {
			continue
		}
		var gap *Gap
		switch {
		case c.flapping():
			gap = j.gap(c, HeartbeatFlapping, c.Flaps.Incident, true, j.silence(c))
		case c.Incident != "" && !masses[c.Incident]:
			gap = j.gap(c, c.incidentType(), c.Incident, true, j.silence(c))
		}
		j.find(c, Report, gap)
	}
	for _, m := range j.crowd.Masses {
		if m.Told && len(m.Members) > 0 {
			j.findMass(m, Report, true)
		}
	}
}

// silence is how long nothing was heard of a component.
func (j *Judge) silence(c *component) time.Duration {
	return max(j.sensors.Now-c.Last, 0)
}

func (j *Judge) findMass(m *mass, change Change, open bool) {
	j.findings = append(j.findings, Finding{
		Key: m.Anchor, Niche: m.Niche, Host: m.Host,
		Change: change,
		Gap:    j.massGap(m, open),
	})
}

func (j *Judge) find(c *component, change Change, gap *Gap) {
	now := j.sensors.Now
	c.account(now)
	silence := j.silence(c)
	ends := now
	if !c.alive() {
		ends = c.Last
	}
	j.findings = append(j.findings, Finding{
		Key: c.Key, Niche: c.Niche, Host: c.Host,
		Change: change,
		Status: &Status{
			State:        c.state(),
			Alive:        c.alive(),
			Silence:      silence,
			Life:         max(ends-c.Born, 0),
			Beats:        c.Beats,
			IntervalMean: c.Intervals.Mean,
			IntervalDev:  c.Intervals.stddev(),
			Phi:          c.Intervals.phi(silence),
			Threshold:    c.Threshold,
			Gaps:         int64(c.Gaps),
			Availability: c.availability(),
		},
		Gap: gap,
	})
}
