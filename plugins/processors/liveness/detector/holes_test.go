package detector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestHolesAreBounded adds many holes: the latest are as they were, and all others go into some before.
func TestHolesAreBounded(t *testing.T) {
	var h holes
	const n = 100 * maxHoles
	for i := range n {
		at := time.Duration(i) * second
		h.Add(hole{At: at, Until: at, Dark: second}, at)
	}
	require.Len(t, h.list, maxHoles)
	dark := time.Duration(0)
	for i, one := range h.list {
		dark += one.Dark
		require.True(t, i == 0 || h.list[i-1].Until <= one.At)
	}
	require.Equal(t, n*second, dark)
	last := h.list[maxHoles-1]
	require.Equal(t, []any{(n - 1) * second, (n - 1) * second, uint32(n)}, []any{last.At, last.Until, last.Number})
	require.Empty(t, h.Since((n-1)*second, n), "it was known when the beat came")
	require.Len(t, h.Since((n-1)*second, n-1), 1)
}

// TestLengthOfHoles says how long each hole is taken to be.
func TestLengthOfHoles(t *testing.T) {
	type want struct {
		dark    time.Duration
		unknown int
	}
	run := func(at time.Duration) int64 { return epoch.Add(at).UnixNano() }
	ticked := func() *Detector {
		d := New(&config, "")
		d.Holes(run(0), 5*second, epoch.Add(5*second), 0, nil)
		d.Tick(run(0), 5*second)
		return d
	}
	for name, test := range map[string]struct {
		next func(*Detector)
		want []want
	}{
		"listed": {func(d *Detector) {
			d.Holes(run(0), 6*second, epoch.Add(8*second), 1, []Hole{{Observed: 5 * second, Length: 2 * second}})
		}, []want{{2 * second, 0}}},
		"listed again": {func(d *Detector) {
			for range 2 {
				d.Holes(run(0), 6*second, epoch.Add(8*second), 1, []Hole{{Observed: 5 * second, Length: 2 * second}})
			}
		}, []want{{2 * second, 0}}},
		"more than are listed": {func(d *Detector) {
			d.Holes(run(0), 7*second, epoch.Add(9*second), 3, []Hole{{Observed: 6 * second, Length: second}})
		}, []want{{0, 2}, {second, 0}}},
		"the input restarts":                        {func(d *Detector) { d.Tick(run(9*second), 0) }, []want{{4 * second, 0}}},
		"it restarts, and its first second is lost": {func(d *Detector) { d.Tick(run(9*second), second) }, []want{{5 * second, 0}}},
		"it restarts, and its clock was set back":   {func(d *Detector) { d.Tick(run(4*second), 0) }, []want{{0, 1}}},
		"metrics are lost":                          {func(d *Detector) { d.Tick(run(0), 15*second) }, []want{{10 * second, 0}}},
	} {
		d := ticked()
		test.next(d)
		var got []want
		for _, h := range d.clock.holes.list {
			got = append(got, want{h.Dark, h.Unknown})
		}
		require.Equal(t, test.want, got, name)
	}
}

// TestHoleOfUnknownLength restarts the input 4 s after the last beat of a component that beats every 10 s. As long as an
// interval, the hole can have swallowed the next one, so the silence counts from its end.
func TestHoleOfUnknownLength(t *testing.T) {
	d := New(&config, "")
	for at := time.Duration(0); at <= 104*second; at += second {
		if at%(10*second) == 0 {
			b := beatOf("a", at)
			b.Run = 1
			d.Beat(b)
		}
		d.Tick(1, at)
	}
	for at := time.Duration(0); at <= 60*second; at += second {
		for _, f := range d.Tick(2, at) {
			if f.Change == WentSilent {
				require.Equal(t, 31*second, at, "the first tick after the threshold of 30 s")
				return
			}
		}
	}
	require.Fail(t, "it was not found")
}
