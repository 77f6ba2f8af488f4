package chembus

import "time"

// SteppedTime is the time between steps. It stands still while no steps come, as when the process or the bus does.
type SteppedTime struct {
	Elapsed time.Duration

	last time.Time // step; zero: there was none
}

// Step lets the time since the last step pass, longest at most.
func (t *SteppedTime) Step(now time.Time, longest time.Duration) {
	if !t.last.IsZero() {
		t.Elapsed += min(now.Sub(t.last), longest)
	}
	t.last = now
}
