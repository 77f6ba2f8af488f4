package judge

import (
	"math"
	"time"
)

const (
	// intervalMemory is how many mean intervals the statistics look back over.
	intervalMemory = 100
	// maxPhi bounds φ where the probability is too small for a float64.
	maxPhi = 300
	// longInterval is how many mean intervals long an interval is in which a beat is missing.
	longInterval = 1.5
	// minDeviation is the smallest deviation, as a share of the mean, that a forecast is made of: a
	// few intervals that happen to be equal are no proof of a perfect clock.
	minDeviation = 0.05
)

// intervals holds the running mean and variance of the time between beats, without a window of
// samples (West 1979, "Updating mean and variance estimates").
//
// Each interval weighs as much as it lasts: the mean is that of the interval into which a moment
// falls, not of the interval that a beat ends. They are the same for regular beats; for a component
// whose several streams beat in a burst every 10 s it is the 10 s, which is what a silence is to be
// compared with.
type intervals struct {
	N        int32   `json:"n,omitempty"` // seen, up to intervalMemory
	Weight   float64 `json:"weight,omitempty"`
	Mean     float64 `json:"mean,omitempty"`     // seconds
	Variance float64 `json:"variance,omitempty"` // seconds²
	Long     float64 `json:"long,omitempty"`     // share of the time that is in intervals in which a beat is missing
}

// Add takes n beats that came in a time since the beat before them.
func (i *intervals) Add(elapsed time.Duration, n int) {
	seconds := elapsed.Seconds()
	if n <= 0 || seconds <= 0 {
		return
	}
	i.N = int32(min(int(i.N)+n, intervalMemory))
	total := i.Weight + seconds
	share := seconds / total
	long := 0.0
	if seconds > longInterval*float64(n)*i.Mean && i.Mean > 0 {
		long = 1
	}
	i.Long += share * (long - i.Long)
	delta := seconds/float64(n) - i.Mean
	i.Mean += share * delta
	i.Variance = (1 - share) * (i.Variance + share*delta*delta)
	i.Weight = min(total, intervalMemory*i.Mean)
}

// deviation is the standard deviation that a forecast is made of.
func (i *intervals) deviation() float64 {
	return max(i.stddev(), minDeviation*i.Mean)
}

// phi returns the suspicion level of the φ accrual failure detector (Hayashibara et al., 2004):
// -log10 of the probability that a beat still comes after this much silence, for normally distributed
// intervals. It is 0 before two intervals were seen.
func (i *intervals) phi(silence time.Duration) float64 {
	if i.N < 2 || i.Mean <= 0 {
		return 0
	}
	y := (silence.Seconds() - i.Mean) / (i.deviation() * math.Sqrt2)
	p := math.Erfc(y) / 2
	if p <= 0 {
		return maxPhi
	}
	// The logarithm of 1 would give a negative zero.
	return min(max(-math.Log10(p), 0), maxPhi)
}

func (i *intervals) stddev() float64 {
	return math.Sqrt(i.Variance)
}
