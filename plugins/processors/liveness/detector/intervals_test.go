package detector

import (
	"math"
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestIntervalsOfFewAreTheirMean(t *testing.T) {
	var i intervals
	for _, elapsed := range []time.Duration{8, 10, 15} {
		i.Add(elapsed*time.Second, 1)
	}
	i.Add(99*time.Second, 0)
	i.Add(99*time.Second, -1)
	// Each weighs as much as it lasts: (8²+10²+15²)/33, and the deviation from that.
	mean := 389.0 / 33
	require.InDelta(t, mean, i.Mean, 1e-9)
	require.InDelta(t, math.Sqrt((8*(8-mean)*(8-mean)+10*(10-mean)*(10-mean)+15*(15-mean)*(15-mean))/33), i.stddev(), 1e-9)
}

func TestIntervalsFollowAChange(t *testing.T) {
	var i intervals
	for range 1000 {
		i.Add(10*time.Second, 1)
	}
	require.InDelta(t, 10, i.Mean, 1e-9)
	require.InDelta(t, 0, i.stddev(), 1e-6)
	for range 10 * intervalMemory {
		i.Add(2*time.Second, 1)
	}
	require.InDelta(t, 2, i.Mean, 0.05)
}

func TestIntervalsOfNoise(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	var i intervals
	for range 10_000 {
		i.Add(time.Duration((10+random.NormFloat64())*float64(time.Second)), 1)
	}
	require.InDelta(t, 10, i.Mean, 0.5)
	require.InDelta(t, 1, i.stddev(), 0.3)
}

func TestIntervalsAreTheSameHoweverBeatsWereMerged(t *testing.T) {
	// Eight streams under one name, all beating within 70 ms, every 10 s.
	one, merged := intervals{}, intervals{}
	for range 12 {
		one.Add(9930*time.Millisecond, 1)
		for range 7 {
			one.Add(10*time.Millisecond, 1)
		}
		merged.Add(9930*time.Millisecond, 1)
		merged.Add(70*time.Millisecond, 7)
	}
	require.InDelta(t, 9.86, one.Mean, 0.01, "the interval into which a moment falls")
	require.InDelta(t, one.Mean, merged.Mean, 0.05)
	require.InDelta(t, one.stddev(), merged.stddev(), 0.05)
}

func TestPhi(t *testing.T) {
	var i intervals
	require.Zero(t, i.phi(time.Hour), "nothing is known")
	i.Add(10*time.Second, 1)
	require.Zero(t, i.phi(time.Hour), "one interval is nothing")
	i.Add(10*time.Second, 1)
	require.False(t, math.Signbit(i.phi(0)), "a minus before a zero")

	// The deviation is taken for 0.5 s at least: so many of it, so improbable.
	for _, test := range []struct {
		silence time.Duration
		phi     float64
	}{
		{10 * time.Second, -math.Log10(0.5)},
		{10500 * time.Millisecond, -math.Log10(0.158655)},
		{11 * time.Second, -math.Log10(0.0227501)},
		{12 * time.Second, -math.Log10(3.16712e-5)},
	} {
		require.InDelta(t, test.phi, i.phi(test.silence), 1e-4, "%v", test.silence)
	}
	require.InDelta(t, maxPhi, i.phi(time.Hour), 0)

	last := 0.0
	for silence := time.Duration(0); silence < time.Minute; silence += 50 * time.Millisecond {
		phi := i.phi(silence)
		require.GreaterOrEqual(t, phi, last, "at %v", silence)
		require.LessOrEqual(t, phi, float64(maxPhi))
		last = phi
	}
}

func TestPhiOfNoTime(t *testing.T) {
	var i intervals
	i.Add(0, 5)
	i.Add(0, 5)
	require.Zero(t, i.phi(time.Second))
	require.Zero(t, i.stddev())
}
