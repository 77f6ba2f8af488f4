package chembus

import "time"

// longestStep bounds a step of a steppedTime.
const longestStep = 3 * time.Second

// steppedTime is the time between steps. It stands still while no steps come.
type steppedTime struct {
	elapsed time.Duration
	last    time.Time // step; zero: there was none
}

// Step lets the time since the last step pass, longestStep at most.
func (t *steppedTime) Step(now time.Time) {
	if !t.last.IsZero() {
		t.elapsed += min(now.Sub(t.last), longestStep)
	}
	t.last = now
}
