package judge

import (
	"math"
	"time"
)

// intervalMemory is how many intervals the running mean and deviation look back over, about.
const intervalMemory = 100

// intervals holds the running mean and variance of the time between beats, without a window of
// samples: the mean of all until intervalMemory of them were seen, an exponentially weighted one
// after that (West 1979, "Updating mean and variance estimates").
type intervals struct {
	n              int
	mean, variance float64 // seconds, seconds²
}

// Add takes n beats that came in a time since the beat before them. Each of them weighs the same, so
// that the mean does not depend on how beats were merged on their way.
func (i *intervals) Add(elapsed time.Duration, n int) {
	if n <= 0 {
		return
	}
	i.n = min(i.n+n, intervalMemory)
	weight := min(float64(n)/float64(i.n), 1)
	delta := elapsed.Seconds()/float64(n) - i.mean
	i.mean += weight * delta
	i.variance = (1 - weight) * (i.variance + weight*delta*delta)
}

func (i *intervals) stddev() float64 {
	return math.Sqrt(i.variance)
}

const (
	// maxPhi bounds φ where the probability is too small for a float64.
	maxPhi = 300
	// minDeviation is the smallest deviation, as a share of the mean, that a forecast is made of: a
	// few intervals that happen to be equal are no proof of a perfect clock.
	minDeviation = 0.05
)

// phi returns the suspicion level of the φ accrual failure detector (Hayashibara et al., 2004):
// -log10 of the probability that a beat still comes after this much silence, for normally distributed
// intervals. It is 0 before two intervals were seen.
func (i *intervals) phi(silence time.Duration) float64 {
	if i.n < 2 || i.mean <= 0 {
		return 0
	}
	deviation := max(i.stddev(), minDeviation*i.mean)
	y := (silence.Seconds() - i.mean) / (deviation * math.Sqrt2)
	p := math.Erfc(y) / 2
	if p <= 0 {
		return maxPhi
	}
	// The logarithm of 1 would give a negative zero.
	return min(max(-math.Log10(p), 0), maxPhi)
}
