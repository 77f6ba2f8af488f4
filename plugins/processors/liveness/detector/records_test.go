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
