package chembus

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// fullCollector returns a collector with room for so many zooids.
func fullCollector(limit int) testCollector {
	c := newPlugin()
	c.MaxZooids = limit
	return testCollector{newCollector(c, "", epoch)}
}

// TestUnnamedZooidsKeepNoNamedOneOut has a component without a name start again and again.
func TestUnnamedZooidsKeepNoNamedOneOut(t *testing.T) {
	s := fullCollector(10)
	s.beat(0, "named", wall(0))
	for pid := range 9 {
		s.beat(float64(pid), fmt.Sprintf("zooid_%d", 1000+pid), wall(float64(pid)))
	}
	require.Equal(t, bus.RejectMaxZooids, s.send(10, heartbeat("zooid_5", wall(10))), "one more of them has no room")
	s.beat(10, "zooid_1000", wall(10)) // the others are silent for longer now
	for n := range 9 {
		require.Contains(t, s.zooids.known, "zooid_1000", "the longest silent goes first")
		s.beat(11, fmt.Sprintf("new_%d", n), wall(11))
		require.Len(t, s.zooids.known, 10)
	}
	require.NotContains(t, s.zooids.known, "zooid_1000")
	require.Contains(t, s.zooids.known, "named")
	require.Equal(t, bus.RejectMaxZooids, s.send(12, heartbeat("newer", wall(12))), "named ones are kept")
	require.Len(t, s.Take().beats, 19, "what those had to report that made room is reported")
	require.Zero(t, s.zooids.unnamed.Len())
}

// TestBurstsTakeNoMemoryForGood has a component send a burst and then go on as usual.
func TestBurstsTakeNoMemoryForGood(t *testing.T) {
	s := newTestCollector()
	for n := range 2 * maxRecent {
		s.beat(float64(n)/1000, "z", wall(float64(n)/1000))
	}
	for n := range 3 {
		now := float64(20 + 10*n)
		s.beat(now, "z", wall(now))
	}
	require.LessOrEqual(t, cap(s.zooids.known["z"].recent.beats), maxKept)
	require.Less(t, time.Duration(0), s.zooids.known["z"].observed)
}
