// Package judge decides from beats and ticks who is up, late or silent. It is plain logic: it reads
// no clock, starts no goroutine and does no I/O, so the same input always gives the same output.
//
// Times are durations on an observation clock: the monotonic time during which the beats could have
// been heard. Silence is measured in it and in nothing else.
package judge

import "time"

// killGrace is how long after a kill signal a beat can still be one that was on its way.
const killGrace = 5 * time.Second

// Config is what the judge goes by; every duration is observed time.
type Config struct {
	Threshold      time.Duration // silence longer than this is a gap
	LateAfter      time.Duration // silence longer than this is late; below Threshold
	BlindAfter     time.Duration // a longer step of the sensor's clock adds nothing
	ReportInterval time.Duration
}

// Judge holds the components. It is not safe for concurrent use.
type Judge struct {
	config     Config
	hearing    hearing
	components map[string]*component
	order      []*component // in order of appearance
	deadlines  deadlines
	nextReport time.Duration
	killedAt   time.Duration // the last kill signal
	findings   []Finding
}

// Beat is one or several heartbeats of a component.
type Beat struct {
	Key      string        // identity of the component
	Name     string        // the same for a person
	Observed time.Duration // the sensor's observation clock when the last of them was sent
	LastSeen float64       // its time by the sender's clock, epoch seconds
	Beats    int           // since the last Beat; 0: no beat, only Starts is news
	Starts   int           // streams that began
}

// Change says why a finding was made.
type Change int

// The reasons: a periodic report, or one of the changes that an operator wants to be told.
const (
	Report  Change = iota
	Changed        // another state, not worth telling
	Started        // heard for the first time
	Stopped        // silent
	Recovered
	Ended // killed on purpose
)

// Finding is what the judge has to say of a component: its status, and the level of its gap if there
// is news of one.
type Finding struct {
	Key    string
	Change Change
	Status Status
	Gap    *Gap
}

// Status is the standing of a component.
type Status struct {
	State        State
	Silence      time.Duration
	Alive        time.Duration // how long this life lasts, or lasted
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
	return &Judge{
		config:     config,
		hearing:    hearing{blindAfter: config.BlindAfter},
		components: make(map[string]*component),
		nextReport: config.ReportInterval,
	}
}

// Tick takes the sensor's clock. The findings are valid until the next call.
func (j *Judge) Tick(observed time.Duration) []Finding {
	j.findings = j.findings[:0]
	if observed < j.hearing.heard {
		j.hearing.Restart(observed)
	}
	j.advance(observed)
	return j.findings
}

// Beat takes a heartbeat. The findings, which may be of others too, are valid until the next call.
func (j *Judge) Beat(b Beat) []Finding {
	j.findings = j.findings[:0]
	j.hearing.Forward(b.Observed)
	at := j.hearing.At(b.Observed)
	c, known := j.components[b.Key]
	switch {
	case b.Beats <= 0 && !(known && c.state == Killed && b.Starts > 0):
		// No beat; and that a stream started tells nothing of one that was not killed.
	case known:
		j.alive(c, b, at)
	default:
		j.meet(b, at)
	}
	// Only now: the beat proves that its sender lives, however late it is.
	j.expire()
	return j.findings
}

// Kill takes the signal that ends all components on purpose: the silence that follows is expected.
// The findings are valid until the next call.
func (j *Judge) Kill(observed time.Duration) []Finding {
	j.findings = j.findings[:0]
	j.killedAt = j.hearing.At(observed)
	for _, c := range j.order {
		// The last beats may have been on their way when the signal came.
		if c.state.Alive() && c.last <= j.killedAt+killGrace {
			j.enter(c, Killed)
			j.find(c, Ended, nil)
		}
	}
	return j.findings
}

