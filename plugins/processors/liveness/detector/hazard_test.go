package detector

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// losing is a rhythm of a beat every 10 s, each lost with a probability.
func losing(loss float64) *rhythm {
	r := &rhythm{Interval: 10, Known: 10_000, Periods: 1000}
	runs := 1000.0
	for j := range r.Missed {
		runs *= loss
		r.Missed[j] = float32(runs)
	}
	return r
}

// TestPatience checks how many beats in a row may be missed, where each is with the same probability: the least number
// that is more rarely missed than asked.
func TestPatience(t *testing.T) {
	for _, loss := range []float64{0.02, 0.05, 0.1, 0.2, 0.4} {
		for _, perYear := range []float64{10, 30, 100, 300, 1000} {
			q := perYear * 10 / year
			want := math.Log(q) / math.Log(loss)
			require.InDelta(t, want, losing(loss).patience(q, 0), 1.1, "%g of the beats, %g a year", loss, perYear)
		}
	}
}

func TestPatienceGrowsWithTheLossAndThePromise(t *testing.T) {
	last := 0.0
	for _, loss := range []float64{0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5} {
		at := losing(loss).patience(3e-5, 1)
		require.GreaterOrEqual(t, at, last, "%g of the beats lost", loss)
		last = at
	}
	last = math.Inf(1)
	for q := 1e-9; q < 0.5; q *= 1.5 {
		at := losing(0.1).patience(q, 1)
		require.LessOrEqual(t, at, last+1e-9, "with a probability of %g", q)
		last = at
	}
}

// TestPatienceWithoutRhythm has spacings that are each interval longer with the same probability, and keep no rhythm: the
// threshold may lie anywhere between two beats.
func TestPatienceWithoutRhythm(t *testing.T) {
	for _, longer := range []float64{0.1, 0.2, 0.4} {
		r := losing(longer)
		r.Near = 0.1
		for q := 0.01; q > 1e-5; q *= 0.8 {
			want := math.Log(q)/math.Log(longer) + 0.5
			require.InEpsilon(t, want, r.patience(q, 0), 0.1, "longer than an interval with %g, exceeded with %g", longer, q)
		}
		require.InDelta(t, 4+leastWait, r.patience(0.4, 3), 1e-9, "what is forgiven is forgiven")
	}
}

func TestForgive(t *testing.T) {
	regular := losing(0)
	for forgive := range 12 {
		at := regular.patience(0.4, forgive)
		require.GreaterOrEqual(t, at, float64(forgive)+1+leastWait)
		require.LessOrEqual(t, at, max(float64(forgive), 1)+1+mostWait)
	}
}

// TestThresholdIsFinite is about rhythms that a saved state may hold.
func TestThresholdIsFinite(t *testing.T) {
	for _, loss := range []float64{0, 1, 2, 1e6} {
		for _, interval := range []float32{1e-6, 1, 1e6, math.MaxInt32} {
			r := losing(loss)
			r.Interval, r.Near, r.Far = interval, interval, interval
			for _, perYear := range []float64{0.01, 100, 100_000} {
				a := Adaptive{MistakesPerYear: perYear, Forgive: 100}
				seconds, known := a.threshold(r)
				require.True(t, known)
				require.False(t, math.IsNaN(seconds) || math.IsInf(seconds, 0), "%+v", r)
			}
		}
	}
}

// beatEvery lets a component beat n times, with a tick every second, and returns the time of the last beat.
func beatEvery(d *Detector, at, interval time.Duration, n int) time.Duration {
	for range n {
		observe(d, at, at+interval)
		at += interval
		d.Beat(beatOf("a", at))
	}
	return at
}

// TestRestartAfterAnOutage replays a component of the recorded colony, which was down for 77 s: with the start of a
// stream its outage is no run of lost beats, and its threshold is the same again.
func TestRestartAfterAnOutage(t *testing.T) {
	for _, starts := range []int{0, 1} {
		c := config
		c.Adaptive = adaptiveOf(100)
		d := New(&c, "")
		d.Tick(0, 0)
		d.Beat(beatOf("a", 0))
		at := beatEvery(d, 0, 10*second, 500)
		before := d.components["a"].threshold
		require.InDelta(t, 20.3, before.Seconds(), 0.1)
		observe(d, at, at+77*second)
		at += 77 * second
		back := beatOf("a", at)
		back.Starts = starts
		d.Beat(back)
		at = beatEvery(d, at, 10*second, 5)
		require.Equal(t, starts == 0, d.components["a"].rhythm.Loss() > 0)
		if starts > 0 {
			require.InDelta(t, 30, d.components["a"].threshold.Seconds(), 1, "while the rhythm is learned again")
		}
		beatEvery(d, at, 10*second, 200)
		require.Equal(t, starts > 0, d.components["a"].threshold <= before+second, "%v", d.components["a"].threshold)
	}
}

// TestRhythmIsKeptWithoutAdaptive is about a fixed threshold: how a component beats is known, and survives a restart.
func TestRhythmIsKeptWithoutAdaptive(t *testing.T) {
	d := New(&config, "")
	d.Tick(0, 0)
	d.Beat(beatOf("a", 0))
	beatEvery(d, 0, 8*second, 50)
	require.InDelta(t, 8, d.components["a"].rhythm.Interval, 0.01)
	require.Equal(t, 30*second, d.components["a"].threshold)
	r := restarted(t, &config, d).components["a"].rhythm
	require.Equal(t, d.components["a"].rhythm, r)
}

// TestIntervalsOfFormerVersions loads a state that has φ's window instead of a rhythm.
func TestIntervalsOfFormerVersions(t *testing.T) {
	var s Snapshot
	require.NoError(t, json.Unmarshal([]byte(`{"clock":{"started":true,"now":5},"components":[{"key":"a","state":"up","beats":9,
		"threshold":60000000000,"intervals":{"n":9,"weight":90,"mean":10,"variance":1,"drift":1}}]}`), &s))
	c := config
	c.Adaptive = adaptiveOf(100)
	d := New(&c, "")
	require.Empty(t, d.Restore(&s))
	require.Zero(t, d.components["a"].rhythm)
	require.Equal(t, 60*second, d.components["a"].threshold, "the longer one, until it is known better")
}
