package chembus

import "time"

// logInterval is the shortest time between two log lines about the same trouble.
const logInterval = time.Minute

// throttle keeps a trouble that can come with every metric to one log line a minute.
type throttle struct {
	logged time.Time
	count  int
}

// Add counts one more. It returns how many there were since the last line, for the next one; 0 if it is
// too early for that.
func (t *throttle) Add(now time.Time) int {
	t.count++
	if !t.logged.IsZero() && now.Sub(t.logged) < logInterval {
		return 0
	}
	n := t.count
	t.logged, t.count = now, 0
	return n
}
