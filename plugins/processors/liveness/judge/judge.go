// Package judge decides from beats and ticks who is up, late or silent. It is plain logic: it reads
// no clock, starts no goroutine and does no I/O, so the same input always gives the same output.
//
// Times are durations on an observation clock: the monotonic time during which the beats could have
// been heard. Silence is measured in it and in nothing else.
package judge

import "time"

// killGrace is how long after a kill signal a beat can still be one that was on its way.
const killGrace = 5 * time.Second

// Judge holds the components. It is not safe for concurrent use.
type Judge struct {
	config     Config
	identity   string // of the components; a former one from Restore to the first tick
	sensors    sensors
	components map[string]*component
	origins    map[Origin]*Origin // that components share
	order      []*component       // in order of appearance; may hold retired ones
	retired    int                // of order
	expected   map[string]bool
	deadlines  deadlines
	undecided  []*component  // whose change is due and cannot be made yet
	askAgain   time.Duration // when they are looked at again
	crowd      crowd
	nextReport time.Duration
	ticked     bool // whether a tick was heard in this run
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

// New returns a judge that has heard nothing yet.
func New(config Config) *Judge {
	if config.Adaptive != nil {
		config.Adaptive.quantile()
	}
	j := &Judge{
		config:     config,
		identity:   config.Identity,
		sensors:    sensors{blindAfter: config.BlindAfter},
		components: make(map[string]*component),
		origins:    make(map[Origin]*Origin),
		expected:   make(map[string]bool),
		nextReport: config.ReportInterval,
	}
	j.deadlines.Next = j.nextChange
	for _, key := range config.Expected {
		j.expected[key] = true
		j.expect(key)
	}
	return j
}

// Now is the judge's clock.
func (j *Judge) Now() time.Duration {
	return j.sensors.Now
}

// expect puts a component on the table that has to appear.
func (j *Judge) expect(key string) {
	if _, known := j.components[key]; known {
		return
	}
	now := j.sensors.Now
	c := &component{Key: key, Origin: j.origin("", ""), Phase: unseen, Last: now, Born: now, Since: now}
	j.enlist(c)
	j.await(c, j.nextChange(c))
}

func (j *Judge) enlist(c *component) {
	j.follow(c)
	j.components[c.Key] = c
	j.order = append(j.order, c)
}

// origin returns the one that all components from there share.
func (j *Judge) origin(niche, host string) *Origin {
	o := Origin{Niche: niche, Host: host}
	shared, known := j.origins[o]
	if !known {
		if len(j.origins) > len(j.components) {
			clear(j.origins) // most of them are of the past
		}
		shared = &o
		j.origins[o] = shared
	}
	return shared
}

// follow sets what applies to a component.
func (j *Judge) follow(c *component) {
	c.rule = j.config.Rule(c.Key, c.Niche)
	c.Threshold = c.rule.Threshold
	j.adapt(c)
}

// Tick takes a sensor's clock. The findings are valid until the next call.
func (j *Judge) Tick(from string, observed time.Duration) []Finding {
	j.hear(from, observed, true)
	j.ticked = true
	j.askAgain = j.sensors.Now
	j.expire()
	j.identity = j.config.Identity
	j.tellMasses()
	if j.sensors.Now >= j.nextReport {
		j.nextReport = j.reportAfter(j.sensors.Now)
		j.report()
	}
	return j.findings
}

// reportAfter is when the next report is due.
func (j *Judge) reportAfter(now time.Duration) time.Duration {
	return now - now%j.config.ReportInterval + j.config.ReportInterval
}

// Beat takes a heartbeat. The findings, which may be of others too, are valid until the next call.
func (j *Judge) Beat(b *Beat) []Finding {
	by := j.hear(b.Sensor, b.Observed, false)
	own := by.At(b.Observed)
	at := j.sensors.Present() - (by.Now - own)
	c, known := j.components[b.Key]
	switch {
	case b.Beats <= 0 && !(known && c.Phase == killed && b.Starts > 0):
		// No beat; and that a stream started tells nothing of one that was not killed.
	case known && c.Beats > 0:
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
	killedAt := j.sensors.At(by, observed)
	by.KilledAt = &killedAt
	for _, c := range j.order {
		// The last beats may have been on their way when the signal came. Who has not appeared yet is not
		// expected to any more.
		if c.alive() && c.Last <= killedAt+killGrace && !j.elsewhere(c, by) || c.Phase == unseen && c.Incident == "" {
			c.enter(killed, j.sensors.Now)
			j.await(c, j.nextChange(c))
			j.find(c, Ended, nil)
		}
	}
	return j.findings
}

// posthumous reports whether a beat can be one that was on its way when a kill signal came on its bus. A stream
// that started is a sign of life, but one that started before the signal may be told of after it.
func (j *Judge) posthumous(c *component, b *Beat, by *sensor, at time.Duration) bool {
	killedAt := j.killedAt(c, by)
	return at <= killedAt || killedAt >= at-killGrace && b.Starts == 0
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
		c = &component{Key: b.Key, Origin: j.origin(b.Niche, b.Host), Since: now}
		j.enlist(c)
	} else {
		closed = j.closeGap(c, j.silence(c))
		c.Origin = j.origin(b.Niche, b.Host)
		j.follow(c)
	}
	if now-at > c.lateAfter() {
		// Nobody is condemned by being heard for the first time. It may be so old because it is of a
		// sensor that began anew, and whose first tick was lost.
		own, at = by.Now, now
	}
	phase, change := up, Started
	if j.posthumous(c, b, by, at) {
		phase, change = killed, Ended
	}
	c.enter(phase, now)
	c.Last, c.Born = at, at
	j.alive(c, b, by, own, at)
	j.find(c, change, closed)
}

// alive takes a proof of life of a component that has been heard before.
func (j *Judge) alive(c *component, b *Beat, by *sensor, own, at time.Duration) {
	now := j.sensors.Now
	c.abandoned = false // whoever beats is there
	if b.Beats > 0 {
		if c.Beats > 0 && c.alive() && by.SteadySince(own-(at-c.Last)) {
			c.Intervals.Add(at-c.Last, b.Beats)
		}
		c.Beats += int64(b.Beats)
	}
	if c.Phase == silent && now-at > c.Threshold {
		return // it comes so late that it proves nothing about the present
	}
	if before := c.Origin; b.Niche != before.Niche || b.Host != before.Host {
		c.Origin = j.origin(b.Niche, b.Host)
		if b.Niche != before.Niche {
			j.follow(c)
		}
	}
	var gap *Gap
	if c.Phase == silent {
		gap = j.closeGap(c, at-c.Last)
		if by.SteadySince(own - (at - c.Last)) {
			j.learn(c, at-c.Last, b.Beats)
		}
	}
	// The same beat may be heard by several sensors, and told of by one after the next beat by another.
	if b.Beats > 0 && (b.LastSeen > c.LastSeen || at > c.Last) {
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
		if !j.posthumous(c, b, by, at) {
			j.revive(c, at, nil)
		}
	case silent:
		if !j.posthumous(c, b, by, at) {
			j.revive(c, at, gap)
			break
		}
		c.Born = at
		c.enter(killed, now)
		j.find(c, Ended, gap)
	}
	j.await(c, j.nextChange(c))
}

func (j *Judge) revive(c *component, at time.Duration, closed *Gap) {
	c.Born = at
	c.enter(up, j.sensors.Now)
	if c.Flaps != nil {
		c.Flaps.Since = j.sensors.Now
	}
	j.find(c, Recovered, closed)
}

// learn takes a silence that is over: it may have been no outage, but a threshold too short for this
// component, which would stay too short if nothing were learnt from it.
func (j *Judge) learn(c *component, silence time.Duration, beats int) {
	switch a := j.config.Adaptive; {
	case a == nil:
	case silence <= j.longest(c):
		// No more of it than the threshold: if it was an outage it must not count for much.
		c.Intervals.Add(min(silence, c.Threshold), beats)
	default:
		// It was down, and may have come back with another rhythm.
		c.Intervals = intervals{}
		c.Threshold = max(c.Threshold, c.rule.Threshold)
	}
}

// adapt sets the threshold from the intervals that were seen.
func (j *Judge) adapt(c *component) {
	if j.config.Adaptive == nil {
		return
	}
	if threshold, ok := j.config.Adaptive.threshold(&c.Intervals, j.longest(c)); ok {
		c.Threshold = threshold
	}
}

// longest is up to where the threshold of a component can be adapted.
func (j *Judge) longest(c *component) time.Duration {
	return max(j.config.Adaptive.Max, c.rule.AdaptUpTo)
}
