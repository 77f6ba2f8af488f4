package detector

import (
	"math"
	"time"
)

const (
	// intervalMemory is how many mean intervals the statistics look back over.
	intervalMemory = 100
	// maxPhi bounds φ where the probability is too small for a float64.
	maxPhi = 300
	// missingBeat is how many mean intervals long an interval is that misses a beat.
	missingBeat = 1.5
	// maxLoss is the largest share of lost beats that can be told from a slower rhythm.
	maxLoss = 0.9
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
	N        int32   `json:"n,omitempty"`    // seen, up to intervalMemory
	Long     float32 `json:"long,omitempty"` // share of the time in intervals that miss a beat
	Weight   float64 `json:"weight,omitempty"`
	Mean     float64 `json:"mean,omitempty"`     // seconds
	Variance float64 `json:"variance,omitempty"` // seconds²
	Drift    float64 `json:"drift,omitempty"`    // seconds², mean square of how far from the rhythm beats come
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
	interval := seconds / float64(n)
	delta := interval - i.Mean
	i.Mean += share * delta
	i.Variance = (1 - share) * (i.Variance + share*delta*delta)
	long := float32(0)
	if interval > missingBeat*i.Mean {
		long = 1
	}
	i.Long += float32(share) * (long - i.Long)
	rhythm := i.rhythm()
	off := interval - max(math.Round(interval/rhythm), 1)*rhythm
	i.Drift += share * (off*off - i.Drift)
	i.Weight = min(total, intervalMemory*i.Mean)
}

// loss is the share of beats that are lost. Of the time, (1-loss)² is in intervals that miss none.
func (i *intervals) loss() float64 {
	return min(1-math.Sqrt(float64(1-min(i.Long, 1))), maxLoss)
}

// rhythm is the time between beats, in seconds, if none were lost.
func (i *intervals) rhythm() float64 {
	loss := i.loss()
	return i.Mean * (1 - loss) / (1 + loss)
}

// sane reports whether the values can be those of intervals; those of a saved state may be any.
func (i *intervals) sane() bool {
	for _, v := range []float64{float64(i.N), float64(i.Long), i.Weight, i.Mean, i.Variance, i.Drift} {
		if !(v >= 0 && v <= math.MaxFloat32) {
			return false
		}
	}
	return i.Long <= 1
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
