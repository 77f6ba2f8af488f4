package judge

import "time"

// State is what the judge thinks of a component.
type State string

// The states. A component is up, then late, then silent, and up again with its next beat; killed is
// silent on purpose.
const (
	Up     State = "up"
	Late   State = "late"
	Silent State = "silent"
	Killed State = "killed"
)

// Alive reports whether a component in this state is taken to live.
func (s State) Alive() bool {
	return s == Up || s == Late
}

// component is what the judge knows of one sender of heartbeats. Times are the judge's clock.
type component struct {
	key, name string
	state     State

	last     time.Duration // proof of life
	lastSeen float64       // the same by the sender's clock, epoch seconds
	born     time.Duration // when this life began
	beats    int64
	gaps     int64

	intervals intervals

	incident     string  // open incident; empty: none
	missingSince float64 // lastSeen when it was opened

	// Observed time spent alive and silent, up to since.
	aliveFor, silentFor time.Duration
	since               time.Duration

	queued   bool // in the deadline queue, at queuedAt
	queuedAt time.Duration
}

// account books the time since the last booking under the present state.
func (c *component) account(now time.Duration) {
	spent := max(now-c.since, 0)
	switch {
	case c.state.Alive():
		c.aliveFor += spent
	case c.state == Silent:
		c.silentFor += spent
	}
	c.since = now
}

// availability is the share of the observed time that the component was alive; killed counts as
// neither.
func (c *component) availability() float64 {
	if c.silentFor == 0 {
		return 1
	}
	return c.aliveFor.Seconds() / (c.aliveFor + c.silentFor).Seconds()
}
