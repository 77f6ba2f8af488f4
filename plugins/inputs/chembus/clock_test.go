package chembus

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// epoch is where the tests' time begins; it carries a monotonic reading.
var epoch = time.Now()

// at is a time on the tests' clock.
func at(seconds float64) time.Time {
	return epoch.Add(secs(seconds))
}

func secs(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}

func evidence(c *observationClock, seconds ...float64) {
	for _, s := range seconds {
		c.Evidence(at(s))
	}
}

func TestClockCountsOnlyBetweenEvidence(t *testing.T) {
	c := newObservationClock(at(0), secs(3), secs(1))
	require.False(t, c.Observable(at(0)))
	require.Zero(t, c.At(at(0)))
	require.Equal(t, secs(1), c.Blind(at(1)), "blind from the start")

	evidence(c, 2)
	require.Zero(t, c.observed, "nothing was heard before the first evidence, however soon it came")
	require.True(t, c.Observable(at(2)))
	require.Equal(t, secs(2), c.Blind(at(4)))

	evidence(c, 3, 3, 5.5)
	require.Equal(t, secs(3.5), c.observed)
	require.True(t, c.Observable(at(8.5)), "blind_after itself is not blind")
	require.False(t, c.Observable(at(8.6)))
	require.Equal(t, secs(3.5), c.At(at(8)), "it does not run ahead of the evidence")
	evidence(c, 8.5)
	require.Equal(t, secs(6.5), c.observed, "exactly blind_after apart counts")

	evidence(c, 11.6)
	require.Equal(t, secs(6.5), c.observed, "a hole adds nothing")
	require.Equal(t, secs(2+3.1), c.Blind(at(12)))
	evidence(c, 12)
	require.Equal(t, secs(6.9), c.observed)
}

func TestClockIgnoresTimeGoingBack(t *testing.T) {
	c := newObservationClock(at(0), secs(3), secs(1))
	evidence(c, 1, 2, 1.5)
	require.Equal(t, secs(1), c.observed)
	evidence(c, 3)
	require.Equal(t, secs(2), c.observed)
}

func TestClockLooksBackAcrossHoles(t *testing.T) {
	c := newObservationClock(at(0), secs(3), secs(1))
	// Runs from 10 to 12, from 20 to 21 and from 30 to 33.
	evidence(c, 10, 12, 20, 21, 30, 33)
	for moment, expected := range map[float64]float64{
		40: 6, 33: 6, 32: 5, 30: 3, // after and in the last run
		29: 3, 22: 3, // in the hole before
		21: 3, 20.5: 2.5, 20: 2, // the run before
		19: 2, 12.5: 2, 12: 2, 11: 1, 10: 0, // and so on
		9: 0, 0: 0, -5: 0,
	} {
		require.Equal(t, secs(expected), c.At(at(moment)), "at %v s", moment)
	}
}

func TestClockForgetsOldHolesInTheSafeDirection(t *testing.T) {
	c := newObservationClock(at(0), secs(3), secs(1))
	const holes = 2 * maxHoles
	for n := range holes {
		evidence(c, float64(10*n), float64(10*n+1)) // a second in ten
	}
	require.Len(t, c.holes, maxHoles, "bounded")
	require.Equal(t, secs(holes), c.observed)
	// The first hole that it remembers began when it showed this much.
	oldest := c.holes[0].observed
	require.Equal(t, oldest, c.At(at(0)), "beyond its memory: later than true, never earlier")
	require.Equal(t, secs(holes-1), c.At(at(10*(holes-1))), "what it remembers is exact")
}

func TestClockStandsStillWhileSuspended(t *testing.T) {
	c := newObservationClock(at(0), secs(3), secs(1))
	evidence(c, 1, 2)
	c.Suspend()
	require.False(t, c.Observable(at(2)))
	evidence(c, 2.5, 3)
	require.Equal(t, secs(1), c.observed)
	require.Equal(t, secs(1+2), c.Blind(at(4)))
	c.Resume()
	require.False(t, c.Observable(at(4)), "until the next evidence")
	evidence(c, 4)
	require.Equal(t, secs(1), c.observed, "the suspension is a hole, although short")
	require.True(t, c.Observable(at(4)))
	require.Equal(t, secs(1), c.At(at(3)))
	evidence(c, 5)
	require.Equal(t, secs(2), c.observed)
	require.Equal(t, secs(1+2), c.Blind(at(5)))
}

func TestLostConnectionIsAHoleHoweverShort(t *testing.T) {
	c := newObservationClock(at(0), secs(3), secs(1))
	evidence(c, 1, 2)
	c.Lose()
	require.False(t, c.Observable(at(2)))
	evidence(c, 2.1)
	require.Equal(t, secs(1), c.observed, "it may have been forwarded before the loss")
	c.Regain()
	require.False(t, c.Observable(at(2.2)), "until something is heard on the new connection")
	evidence(c, 2.3, 2.5)
	require.Equal(t, secs(1.2), c.observed)
	require.Equal(t, 2, c.holeCount)
	require.Equal(t, hole{start: at(2), end: at(2.3), observed: secs(1)}, c.holes[1])
	require.Equal(t, secs(1), c.At(at(2.2)))
}

func TestOverflowIsAHoleUntilEverythingIsRead(t *testing.T) {
	c := newObservationClock(at(0), secs(3), secs(1))
	evidence(c, 1, 2)
	c.Overflow()
	require.True(t, c.Overloaded(at(2)))
	evidence(c, 2.1, 2.2)
	c.Overflow()
	evidence(c, 2.3)
	c.CaughtUp()
	require.False(t, c.Overloaded(at(2.3)))
	evidence(c, 2.4, 2.5)
	require.Equal(t, secs(1.1), c.observed)
	require.Equal(t, 2, c.holeCount, "one, however many messages were dropped")
}

func TestHolesAreListedWithWhatTheClockShowed(t *testing.T) {
	c := newObservationClock(at(0), secs(3), secs(1))
	require.Empty(t, holeList(c.holes))
	evidence(c, 0.25, 1.2507, 2)
	c.Lose()
	c.Regain()
	evidence(c, 2.0001, 3, 7)
	require.Equal(t, "0.000:0.250 1.750:0.001 2.749:4.000", holeList(c.holes), "none is ahead of its tick, and none is 0")
	for n := range 20 {
		c.Suspend()
		c.Resume()
		evidence(c, 8+float64(n))
	}
	require.Equal(t, 23, c.holeCount)
	require.Len(t, strings.Fields(holeList(c.holes)), 8, "the last eight")
}
