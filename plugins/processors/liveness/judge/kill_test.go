package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBeatOnItsWayOfASilentOne has one that was silent already be killed, and its last beat come after the signal: its
// gap is closed, and its silence is on purpose from now on.
func TestBeatOnItsWayOfASilentOne(t *testing.T) {
	j := New(config)
	j.Tick("s", 0)
	j.Beat(beatOf("a", 0))
	observe(j, 0, 40*second)
	require.Empty(t, j.Kill("s", 40*second))
	found := j.Beat(beatOf("a", 41*second))
	require.Len(t, found, 1)
	require.Equal(t, Killed, found[0].Status.State)
	require.False(t, found[0].Gap.Open)
	require.Empty(t, observe(j, 41*second, 200*second))
	require.Equal(t, Up, j.Beat(beatOf("a", 201*second))[0].Status.State)
}

// twoBuses lets each component beat every 10 s up to a time, one on each of two buses, and a kill signal come on the
// first bus at 35 s. It returns when who was found silent.
func twoBuses(t *testing.T, beats time.Duration, each func(j *Judge, at time.Duration)) map[string]time.Duration {
	t.Helper()
	j := New(config)
	silent := make(map[string]time.Duration)
	for at := time.Duration(0); at <= 150*second; at += second {
		for _, bus := range []string{"first", "second"} {
			for _, f := range j.Tick(bus, at) {
				if f.Change == Stopped {
					silent[f.Key] = at
				}
			}
			if at <= beats && at%(10*second) == 0 {
				b := beatOf("on "+bus, at)
				b.Sensor = bus
				j.Beat(b)
			}
		}
		if at == 35*second {
			j.Kill("first", at)
		}
		each(j, at)
	}
	return silent
}

// TestKillOnAnotherBus has a kill signal end the components of its own bus, and of no other.
func TestKillOnAnotherBus(t *testing.T) {
	// Who crashes before the signal is found as without it.
	silent := twoBuses(t, 30*second, func(*Judge, time.Duration) {})
	require.Equal(t, map[string]time.Duration{"on second": 61 * second}, silent)

	// Who goes on is up all the time, also with the beats just after the signal.
	twoBuses(t, 150*second, func(j *Judge, _ time.Duration) {
		require.Equal(t, Up, j.components["on second"].state())
	})
}

// TestKillOfTheOnlyOneWhoHears has the sensor that heard the components be gone: a signal that another one hears is theirs.
func TestKillOfTheOnlyOneWhoHears(t *testing.T) {
	j := New(config)
	j.Tick("before", 0)
	b := beatOf("a", 0)
	b.Sensor = "before"
	j.Beat(b)
	observe(j, 0, mostBehind+5*second)
	require.Len(t, j.Kill("s", mostBehind+5*second), 1)
}

// TestKillOnTheBusItLeft has a component move to another bus, and crash there.
func TestKillOnTheBusItLeft(t *testing.T) {
	j := New(config)
	found := 0
	for at := time.Duration(0); at <= 400*second; at += second {
		for _, bus := range []string{"first", "second"} {
			for _, f := range j.Tick(bus, at) {
				if f.Change == Stopped {
					found++
				}
			}
			if here := (bus == "first") == (at < 100*second); here && at <= 300*second && at%(10*second) == 0 {
				b := beatOf("a", at)
				b.Sensor = bus
				j.Beat(b)
			}
		}
		if at == 310*second {
			j.Kill("first", at)
		}
	}
	require.Equal(t, 1, found)
}