// meet takes the first beat of a component.
func (j *Judge) meet(b Beat, at time.Duration) {
	if j.hearing.now-at > j.config.LateAfter {
		// Nobody is condemned by being heard for the first time. It may be so old because it is of a
		// sensor that began anew, and whose first tick was lost.
		at = j.hearing.now
	}
	c := &component{key: b.Key, name: b.Name, state: Up, last: at, born: at, since: j.hearing.now}
	j.components[b.Key] = c
	j.order = append(j.order, c)
	j.alive(c, b, at)
	j.find(c, Started, nil)
}

// alive takes a proof of life of a component that is known.
func (j *Judge) alive(c *component, b Beat, at time.Duration) {
	now := j.hearing.now
	if b.Beats > 0 {
		if c.beats > 0 && c.state.Alive() && j.hearing.SteadySince(c.last) {
			c.intervals.Add(max(at-c.last, 0), b.Beats)
		}
		c.beats += int64(b.Beats)
	}
	if c.state == Silent && now-at > j.config.Threshold {
		return // it comes so late that it proves nothing about the present
	}
	if b.Beats > 0 {
		c.lastSeen = b.LastSeen
	}
	silence := at - c.last
	c.last = max(c.last, at)
	switch c.state {
	case Up:
	case Late:
		if now-c.last <= j.config.LateAfter {
			j.enter(c, Up)
			j.find(c, Changed, nil)
		}
	case Killed:
		// A stream that started before the signal may be told of after it.
		started := b.Starts > 0 && at > j.killedAt
		if !started && at <= j.killedAt+killGrace {
			return
		}
		c.born = at
		j.enter(c, Up)
		j.find(c, Recovered, nil)
	case Silent:
		c.born = at
		j.enter(c, Up)
		gap := j.gap(c, false, silence)
		c.incident = ""
		j.find(c, Recovered, gap)
	}
	j.deadlines.Add(c, c.last+j.config.LateAfter)
}

// advance moves the clock and finds who did not make it.
func (j *Judge) advance(observed time.Duration) {
	j.hearing.Forward(observed)
	j.expire()
	if j.hearing.now >= j.nextReport {
		j.nextReport = j.hearing.now - j.hearing.now%j.config.ReportInterval + j.config.ReportInterval
		j.report()
	}
}

// expire looks at the components whose time is over.
func (j *Judge) expire() {
	now := j.hearing.now
	for c := j.deadlines.Expired(now); c != nil; c = j.deadlines.Expired(now) {
		silence := now - c.last
		switch {
		case !c.state.Alive():
		case silence > j.config.Threshold:
			j.enter(c, Silent)
			c.gaps++
			c.missingSince = c.lastSeen
			c.incident = incidentID(HeartbeatMissing, c.key, c.missingSince)
			j.find(c, Stopped, j.gap(c, true, silence))
		case silence > j.config.LateAfter:
			if c.state == Up {
				j.enter(c, Late)
				j.find(c, Changed, nil)
			}
			j.deadlines.Add(c, c.last+j.config.Threshold)
		default:
			j.deadlines.Add(c, c.last+j.config.LateAfter)
		}
	}
}

// report repeats the status of every component and the level of every open gap.
func (j *Judge) report() {
	for _, c := range j.order {
		var gap *Gap
		if c.incident != "" {
			gap = j.gap(c, true, j.hearing.now-c.last)
		}
		j.find(c, Report, gap)
	}
}

func (j *Judge) enter(c *component, s State) {
	c.account(j.hearing.now)
	c.state = s
}

func (j *Judge) find(c *component, change Change, gap *Gap) {
	now := j.hearing.now
	c.account(now)
	silence := max(now-c.last, 0)
	ends := now
	if !c.state.Alive() {
		ends = c.last
	}
	j.findings = append(j.findings, Finding{
		Key:    c.key,
		Change: change,
		Status: Status{
			State:        c.state,
			Silence:      silence,
			Alive:        ends - c.born,
			Beats:        c.beats,
			IntervalMean: c.intervals.mean,
			IntervalDev:  c.intervals.stddev(),
			Phi:          c.intervals.phi(silence),
			Threshold:    j.config.Threshold,
			Gaps:         c.gaps,
			Availability: c.availability(),
		},
		Gap: gap,
	})
}
