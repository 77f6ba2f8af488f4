package chembus

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// event takes an event in and describes the starts that turned out to be unmatched.
func (t *timers) event(seconds float64, signal, name string) []string {
	var unmatched []string
	for _, timer := range t.Event(signal, name, at(seconds)) {
		unmatched = append(unmatched, fmt.Sprintf("%s of %v", timer.name, timer.started.Sub(epoch)))
	}
	return unmatched
}

func TestTimersPair(t *testing.T) {
	timers := newTimers()
	require.Empty(t, timers.event(0, "timer_start", "a"))
	require.Empty(t, timers.event(1, "timer_start", "b"))
	require.Empty(t, timers.event(2, "timer_stop", "a"))
	require.Empty(t, timers.event(3, "timer_stop", "b"))
	require.Empty(t, timers.event(4, "timer_stop", "never started"))
	require.Empty(t, timers.event(5, "timer_start", "a"), "the first was stopped")
	require.Empty(t, timers.event(6, "metric", "a"), "no timer")
	require.Equal(t, 1, timers.running.Len())
}

func TestAnotherStartOfTheNameLeavesTheFirstUnmatched(t *testing.T) {
	timers := newTimers()
	timers.event(0, "timer_start", "a")
	require.Equal(t, []string{"a of 0s"}, timers.event(5, "timer_start", "a"))
	require.Equal(t, []string{"a of 5s"}, timers.event(6, "timer_start", "a"))
	require.Empty(t, timers.event(7, "timer_stop", "a"))
	require.Empty(t, timers.event(8, "timer_start", "a"))
}

func TestTimerOfLongAgoIsUnmatched(t *testing.T) {
	patience := timerPatience.Seconds()
	for _, event := range [][2]string{{"timer_start", "c"}, {"timer_stop", "a"}, {"metric", "loss"}, {"logger_close", ""}} {
		timers := newTimers()
		timers.event(0, "timer_start", "a")
		timers.event(1, "timer_start", "b")
		require.Empty(t, timers.event(patience-0.001, "metric", "loss"), "not yet")
		require.Equal(t, []string{"a of 0s"}, timers.event(patience, event[0], event[1]))
		require.Equal(t, []string{"b of 1s"}, timers.event(patience+1, "metric", "loss"), "each at its time")
	}
	timers := newTimers()
	timers.event(0, "timer_start", "a")
	require.Empty(t, timers.event(patience-1, "timer_stop", "a"))
	require.Empty(t, timers.event(patience+1, "timer_start", "a"))
}

func TestFloodOfTimerNames(t *testing.T) {
	timers := newTimers()
	for n := range 100 * maxTimers {
		unmatched := timers.event(float64(n)/1000, "timer_start", fmt.Sprint(n))
		if n < maxTimers {
			require.Empty(t, unmatched)
		} else {
			require.Len(t, unmatched, 1, "the oldest makes room")
			require.Contains(t, unmatched[0], fmt.Sprintf("%d of ", n-maxTimers))
		}
	}
	require.Equal(t, maxTimers, timers.running.Len())
}
