package detector

import "time"

// State is what the detector says of a component.
type State string

// The states. A component is up, then late, then silent, and up again with its next beat.
const (
	Up       State = "up"
	Late     State = "late"
	Silent   State = "silent"
	Flapping State = "flapping" // up or silent, but too often in turn for a gap each time
	Killed   State = "killed"   // silent on purpose, after a signal to all components
	Stopped  State = "stopped"  // silent on purpose, as it announced
	Unseen   State = "unseen"   // expected, but never heard
	Retired  State = "retired"  // silent for so long that it is removed
	Gone     State = "gone"     // silent, and its silence says nothing: it has no name to come back under
)

// phase is what a component does, whether it flaps or not.
type phase uint8

const (
	up phase = iota
	late
	silent
	killed
	stopped
	unseen
	retired
)

// states are the phases as they are reported and saved.
var states = [...]State{up: Up, late: Late, silent: Silent, killed: Killed, stopped: Stopped, unseen: Unseen, retired: Retired}

// component is what the detector knows of one sender of heartbeats. Times are the detector's clock. There may be a
// million of them, so it is kept small.
//
// What a tick needs comes first, then what a beat needs, each in a cache line of its own.
type component struct {
	phase     phase
	queued    bool // in the deadline queue, at queuedAt
	abandoned bool // of a former run, and not to be judged any more
	unjudged  bool // its silence does not count
	gaps      int32
	failures  uint32 // silences that were gaps, since lastSeen was another than failedAt
	restarts  uint32 // of the input, when the last beat came

	queuedAt  time.Duration
	last      time.Duration // when it proved to be alive; of one unseen, since when it is expected
	threshold time.Duration // the present one
	rule      *Rule
	flaps     *flaps // nil: no recent gap
	niche     string
	forming   *newNiche // nil: the rule is that of the niche
	lastSeen  float64   // as last, by the sender's clock, epoch seconds

	failedAt float64 // lastSeen at the last of these failures
	beats    int64
	rhythm   rhythm
	holes    uint32        // number of the last one that was known at the time last
	reading  time.Duration // of the input's clock, with the last beat
	born     time.Duration // when this life began

	key      string
	incident string // that it is part of; empty: none is open

	// Observed time spent alive and silent, up to since.
	aliveFor  time.Duration
	silentFor time.Duration
	since     time.Duration
}

// alive reports whether the component is taken to live.
func (c *component) alive() bool {
	return c.phase == up || c.phase == late
}

// flapping reports whether it has an open incident for being silent too often.
func (c *component) flapping() bool {
	return c.flaps != nil && c.flaps.incident != ""
}

// state is the phase of a component as it is reported.
func (d *Detector) state(c *component) State {
	if d.isGone(c) {
		return Gone
	}
	if c.flapping() && (c.alive() || c.phase == silent) {
		return Flapping
	}
	return states[c.phase]
}

// isGone reports whether a component is silent and nobody waits for it.
func (d *Detector) isGone(c *component) bool {
	return c.phase == silent && c.incident == "" && !c.flapping() && !d.isAwaited(c)
}

// isAwaited reports whether the silence of a component is a gap.
func (d *Detector) isAwaited(c *component) bool {
	_, expected := d.expected[c.key]
	return c.rule.Gaps && c.beats >= d.config.MinBeats || expected
}

// enter changes the phase.
func (c *component) enter(p phase, now time.Duration) {
	c.account(now)
	c.phase = p
}

// account adds the time since the last call to that of the present phase.
func (c *component) account(now time.Duration) {
	spent := max(now-c.since, 0)
	switch {
	case c.alive():
		c.aliveFor += spent
	case c.phase == silent:
		c.silentFor += spent
	}
	c.since = now
}

// availability is the share of the observed time that the component was alive; time after a kill signal or an
// announced stop is left out.
func (c *component) availability() float64 {
	if c.silentFor == 0 {
		return 1
	}
	return c.aliveFor.Seconds() / (c.aliveFor + c.silentFor).Seconds()
}

// lateAfter is the silence after which it is late: the same share of the threshold as in its rule.
func (c *component) lateAfter() time.Duration {
	if c.threshold == c.rule.Threshold {
		return c.rule.LateAfter
	}
	return time.Duration(float64(c.threshold) * float64(c.rule.LateAfter) / float64(c.rule.Threshold))
}
