// Package judge decides from beats and ticks who is up, late or silent. It is plain logic: it reads
// no clock, starts no goroutine and does no I/O, so the same input always gives the same output.
//
// Times are durations on an observation clock: the monotonic time during which the beats could have
// been heard. Silence is measured in it and in nothing else.
package judge

import (
	"slices"
	"time"
)

// killGrace is how long after a kill signal a beat can still be one that was on its way.
const killGrace = 5 * time.Second

// Judge holds the components. It is not safe for concurrent use.
type Judge struct {
	config     Config
	sensors    sensors
	components map[string]*component
	order      []*component // in order of appearance; may hold retired ones
	retired    int          // of order
	expected   map[string]bool
	deadlines  deadlines
	crowd      crowd
	nextReport time.Duration
	killedAt   time.Duration // the last kill signal
	ticked     bool          // whether a tick was heard in this run
	findings   []Finding
}

// Beat is one or several heartbeats of a component.
type Beat struct {
	Sensor   string        // who heard it
	Host     string        // of the sensor
	Key      string        // identity of the component: its parts joined by KeySeparator
	Niche    string        // what it is for
	Observed time.Duration // the sensor's observation clock when the last of them was sent
	LastSeen float64       // its time by the sender's clock, epoch seconds
	Beats    int           // since the last Beat; 0: no beat, only Starts is news
	Starts   int           // streams that began
}

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

// New returns a judge that has heard nothing yet.
func New(config Config) *Judge {
	if config.Adaptive != nil {
		config.Adaptive.quantile()
	}
	j := &Judge{
		config:     config,
		sensors:    sensors{blindAfter: config.BlindAfter},
		components: make(map[string]*component),
		expected:   make(map[string]bool),
		nextReport: config.ReportInterval,
		killedAt:   -killGrace,
	}
	for _, key := range config.Expected {
		j.expected[key] = true
		j.expect(key)
	}
	return j
}

// expect puts a component on the table that has to appear.
func (j *Judge) expect(key string) {
	if _, known := j.components[key]; known {
		return
	}
	now := j.sensors.Now
	c := &component{Key: key, Phase: unseen, Last: now, Born: now, Since: now}
	j.enlist(c)
	j.deadlines.Add(c, j.nextChange(c))
}

func (j *Judge) enlist(c *component) {
	c.rule = j.config.Rule(c.Key, c.Niche)
	if c.Threshold == 0 {
		c.Threshold = c.rule.Threshold
	}
	j.components[c.Key] = c
	j.order = append(j.order, c)
}

// Tick takes a sensor's clock. The findings are valid until the next call.
func (j *Judge) Tick(from string, observed time.Duration) []Finding {
	j.hear(from, observed, true)
	j.ticked = true
	j.expire()
	j.tellMasses()
	if j.sensors.Now >= j.nextReport {
		j.nextReport = j.sensors.Now - j.sensors.Now%j.config.ReportInterval + j.config.ReportInterval
		j.report()
	}
	return j.findings
}

// Beat takes a heartbeat. The findings, which may be of others too, are valid until the next call.
func (j *Judge) Beat(b *Beat) []Finding {
	by := j.hear(b.Sensor, b.Observed, false)
	own := by.At(b.Observed)
	at := j.sensors.Now - (by.Now - own)
	c, known := j.components[b.Key]
	switch {
	case b.Beats <= 0 && !(known && c.Phase == killed && b.Starts > 0):
		// No beat; and that a stream started tells nothing of one that was not killed.
	case known && c.Phase != unseen:
		j.alive(c, b, by, own, at)
	default:
		j.meet(c, b, by, own, at)
	}
	// Only now: the beat proves that its sender lives, however late it is.
	j.expire()
	j.tellMasses()
	return j.findings
}

