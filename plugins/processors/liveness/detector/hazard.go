package detector

import (
	"math"
	"time"
)

// Adaptive derives each component's threshold from its own beats: the shortest after which a component that lives is
// taken for silent no more often than it may be. The hazard of a run of missed beats is the share of runs that go on
// for one more.
type Adaptive struct {
	MistakesPerYear float64       // how often a component that lives may be taken for silent
	Forgive         int           // so many missed beats in a row never make a component silent
	Min, Max        time.Duration // bounds of the threshold
}

const (
	year = 365.25 * 24 * 3600 // seconds

	// Until runs have been seen, one beat in 100 is taken to be missed and one run in 20 to go on, as if that were
	// known from so many intervals or runs.
	usualLoss, usualLossWeight = 0.01, 20
	usualRun, usualRunWeight   = 0.05, 10

	// widestOnRhythm is the spread, in intervals, up to which beats are due at multiples of the interval.
	widestOnRhythm = 0.2
	// A threshold lies at least so far, in intervals, behind the last beat that is forgiven, or awaited on a rhythm, and at
	// most so far behind the last that is awaited.
	leastWait, mostWait = 0.03, 0.5

	// untilLearnt is how many intervals it takes to know a rhythm.
	untilLearnt = 20
)

// runs returns the probabilities that at an interval a run of at least k-1, and of at least k missed beats begins: the
// least k of at least one for which the latter is below q, if more than forgive.
func (r *rhythm) runs(q float64, forgive int) (before, at float64, k int) {
	first := (float64(r.Missed[0]) + usualLoss*usualLossWeight) / (float64(r.Periods) + usualLossWeight)
	hazard := first
	before, at = 1, first
	for k = 1; at >= q || k <= forgive; k++ {
		if k < longestRun {
			expected := math.Sqrt(first * hazard)
			if k == 1 {
				expected = max(first, usualRun)
			}
			hazard = (float64(r.Missed[k]) + usualRunWeight*expected) / (float64(r.Missed[k-1]) + usualRunWeight)
		}
		before, at = at, at*min(hazard, maxHazard)
	}
	return before, at, k
}

// maxHazard is the largest hazard that is believed: a run comes to an end.
const maxHazard = 0.95

// patience returns the silence, in intervals, that is exceeded with the probability q at an interval.
func (r *rhythm) patience(q float64, forgive int) float64 {
	before, at, k := r.runs(q, forgive)
	wait := leastWait
	switch spread := r.spread(); {
	case before <= q || 6*spread <= leastWait: // six deviations are more than any q asks for
	case spread <= widestOnRhythm:
		wait = max(spread*quantile((q-at)/(before-at)), leastWait)
	default: // from half an interval before a beat to half after it the probability falls by the same factor in the same time
		wait = math.Log(before/q)/math.Log(before/at) - 0.5
	}
	return max(float64(k)+min(wait, mostWait), float64(forgive)+1+leastWait)
}

// spread returns the standard deviation, in intervals, of the moment of the next beat, or of one after missed ones.
func (r *rhythm) spread() float64 {
	return math.Sqrt(float64(max(r.Near, r.Far)))
}

// quantile returns how many standard deviations a normally distributed value exceeds with a probability.
func quantile(p float64) float64 {
	return math.Sqrt2 * math.Erfinv(1-2*p)
}

// threshold returns the silence, in seconds, at which a component is taken for silent; false before its interval is known.
func (a *Adaptive) threshold(r *rhythm) (float64, bool) {
	interval := float64(r.Interval)
	if interval == 0 {
		return 0, false
	}
	q := min(a.MistakesPerYear*interval/year, 0.5)
	return r.patience(q, a.Forgive) * interval, true
}

// learn takes a beat that was sent at a time, and ended a silence.
func (d *Detector) learn(c *component, at time.Duration, b *Beat) {
	r := &c.rhythm
	spacing, whole, known := d.spacing(c, at)
	switch {
	case !known:
	case spacing > d.longest(c).Seconds() || b.Starts > 0 && whole > 1.5*float64(r.Interval):
		r.Restart()
		c.threshold = max(c.threshold, c.rule.Threshold)
	default:
		r.Add(spacing, b.Beats, c.phase == silent)
	}
}

// adapt sets the threshold from the rhythm.
func (d *Detector) adapt(c *component) {
	a := d.config.Adaptive
	if a == nil {
		return
	}
	seconds, known := a.threshold(&c.rhythm)
	if !known {
		return
	}
	// The bounds come first: a wild interval could overflow a duration.
	seconds = min(max(seconds, a.Min.Seconds()), d.longest(c).Seconds())
	threshold := time.Duration(seconds * float64(time.Second))
	if !c.isLearnt() {
		threshold = max(threshold, min(c.rule.Threshold, d.longest(c)))
	}
	c.threshold = threshold
}

// isLearnt reports whether the rhythm has been followed for so long that it may shorten the threshold.
func (c *component) isLearnt() bool {
	r := &c.rhythm
	return r.Interval > 0 && r.Known >= untilLearnt*r.Interval && float64(r.Known) >= c.rule.Threshold.Seconds()
}

// longest is the silence up to which a component may be no more than hard to hear.
func (d *Detector) longest(c *component) time.Duration {
	if a := d.config.Adaptive; a != nil {
		return max(a.Max, c.rule.AdaptUpTo)
	}
	return 4 * min(c.rule.Threshold, never/4)
}
