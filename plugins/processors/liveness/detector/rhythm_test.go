package detector

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// beating returns the rhythm of a component with some spacings, in seconds, over and over.
func beating(times int, spacings ...float64) *rhythm {
	r := &rhythm{}
	for range times {
		for _, x := range spacings {
			r.Add(x, 1, false)
		}
	}
	return r
}

func TestRhythmOfRegularBeats(t *testing.T) {
	r := beating(100, 10)
	require.InDelta(t, 10, r.Interval, 1e-3)
	require.InDelta(t, 10, r.Longest, 1e-3)
	require.InDelta(t, 1000, r.Known, 1e-3)
	require.Zero(t, r.Loss())
	require.InDelta(t, 0, r.Deviation(), 1e-3)
}

func TestRhythmIgnoresWhatTakesNoTime(t *testing.T) {
	r := beating(10, 10)
	before := *r
	r.Add(0, 5, false)
	r.Add(-1, 1, false)
	r.Add(99, 0, false)
	require.Equal(t, before, *r)
}

// TestRhythmOfLostBeats loses one beat in ten: it is no longer interval.
func TestRhythmOfLostBeats(t *testing.T) {
	r := beating(100, 10, 10, 10, 10, 10, 10, 10, 10, 20)
	require.InDelta(t, 10, r.Interval, 0.1)
	require.InDelta(t, 10, r.Longest, 0.1)
	require.InDelta(t, 0.1, r.Loss(), 0.02)
	require.Zero(t, r.Missed[1], "never two in a row")
}

// TestRhythmOfBeatsLostInARow loses three beats in a row of each twelve.
func TestRhythmOfBeatsLostInARow(t *testing.T) {
	r := beating(100, 10, 10, 10, 10, 10, 10, 10, 10, 40)
	require.InDelta(t, 10, r.Interval, 0.5)
	require.InDelta(t, 3/12.0, r.Loss(), 0.02)
}

func TestRhythmOfNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	r := &rhythm{}
	for range 10_000 {
		r.Add(10+random.NormFloat64(), 1, false)
	}
	require.InDelta(t, 10, r.Interval, 0.5)
	require.InDelta(t, 1, r.Deviation(), 0.3)
	require.Greater(t, r.Longest, float32(10.1))
}

// TestRhythmOfStreams has eight streams beat within 0.7 s every 10 s, as a component in the recorded colony does: also
// just after its start a moment falls into the pause between them.
func TestRhythmOfStreams(t *testing.T) {
	for _, cycles := range []int{2, 3, 10, 100} {
		r := beating(cycles, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 9.3)
		require.InDelta(t, 9, r.Interval, 0.8, "%d cycles", cycles)
		require.InDelta(t, 9.2, r.Longest, 0.3, "%d cycles", cycles)
		require.Zero(t, r.Loss())
		require.InDelta(t, 10, r.Cycle, 0.1, "from the first of them to the next first")
		require.GreaterOrEqual(t, r.Known, float32(10*(cycles-1)-1), "it is not learned again and again")
		merged := &rhythm{}
		for range cycles {
			merged.Add(0.7, 7, false)
			merged.Add(9.3, 1, false)
		}
		require.InDelta(t, r.Interval, merged.Interval, 0.1, "however beats are merged")
	}
}

func TestRhythmFollowsAChange(t *testing.T) {
	for _, after := range []float64{3, 5, 18, 25, 60, 120} {
		r := beating(1000, 10)
		for x := 0.0; x < 100 || x < 10*after; x += after {
			r.Add(after, 1, false)
		}
		require.InEpsilon(t, after, r.Interval, 0.1, "interval after %g", after)
		require.InEpsilon(t, after, r.Longest, 0.1, "longest after %g", after)
	}
}

// TestRhythmLearnsNoSuspectedInterval is about a silence that may have been a failure: it counts as missed beats, and
// makes the interval no longer.
func TestRhythmLearnsNoSuspectedInterval(t *testing.T) {
	r := beating(100, 10)
	r.Add(60, 1, true)
	require.InDelta(t, 10, r.Interval, 1e-3)
	require.InDelta(t, 1, r.Missed[4], 1e-3)
	r.Restart()
	require.Zero(t, r.Interval)
	require.InDelta(t, 1, r.Missed[4], 1e-3, "how beats are lost is not forgotten")
}