// Kill takes the signal that ends all components on purpose: the silence that follows is expected.
// The findings are valid until the next call.
func (j *Judge) Kill(from string, observed time.Duration) []Finding {
	by := j.hear(from, 0, false)
	j.killedAt = j.sensors.At(by, observed)
	for _, c := range j.order {
		// The last beats may have been on their way when the signal came.
		if c.alive() && c.Last <= j.killedAt+killGrace {
			c.enter(killed, j.sensors.Now)
			j.deadlines.Add(c, j.nextChange(c))
			j.find(c, Ended, nil)
		}
	}
	return j.findings
}

// hear begins a call: it takes a sensor's clock.
func (j *Judge) hear(from string, observed time.Duration, tick bool) *sensor {
	clear(j.findings)
	j.findings = j.findings[:0]
	by := j.sensors.Find(from)
	if by == nil {
		if len(j.sensors.All) == 1 {
			j.attribute(j.sensors.All[0])
		}
		by = j.sensors.Meet(from)
	}
	j.sensors.Hear(by, observed, tick)
	return by
}

// meet takes the first beat of a component; c is nil unless it was expected.
func (j *Judge) meet(c *component, b *Beat, by *sensor, own, at time.Duration) {
	now := j.sensors.Now
	var closed *Gap
	if c == nil {
		c = &component{Key: b.Key, Niche: b.Niche, Host: b.Host, Since: now}
		j.enlist(c)
	} else {
		closed = j.closeGap(c, j.silence(c))
		c.Niche, c.Host = b.Niche, b.Host
		c.rule = j.config.Rule(c.Key, c.Niche)
		c.Threshold = c.rule.Threshold
	}
	if now-at > c.lateAfter() {
		// Nobody is condemned by being heard for the first time. It may be so old because it is of a
		// sensor that began anew, and whose first tick was lost.
		own, at = by.Now, now
	}
	c.enter(up, now)
	c.Last, c.Born = at, at
	j.alive(c, b, by, own, at)
	j.find(c, Started, closed)
}

// alive takes a proof of life of a component that has been heard before.
func (j *Judge) alive(c *component, b *Beat, by *sensor, own, at time.Duration) {
	now := j.sensors.Now
	if b.Beats > 0 {
		if c.Beats > 0 && c.alive() && by.SteadySince(own-(at-c.Last)) {
			c.Intervals.Add(at-c.Last, b.Beats)
		} else if a := j.config.Adaptive; a != nil && c.Phase == silent && at-c.Last <= a.Max && by.SteadySince(own-(at-c.Last)) {
			c.Intervals.Add(min(at-c.Last, c.Threshold), b.Beats)
		}
		c.Beats += int64(b.Beats)
	}
	if c.Phase == silent && now-at > c.Threshold {
		return // it comes so late that it proves nothing about the present
	}
	if b.Niche != c.Niche {
		c.Niche = b.Niche
		c.rule = j.config.Rule(c.Key, c.Niche)
		c.Threshold = c.rule.Threshold
	}
	c.Host = b.Host
	var gap *Gap
	if c.Phase == silent {
		gap = j.closeGap(c, at-c.Last)
	}
	if b.Beats > 0 {
		c.LastSeen = b.LastSeen
	}
	c.Last = max(c.Last, at)
	j.see(c, by, own, at)
	j.adapt(c)
	switch c.Phase {
	case late:
		if now-c.Last <= c.lateAfter() {
			c.enter(up, now)
			j.find(c, Changed, nil)
		}
	case killed:
		// A stream that started before the signal may be told of after it.
		started := b.Starts > 0 && at > j.killedAt
		if !started && at <= j.killedAt+killGrace {
			return
		}
		j.revive(c, at, nil)
	case silent:
		if c.Flaps != nil {
			c.Flaps.Since = now
		}
		j.revive(c, at, gap)
	}
	j.deadlines.Add(c, c.Last+c.lateAfter())
}

func (j *Judge) revive(c *component, at time.Duration, closed *Gap) {
	c.Born = at
	c.enter(up, j.sensors.Now)
	j.deadlines.Add(c, j.nextChange(c))
	j.find(c, Recovered, closed)
}

