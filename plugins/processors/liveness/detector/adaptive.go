package detector

import (
	"math"
	"time"
)

// Adaptive derives each component's threshold from its own intervals by the φ accrual failure detector
// (Hayashibara et al., 2004).
type Adaptive struct {
	Phi      float64 // suspicion at which a component is silent
	Min, Max time.Duration

	z float64 // quantile of the normal distribution for Phi
}

const (
	// enoughIntervals is how many intervals make a forecast.
	enoughIntervals = 20
	// minLosses is how many beats in a row may be lost, or late, without any loss having been seen.
	minLosses = 2
	// falseAlarm is how probable it may be, for each beat, that a run of lost beats is taken for
	// silence: as much as three in a row are where one in 20 is lost.
	falseAlarm = 0.05 * 0.05 * 0.05
	// minLateness is by how much a beat is late at least, as a share of the interval.
	minLateness = 0.1
)

// quantile sets the z of the detector's Phi: the silence at which φ is reached is the mean interval
// and z deviations. It is searched for, since math.Erfcinv knows nothing beyond a φ of 16.
func (a *Adaptive) quantile() {
	standard := intervals{N: 2, Mean: 1, Variance: 1}
	low, high := 0.0, 40.0
	for range 60 {
		a.z = (low + high) / 2
		if standard.phi(time.Duration((1+a.z)*float64(time.Second))) < a.Phi {
			low = a.z
		} else {
			high = a.z
		}
	}
}

// threshold returns the silence at which φ reaches Phi, from Min to the longest; false before there are
// enough intervals to tell. It is never shorter than it takes to tell a loss from silence: the normal
// distribution, which φ supposes, knows nothing of loss.
func (a *Adaptive) threshold(i *intervals, longest time.Duration) (time.Duration, bool) {
	if i.N < enoughIntervals {
		return 0, false
	}
	seconds := max(i.Mean+a.z*i.deviation(), a.lossTolerance(i))
	// The bounds come first: a wild mean could overflow a duration.
	seconds = min(max(seconds, a.Min.Seconds()), longest.Seconds())
	return time.Duration(seconds * float64(time.Second)), true
}

// lossTolerance returns the silence, in seconds, that a run of lost beats may cause. A threshold between
// two beats that are due would only wait in vain for the second: it ends just after one, by as much as
// beats are late according to φ.
func (a *Adaptive) lossTolerance(i *intervals) float64 {
	losses := 0.0
	if loss := i.loss(); loss > 0 {
		losses = math.Ceil(math.Log(falseAlarm)/math.Log(loss)) - 1
	}
	rhythm := i.rhythm()
	lateness := max(a.z*math.Sqrt(i.Drift), minLateness*rhythm)
	return max((minLosses+1+minLateness)*rhythm, (losses+1)*rhythm+lateness)
}

// learn takes a silence that is over: it may have been no failure, but a threshold too short for this component,
// which would stay too short if nothing were learnt from it.
func (d *Detector) learn(c *component, silence time.Duration, beats int) {
	switch a := d.config.Adaptive; {
	case a == nil:
	case silence <= d.longest(c):
		// No more of it than the threshold: if it was a failure it must not count for much.
		c.intervals.Add(min(silence, c.threshold), beats)
	default:
		// It was down, and may have come back with another rhythm.
		c.intervals = intervals{}
		c.threshold = max(c.threshold, c.rule.Threshold)
	}
}

// adapt sets the threshold from the intervals that were seen.
func (d *Detector) adapt(c *component) {
	if d.config.Adaptive == nil {
		return
	}
	if threshold, ok := d.config.Adaptive.threshold(&c.intervals, d.longest(c)); ok {
		c.threshold = threshold
	}
}

// longest is up to where the threshold of a component can be adapted.
func (d *Detector) longest(c *component) time.Duration {
	return max(d.config.Adaptive.Max, c.rule.AdaptUpTo)
}
