package judge

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSensorsComeAndGo gives the sensor another name after each restart, as that of a container has: there is
// no end of them, and each death is found all the same.
func TestSensorsComeAndGo(t *testing.T) {
	j := New(config)
	for life := range 3 * maxSensors {
		sensor := fmt.Sprint("sensor ", life)
		gaps := 0
		for at := time.Duration(0); at <= 60*second; at += second {
			for _, f := range j.Tick(sensor, at) {
				if f.Change == Stopped {
					gaps++
				}
			}
			if at < 10*second {
				b := beatOf("a", at)
				b.Sensor = sensor
				j.Beat(b)
			}
		}
		require.Equal(t, 1, gaps, "in life %d", life)
	}
	require.LessOrEqual(t, len(j.sensors.All), maxSensors)
	require.LessOrEqual(t, len(j.components["a"].sightings()), maxSensors)
}

// TestWhoNobodyCanTellOfIsForgotten is about a component that only a sensor heard which is gone for good:
// nobody can say that it is silent, and it must not stay for ever.
func TestWhoNobodyCanTellOfIsForgotten(t *testing.T) {
	r := Rule{Threshold: 30 * second, LateAfter: 15 * second, RetireAfter: 100 * second, Gaps: true}
	c := config
	c.Rule = func(string, string) *Rule { return &r }
	j := New(c)
	j.Tick("gone", 0)
	b := beatOf("a", 0)
	b.Sensor = "gone"
	j.Beat(b)
	found := observe(j, 0, 110*second)
	require.Len(t, found, 2)
	require.Equal(t, Late, found[0].Status.State)
	require.Equal(t, Forgotten, found[1].Change)
	require.Nil(t, found[1].Gap)
	require.Empty(t, j.components)
}

// TestDisputeIsSettledByBeats has a component be silent by one sensor while another, which heard it last, is waited
// for. When the wait is over, the next beat of anybody tells, or one soon after it.
func TestDisputeIsSettledByBeats(t *testing.T) {
	j := New(config)
	for at := time.Duration(0); at <= 46*second; at += second {
		j.Tick("s", at)
		if at <= 16*second {
			j.Tick("mute", at)
		}
		b := beatOf("a", at)
		switch at {
		case 4 * second:
			j.Beat(b)
		case 14 * second:
			b.Sensor = "mute"
			j.Beat(b)
		}
	}
	stale := beatOf("a", 4*second)
	stale.Sensor = "s"
	for range 10 {
		require.Empty(t, j.Beat(stale), "it proves nothing")
	}
	require.Len(t, j.undecided, 1, "once, however often it was looked at")
	for at := 46 * second; ; at += 10 * time.Millisecond {
		b := beatOf("busy", at)
		b.Sensor = "s"
		if slices.ContainsFunc(j.Beat(b), func(f Finding) bool { return f.Change == Stopped }) {
			require.Greater(t, at, 46*second)
			break
		}
		require.Less(t, at, 46*second+100*time.Millisecond)
	}
}

// TestClockGoesOnWhileASensorIsHeard lets two sensors be heard in turn, in any rhythm.
func TestClockGoesOnWhileASensorIsHeard(t *testing.T) {
	for _, on := range []int{1, 5, 20, 100} {
		j := New(config)
		j.Tick("s1", 0)
		j.Tick("s2", 0)
		for at := 1; at <= 1000; at++ {
			// Both hear their bus all the time; one of the two is cut off from the judge.
			sensor := "s1"
			if at/on%2 == 1 {
				sensor = "s2"
			}
			j.Tick(sensor, time.Duration(at)*second)
		}
		switches := 1000 / on
		require.GreaterOrEqual(t, j.Now(), 1000*second-time.Duration(switches)*5*second, "%d s each", on)
		require.LessOrEqual(t, j.Now(), 1000*second)
	}
}
