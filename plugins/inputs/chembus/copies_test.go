package chembus

import (
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
		if b.hash == hash && !(math.IsNaN(sent) && now-b.arrived > untimedTapWindow) {
			*r = slices.Delete(*r, i, i+1)
			return true
		}
	}
	*r = slices.DeleteFunc(*r, func(b recentBeat) bool {
		return now-b.arrived > doubleTapWindow && !(math.Abs(sent-b.sent) <= doubleTapWindow.Seconds())
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
