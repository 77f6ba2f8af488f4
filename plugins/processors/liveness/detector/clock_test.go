package detector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestClockFollowsReadings(t *testing.T) {
	const s = time.Second
	for _, test := range []struct {
		name  string
		steps []time.Duration // readings of the input's clock
		want  time.Duration   // of this clock
	}{
		{"nothing was heard", nil, 0},
		{"it starts where the input is", []time.Duration{1000 * s}, 0},
		{"it goes along", []time.Duration{5 * s, 6 * s, 6*s + 1, 8 * s}, 3 * s},
		{"a step of blind_after counts", []time.Duration{0, 3 * s}, 3 * s},
		{"a longer one adds nothing", []time.Duration{0, 3*s + 1}, 0},
		{"nor does it later", []time.Duration{0, 1 * s, 60 * s, 61 * s}, 2 * s},
		{"the same again adds nothing", []time.Duration{0, 1 * s, 1 * s, 1 * s}, 1 * s},
		{"a beat from before adds nothing, and takes nothing away", []time.Duration{0, 2 * s, 1 * s, 3 * s}, 3 * s},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := clock{blindAfter: 3 * s}
			for _, observed := range test.steps {
				c.forward(observed)
			}
			require.Equal(t, test.want, c.now)
		})
	}
}

func TestClockAt(t *testing.T) {
	const s = time.Second
	c := clock{blindAfter: 3 * s}
	c.forward(100 * s) // 0
	c.forward(102 * s) // 2
	c.forward(150 * s) // 2: a jump
	c.forward(151 * s) // 3
	c.forward(190 * s) // 3: a jump
	c.forward(192 * s) // 5
	for _, test := range []struct{ observed, want time.Duration }{
		{200 * s, 5 * s}, // not heard of yet
		{192 * s, 5 * s},
		{191 * s, 4 * s},
		{190 * s, 3 * s},
		{189 * s, 3 * s}, // in a jump
		{151*s + 1, 3 * s},
		{151 * s, 3 * s},
		{150*s + s/2, 2*s + s/2},
		{150 * s, 2 * s},
		{120 * s, 2 * s}, // in the other jump
		{102 * s, 2 * s},
		{101 * s, 1 * s},
		{100 * s, 0},
		{99 * s, 0}, // before this clock's time
		{0, 0},
	} {
		require.Equal(t, test.want, c.At(test.observed), "at %v", test.observed)
	}

	c.restart(0, 0)   // 5
	c.forward(2 * s)  // 7
	c.forward(90 * s) // 7: a jump
	for _, test := range []struct{ observed, want time.Duration }{
		{90 * s, 7 * s},
		{50 * s, 7 * s},
		{1 * s, 6 * s},
		{0, 5 * s},
	} {
		require.Equal(t, test.want, c.At(test.observed), "at %v after the restart", test.observed)
	}
}

func TestClockForgetsOldJumps(t *testing.T) {
	const s = time.Second
	c := clock{blindAfter: 3 * s}
	for i := range 10 * maxJumps {
		c.forward(time.Duration(i) * 10 * s)
		c.forward(time.Duration(i)*10*s + s)
	}
	require.LessOrEqual(t, len(c.jumps), maxJumps)
	require.Equal(t, 10*maxJumps*s, c.now)
	require.Equal(t, c.now-5*s, c.At(time.Duration(10*maxJumps-5)*10*s))
	oldest := c.At(0)
	require.Greater(t, oldest, time.Duration(0), "too late rather than too early")
	require.Less(t, oldest, c.now)
}

// TestClockTellsRunsApart feeds readings of several runs. A reading that does not count has no value in want.
func TestClockTellsRunsApart(t *testing.T) {
	const s = time.Second
	const no = -s
	type reading struct {
		run      int64
		at, want time.Duration
	}
	for _, test := range []struct {
		name     string
		readings []reading
		two      bool
	}{
		{"an earlier tick is a copy", []reading{{1, 0, 0}, {1, s, s}, {1, 2 * s, 2 * s}, {1, s, no}, {1, 0, no}, {1, 3 * s, 3 * s}}, false},
		{"without a run it is a restart", []reading{{0, 0, 0}, {0, 2 * s, 2 * s}, {0, s, 2 * s}, {0, 2 * s, 3 * s}}, false},
		{"a run never seen is a restart", []reading{{1, 0, 0}, {1, 2 * s, 2 * s}, {2, 9 * s, 2 * s}, {2, 10 * s, 3 * s}}, false},
		{"in no order", []reading{{9, 2 * s, 0}, {3, 0, 0}, {3, s, s}}, false},
		{"of a former run come copies only", []reading{{1, 0, 0}, {1, 2 * s, 2 * s}, {2, 0, 2 * s}, {1, s, no}, {1, 2 * s, no}, {2, s, 3 * s}}, false},
		{"of two inputs the first counts", []reading{{1, 0, 0}, {2, 5 * s, 0}, {1, s, 0}, {2, 6 * s, no}, {1, 2 * s, s}, {2, 7 * s, no}, {1, 3 * s, 2 * s}}, true},
		{"until it is mute", []reading{
			{1, 0, 0}, {2, 5 * s, 0}, {1, s, 0}, {2, 6 * s, no}, {2, 8 * s, no}, {2, 9 * s, 0}, {2, 10 * s, s}, {1, 2 * s, no}, {2, 11 * s, 2 * s},
		}, true},
		{"a version without runs comes after one with them", []reading{{1, 5 * s, 0}, {0, 0, 0}, {0, s, s}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := clock{blindAfter: 3 * s}
			for i, r := range test.readings {
				require.Equal(t, r.want != no, c.Take(r.run, r.at, true), "reading %d", i)
				if r.want != no {
					require.Equal(t, r.want, c.now, "after reading %d", i)
				}
			}
			require.Equal(t, test.two, c.duplicate)
		})
	}
}

func TestClockRemembersRuns(t *testing.T) {
	const s = time.Second
	c := clock{blindAfter: 3 * s}
	for run := int64(1); run <= 100; run++ {
		require.True(t, c.Take(run, 0, true))
		require.True(t, c.Take(run, s, true))
		for before := max(run-maxRuns+1, 1); before < run; before++ {
			require.False(t, c.Take(before, s, true), "run %d after %d", before, run)
		}
	}
	require.Len(t, c.runs, maxRuns)
	require.Equal(t, 100*s, c.now)
}
