package chembus

import (
	"container/list"
	"math"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	// lagTolerance is by how much a beat's lag varies without any waiting.
	lagTolerance = time.Second
	// shiftConfirmation is how long a higher lag must last, without falling, to come from the component's clock rather
	// than from a queue: a queue that moves again delivers at once what waited in it.
	shiftConfirmation = 2 * time.Second
)

// zooid is what the input knows of one component.
type zooid struct {
	name  string
	place *list.Element // among the unnamed ones; nil: it has a name

	heard time.Time // when the last message came, copies included

	// Of the last beat.
	niche          string
	arrived        time.Time
	sent           float64       // epoch seconds by the component's clock; NaN if it did not say
	observed       time.Duration // what the observation clock showed when it was sent
	processedCount int64         // -1 if it did not say
	uptime         float64       // seconds; NaN if it did not say

	// Not reported yet.
	beats, starts int
	dirty         bool
	reportedIn    uint64 // number of the tick interval in which it was last reported, from 1; 0: it was not

	recent recentBeats
	lag    lagEstimate
}

// beat takes in a heartbeat that is no copy.
func (z *zooid) beat(beat bus.Heartbeat, clock *observationClock, now, start time.Time) {
	z.beats++
	z.niche = beat.Niche
	z.arrived = now
	z.sent = beat.Sent
	z.processedCount = beat.ProcessedCount
	z.uptime = beat.Uptime
	// It proves life when it was sent, not when the bus let it go.
	waited := z.lag.Waited(beat.Sent, now, start)
	z.observed = max(z.observed, clock.At(now.Add(-waited)))
}

// lagEstimate tells from a zooid's own ts how long a beat waited on its way. A lag by itself means nothing, since the
// clocks of two hosts differ; only its excess over the smallest lag counts.
type lagEstimate struct {
	known    bool
	smallest float64 // seconds; arrival on this host's monotonic clock less ts
	sent     float64 // ts of the last beat

	// Whether the last beat waited; since when the excess has not fallen, and how much it was then, in seconds.
	raised   bool
	raisedAt time.Time
	raisedBy float64
}

// Waited returns how long a beat waited; zero when its ts cannot say.
func (l *lagEstimate) Waited(sent float64, now, start time.Time) time.Duration {
	if math.IsNaN(sent) {
		return 0
	}
	before := l.sent
	l.sent = sent
	lag := now.Sub(start).Seconds() - sent
	if !l.known || lag <= l.smallest {
		l.known, l.smallest, l.raised = true, lag, false
		return 0
	}
	excess := lag - l.smallest
	if excess <= lagTolerance.Seconds() {
		l.raised = false
		return 0
	}
	switch {
	case !l.raised && sent <= before:
		// The bus keeps the order of one sender, and the beat before had not waited: the component's
		// clock was set back, or stands still.
		l.smallest = lag
		return 0
	case !l.raised || excess < l.raisedBy-lagTolerance.Seconds():
		l.raised, l.raisedAt, l.raisedBy = true, now, excess
	case now.Sub(l.raisedAt) >= shiftConfirmation:
		// The component's clock was set back, or its way became longer for good.
		l.smallest, l.raised = lag, false
		return 0
	}
	// Nothing that took longer is a beat that waited in a queue.
	return time.Duration(min(excess, maxWait.Seconds()) * float64(time.Second))
}

// maxWait bounds the waiting that is believed, so that a wild ts cannot overflow a duration.
const maxWait = 24 * time.Hour
