package chembus

import (
	"container/list"
	"time"
)

const (
	// maxTimers bounds the timers that run at a time; of more the oldest counts as unmatched.
	maxTimers = 1000
	// timerPatience is how long after its start a timer counts as unmatched.
	timerPatience = time.Hour
)

// timer is one that was started.
type timer struct {
	name    string
	started time.Time
}

// timers finds starts that have no stop. Its time is that of the events, so that a file of them gives the
// same as the bus.
type timers struct {
	running map[string]*list.Element
	order   list.List // of timer, in the order in which the starts came
}

func newTimers() *timers {
	return &timers{running: make(map[string]*list.Element)}
}

// Event takes an event in. It returns the starts that are known by it to have no stop.
func (t *timers) Event(signal, name string, at time.Time) (unmatched []timer) {
	for first := t.order.Front(); first != nil && at.Sub(first.Value.(timer).started) >= timerPatience; first = t.order.Front() {
		unmatched = append(unmatched, t.remove(first))
	}
	switch before, running := t.running[name]; {
	case signal == signalTimerStop && running:
		t.remove(before)
	case signal == signalTimerStart:
		if running {
			unmatched = append(unmatched, t.remove(before))
		} else if len(t.running) == maxTimers {
			unmatched = append(unmatched, t.remove(t.order.Front()))
		}
		t.running[name] = t.order.PushBack(timer{name: name, started: at})
	}
	return unmatched
}

func (t *timers) remove(element *list.Element) timer {
	removed := t.order.Remove(element).(timer)
	delete(t.running, removed.name)
	return removed
}