// adapt sets the threshold from the intervals that were seen.
func (j *Judge) adapt(c *component) {
	if j.config.Adaptive == nil {
		return
	}
	if threshold, ok := j.config.Adaptive.threshold(&c.Intervals); ok {
		c.Threshold = threshold
	}
}

// nextChange is when a component has to be looked at again if nothing is heard of it.
func (j *Judge) nextChange(c *component) time.Duration {
	var next time.Duration
	switch c.Phase {
	case up:
		next = c.Last + c.lateAfter()
	case late:
		next = c.Last + c.Threshold
	case unseen:
		if c.Incident != "" {
			return never
		}
		return c.Last + j.config.ExpectWithin
	default:
		if j.expected[c.Key] {
			return never
		}
		return c.Last + c.rule.RetireAfter
	}
	if c.Flaps != nil && c.Flaps.Incident != "" {
		next = min(next, c.Flaps.Since+j.config.FlapWindow)
	}
	return next
}

// never is later than every time.
const never = time.Duration(1<<63 - 1)

// expire looks at the components whose time is over. Nobody is judged before the first tick: who hears
// beats and no ticks does not sit behind a sensor, but behind another judge, which consumed them.
func (j *Judge) expire() {
	if !j.ticked {
		return
	}
	now := j.sensors.Now
	for c := j.deadlines.Expired(now); c != nil; c = j.deadlines.Expired(now) {
		if c.Phase == retired {
			continue
		}
		if gap := j.settle(c); gap != nil {
			j.find(c, Changed, gap)
		}
		silence := now - c.Last
		next := time.Duration(0)
		switch {
		case c.alive() && silence > c.Threshold:
			agreed, again := j.agreed(c)
			if !agreed {
				next = now + again
				break
			}
			c.enter(silent, now)
			c.Gaps++
			j.find(c, Stopped, j.openGap(c, HeartbeatMissing))
		case c.Phase == up && silence > c.lateAfter():
			c.enter(late, now)
			j.find(c, Changed, nil)
		case c.Phase == unseen && c.Incident == "" && silence > j.config.ExpectWithin:
			j.find(c, Missed, j.openGap(c, HeartbeatNeverSeen))
		case (c.Phase == silent || c.Phase == killed) && silence > c.rule.RetireAfter && !j.expected[c.Key]:
			j.retire(c)
			continue
		}
		if next == 0 {
			next = j.nextChange(c)
		}
		if next != never {
			j.deadlines.Add(c, next)
		}
	}
}

// retire forgets a component.
func (j *Judge) retire(c *component) {
	gap := j.closeGap(c, j.silence(c))
	if c.Flaps != nil && c.Flaps.Incident != "" {
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

// report repeats the status of every component and the level of every open gap.
func (j *Judge) report() {
	for _, c := range j.order {
		if c.Phase == retired {
			continue
		}
		var gap *Gap
		switch {
		case c.Flaps != nil && c.Flaps.Incident != "":
			gap = j.gap(c, HeartbeatFlapping, c.Flaps.Incident, true, j.silence(c))
		case c.Incident != "" && !j.inMass(c):
			gap = j.gap(c, c.incidentType(), c.Incident, true, j.silence(c))
		}
		j.find(c, Report, gap)
	}
	for _, m := range j.crowd.Masses {
		if len(m.Members) > 0 {
			j.findMass(m, Report, true)
		}
	}
}

// silence is how long nothing was heard of a component.
func (j *Judge) silence(c *component) time.Duration {
	return max(j.sensors.Now-c.Last, 0)
}

// inMass reports whether a component's incident is one of many.
func (j *Judge) inMass(c *component) bool {
	return slices.ContainsFunc(j.crowd.Masses, func(m *mass) bool { return m.ID == c.Incident })
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
			Life:         ends - c.Born,
			Beats:        c.Beats,
			IntervalMean: c.Intervals.Mean,
			IntervalDev:  c.Intervals.stddev(),
			Phi:          c.Intervals.phi(silence),
			Threshold:    c.Threshold,
			Gaps:         c.Gaps,
			Availability: c.availability(),
		},
		Gap: gap,
	})
}
