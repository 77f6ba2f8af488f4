package chembus

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// plainRecent is the rule by which copies are recognised, without anything that makes it fast.
type plainRecent []recentBeat

func (r *plainRecent) IsCopy(hash uint64, sent float64, now time.Duration) bool {
	for i, b := range *r {
		if b.hash == hash && !(math.IsNaN(sent) && now-b.arrived > untimedCopyWindow) {
			*r = slices.Delete(*r, i, i+1)
			return true
		}
	}
	*r = slices.DeleteFunc(*r, func(b recentBeat) bool {
		return now-b.arrived > copyWindow && !(math.Abs(sent-b.sent) <= copyWindow.Seconds())
	})
	if len(*r) == maxRecent {
		*r = slices.Delete(*r, 0, 1)
	}
	*r = append(*r, recentBeat{hash: hash, sent: sent, arrived: now})
	return false
}

// Whoever beats however often, with whatever clock: the same copies are found.
func TestCopiesAreToldByTheRule(t *testing.T) {
	type sending struct {
		hash uint64
		sent float64
	}
	copies := 0
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		pace := []time.Duration{time.Millisecond, 50 * time.Millisecond, time.Second, 4 * time.Second}[seed%4]
		var fast recentBeats
		var rule plainRecent
		var past []sending
		var now time.Duration
		for n := range 1000 {
			now += time.Duration(random.Int64N(int64(pace)))
			s := sending{hash: uint64(n), sent: wall(now.Seconds())}
			switch random.IntN(20) {
			case 0:
				s.sent = math.NaN()
			case 1:
				s.sent -= 10 * random.Float64() // its clock was set back, or it waited
			case 2:
				s.sent = -s.sent
			case 3, 4, 5:
				if len(past) > 0 { // a copy, perhaps of long ago or another one
					s = past[max(len(past)-1-random.IntN(80), 0)]
				}
			}
			past = append(past, s)
			expected := rule.IsCopy(s.hash, s.sent, now)
			require.Equal(t, expected, fast.IsCopy(s.hash, s.sent, now), "seed %d, beat %d", seed, n)
			if expected {
				copies++
			}
			ordered := append(slices.Clone(fast.beats[fast.oldest:]), fast.beats[:fast.oldest]...)
			require.Equal(t, hashes(rule), hashes(ordered), "seed %d, beat %d", seed, n)
		}
	}
	require.Greater(t, copies, 1000)
}

func hashes(beats []recentBeat) []uint64 {
	list := []uint64{}
	for _, b := range beats {
		list = append(list, b.hash)
	}
	return list
}

func TestSignalCopies(t *testing.T) {
	c := newSignals(newPlugin()).copies
	copied := func(seconds float64, topic, payload string, dated bool) bool {
		return c.Copied(topic, []byte(payload), dated, at(seconds))
	}
	require.False(t, copied(0, "A", "x", true))
	require.True(t, copied(0.15, "A", "x", true))
	require.True(t, copied(500, "A", "x", true), "held up by the bus")
	require.False(t, copied(500, "B", "x", true), "another topic")
	require.False(t, copied(500, "A", "y", true), "another event")

	require.False(t, copied(0, "A", "undated", false))
	require.True(t, copied(0.15, "A", "undated", false))
	require.False(t, copied(10, "A", "undated", false), "it happened again")
	require.True(t, copied(10.15, "A", "undated", false))

	for n := range 10 * maxRecentSignals {
		require.False(t, copied(20, "A", fmt.Sprint(n), true))
		require.True(t, copied(20, "A", fmt.Sprint(n), true))
	}
	require.Equal(t, maxRecentSignals, c.heard.Len())
	require.False(t, copied(20, "A", "x", true), "forgotten")
}
