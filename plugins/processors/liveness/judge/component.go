package judge

import "time"

// State is what the judge thinks of a component.
type State string

// The states. A component is up, then late, then silent, and up again with its next beat.
const (
	Up       State = "up"
	Late     State = "late"
	Silent   State = "silent"
	Flapping State = "flapping" // up or silent, but too often in turn to tell each time
	Killed   State = "killed"   // silent on purpose
	Unseen   State = "unseen"   // expected, but never heard
	Retired  State = "retired"  // silent for so long that it is forgotten
)

// phase is what a component does, whatever else is said of it.
type phase uint8

const (
	up phase = iota
	late
	silent
	killed
	unseen
	retired
)

// component is what the judge knows of one sender of heartbeats. Times are the judge's clock. It is
// also its own form in a saved state. There may be a million of them, so it is kept small.
//
// What a tick needs comes first, then what a beat needs, each in a cache line of its own.
type component struct {
	Phase     phase `json:"phase"`
	queued    bool  // in the deadline queue, at queuedAt; or was until it was taken out
	abandoned bool  // of a former run, and not to be judged any more
	undecided bool  // among those whose change is due and cannot be made yet
	Gaps      int32 `json:"gaps,omitempty"`

	queuedAt  time.Duration
	Last      time.Duration `json:"last"`      // proof of life; of one unseen, since when it is expected
	Threshold time.Duration `json:"threshold"` // the present one
	rule      *Rule
	Flaps     *flaps  `json:"flaps,omitempty"` // nil: no gap of late
	*Origin           // shared with others
	LastSeen  float64 `json:"last_seen,omitempty"` // as Last, by the sender's clock, epoch seconds

	Beats     int64         `json:"beats,omitempty"`
	Intervals intervals     `json:"intervals,omitzero"`
	Sightings *sightings    `json:"sightings,omitempty"` // nil: no other sensor may hear it
	Born      time.Duration `json:"born"`                // when this life began

	Key      string `json:"key"`
	Incident string `json:"incident,omitempty"` // that it is part of; empty: none is open

	// Observed time spent alive and silent, up to Since.
	AliveFor  time.Duration `json:"alive_for"`
	SilentFor time.Duration `json:"silent_for,omitempty"`
	Since     time.Duration `json:"since"`
}

// Origin is where the beats of a component come from.
type Origin struct {
	Niche string `json:"niche,omitempty"`
	Host  string `json:"host,omitempty"` // of the sensor that heard it last
}

// alive reports whether the component is taken to live.
func (c *component) alive() bool {
	return c.Phase == up || c.Phase == late
}

// flapping reports whether it has an open incident for being silent too often.
func (c *component) flapping() bool {
	return c.Flaps != nil && c.Flaps.Incident != ""
}

// State is the phase as it is reported.
func (c *component) state() State {
	if c.flapping() && (c.alive() || c.Phase == silent) {
		return Flapping
	}
	return [...]State{up: Up, late: Late, silent: Silent, killed: Killed, unseen: Unseen, retired: Retired}[c.Phase]
}

// enter changes the phase.
func (c *component) enter(p phase, now time.Duration) {
	c.account(now)
	c.Phase = p
}

// account books the time since the last booking under the present phase.
func (c *component) account(now time.Duration) {
	spent := max(now-c.Since, 0)
	switch {
	case c.alive():
		c.AliveFor += spent
	case c.Phase == silent:
		c.SilentFor += spent
	}
	c.Since = now
}

// availability is the share of the observed time that the component was alive; killed counts as
// neither.
func (c *component) availability() float64 {
	if c.SilentFor == 0 {
		return 1
	}
	return c.AliveFor.Seconds() / (c.AliveFor + c.SilentFor).Seconds()
}

// lateAfter is the silence after which it is late: the same share of the threshold as in its rule.
func (c *component) lateAfter() time.Duration {
	if c.Threshold == c.rule.Threshold {
		return c.rule.LateAfter
	}
	return time.Duration(float64(c.Threshold) * float64(c.rule.LateAfter) / float64(c.rule.Threshold))
}
