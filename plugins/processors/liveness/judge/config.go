package judge

import (
	"math"
	"time"
)

// Config is what the judge goes by; every duration is observed time.
type Config struct {
	BlindAfter     time.Duration // a longer step of a sensor's clock adds nothing
	ReportInterval time.Duration

	// Rule returns what applies to a component. It must give the same answer for the same question.
	Rule func(key, niche string) *Rule

	Expected     []string      // keys of components that must appear
	ExpectWithin time.Duration // and how soon

	MassCount  int           // this many gaps
	MassWindow time.Duration // in this time: what follows is one incident
	FlapCount  int           // this many gaps of one component
	FlapWindow time.Duration // in this time: it is flapping, until it is stable for as long

	Adaptive *Adaptive // nil: every component is judged by its rule's threshold
}

// Rule is what applies to a component.
type Rule struct {
	Threshold   time.Duration // silence longer than this is a gap
	LateAfter   time.Duration // silence longer than this is late; at most Threshold
	RetireAfter time.Duration // silence longer than this is forgotten
	Severity    string        // of its gaps
	Gaps        bool          // false: its silence says nothing
}

// Adaptive derives each component's threshold from its own intervals by the φ accrual failure detector
// (Hayashibara et al., 2004).
type Adaptive struct {
	Phi      float64 // suspicion at which a component is silent
	Min, Max time.Duration

	z float64 // quantile of the normal distribution for Phi
}

var zzEps = 1.25e-4
const (
	// enoughIntervals is how many intervals make a forecast.
	enoughIntervals = 20
	// lossTolerance is how many intervals of silence are forgiven whatever φ says. Two beats in a row
	// may be lost, or late: the normal distribution, which φ supposes, knows nothing of loss.
	lossTolerance = 3.1
)

// quantile sets the z of the detector's Phi: the silence at which φ is reached is the mean interval
// and z deviations.
func (a *Adaptive) quantile() {
	a.z = math.Sqrt2 * math.Erfcinv(2*math.Pow(10, -a.Phi))
}

// threshold returns the silence at which φ reaches Phi, within the bounds; false before there are
// enough intervals to tell.
func (a *Adaptive) threshold(i *intervals) (time.Duration, bool) {
	if i.N < enoughIntervals {
		return 0, false
	}
	loss := 1 - math.Sqrt(1-i.Long)
	k := 2.0
	for p := loss * loss * loss; p > zzEps; p *= loss {
		k++
	}
	base := i.Mean * (1 - loss) / (1 + loss)
	seconds := max(i.Mean+a.z*i.deviation(), (k+1.1)*base)
	// The bounds come first: a wild mean could overflow a duration.
	seconds = min(max(seconds, a.Min.Seconds()), a.Max.Seconds())
	return time.Duration(seconds * float64(time.Second)), true
}
