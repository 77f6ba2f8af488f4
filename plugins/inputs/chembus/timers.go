package chembus

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxTimers bounds the timers that run at a time; of more the oldest counts as unmatched.
	maxTimers = 1000
	// timerPatience is how long after its start a timer counts as unmatched.
	timerPatience = time.Hour
)

// timer is a timer of D-REAM that was started, as a timer_start said.
type timer struct {
	name    string
	started time.Time
}

// timers finds a timer_start that has no timer_stop, among the signals of D-REAM's telemetry. Its time is that of the
// signals, so that a file of them gives the same as the bus.
type timers struct {
	running *simplelru.LRU[string, time.Time] // when each was started, in the order in which the starts came
}

func newTimers() *timers {
	return &timers{running: newLRU[string](maxTimers)}
}

// Event takes a signal of a timer. It returns the timers that are found by it to have no stop.
func (t *timers) Event(signal, name string, at time.Time) (unmatched []timer) {
	for {
		oldest, started, running := t.running.GetOldest()
		if !running || at.Sub(started) < timerPatience {
			break
		}
		unmatched = append(unmatched, timer{oldest, started})
		t.running.RemoveOldest()
	}
	switch signal {
	case signalTimerStop:
		t.running.Remove(name)
	case signalTimerStart:
		if started, running := t.running.Peek(name); running {
			unmatched = append(unmatched, timer{name, started})
		} else if t.running.Len() == maxTimers {
			oldest, started, _ := t.running.RemoveOldest()
			unmatched = append(unmatched, timer{oldest, started})
		}
		t.running.Add(name, at) // as the latest, also if the name runs
	}
	return unmatched
}
