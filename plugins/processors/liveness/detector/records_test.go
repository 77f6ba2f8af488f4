package detector

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestStaleRecordsAccuseNobody saves components of a colony at any times, and the head at the end, and goes on from
// there. Who was up when it was saved is not silent before its silence of then has become longer than the threshold.
func TestStaleRecordsAccuseNobody(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := New(&config, "")
		d.Tick(0, 0)
		saved := make(map[string]ComponentSnapshot)
		at := make(map[string]time.Duration) // when they were saved
		end := time.Duration(rapid.IntRange(1, 60).Draw(t, "end")) * second
		for now := second; now <= end; now += second {
			for i := range 3 {
				key := fmt.Sprint(i)
				if rapid.IntRange(0, 9).Draw(t, "beats") == 0 {
					d.Beat(beatOf(key, now))
				}
				if rapid.IntRange(0, 9).Draw(t, "saved") == 0 {
					if c, known := d.Component(key); known && c.State != Silent {
						saved[key], at[key] = c, d.Now()
					}
				}
			}
			d.Tick(0, now)
		}
		s := d.Head()
		for key, c := range saved {
			c.Stale = d.Now() - at[key]
			s.Components = append(s.Components, c)
		}
		d = New(&config, "")
		if said := d.Restore(s); len(said) > 0 {
			t.Fatal(said)
		}
		d.clock.deaf = false // as if nothing could have been lost meanwhile
		silent := make(map[string]time.Duration)
		for now := end; now <= end+40*second; now += second {
			for _, f := range d.Tick(0, now) {
				if f.Change == WentSilent {
					silent[f.Key] = now - end
				}
			}
		}
		for key, c := range saved {
			due := 30*second - (at[key] - c.Last)
			if silent[key] <= due || silent[key] > due+second {
				t.Fatalf("%q was silent for %v when it was saved, and is silent after another %v", key, at[key]-c.Last, silent[key])
			}
		}
	})
}

// TestSilenceThatDoesNotCountInARecord saves a component when a beat of it was due in a hole. It went on to beat, and that was not
// saved: what did not count of its silence does not count after a kill, either.
func TestSilenceThatDoesNotCountInARecord(t *testing.T) {
	d := New(&config, "")
	now := time.Duration(0)
	pass := func(until time.Duration) (silent time.Duration) {
		for ; now < until; now += second {
			if now == 122*second {
				d.Holes(1, now, time.Unix(1e9, 0), 1, []Hole{{Observed: 119*second + second/2, Length: 2 * second}})
			}
			for _, f := range d.Tick(1, now) {
				if f.Change == WentSilent {
					silent = now
				}
			}
		}
		return silent
	}
	beat := func() {
		b := beatOf("a", now)
		b.Run = 1
		d.Beat(b)
	}
	for range 11 {
		pass(now + 10*second)
		beat()
	}
	pass(127 * second)
	saved, _ := d.Component("a")
	require.Equal(t, Up, saved.State)
	beat()
	pass(147 * second)
	s := d.Head()
	saved.Stale = s.Clock.Now - 126*second
	s.Components = append(s.Components, saved)
	d = New(&config, "")
	require.Empty(t, d.Restore(s))
	d.clock.deaf = false // as if nothing could have been lost meanwhile
	require.Zero(t, pass(165*second))
	require.NotZero(t, pass(175*second))
}

// TestComponentsGoOn has components retire while a round over all of them goes on: none is left out.
func TestComponentsGoOn(t *testing.T) {
	d := crowded(0)
	d.Tick(0, 0)
	for i := range 100 {
		d.Beat(beatOf(fmt.Sprint(i), 0))
	}
	seen := make(map[string]int)
	take := func(most int) bool {
		return d.Components(func(c *ComponentSnapshot) bool {
			seen[c.Key]++
			most--
			return most > 0
		})
	}
	require.True(t, take(70))
	for i := range 60 { // more than half, so that the others move up
		d.Remove(fmt.Sprint(i), false)
	}
	require.False(t, take(100))
	for i := range 100 {
		require.Equal(t, 1, seen[fmt.Sprint(i)], i)
	}
	d.Rewind()
	clear(seen)
	require.False(t, take(100))
	require.Len(t, seen, 40)
}
