package chembus

import "time"

const (
	// extraTickInterval is the shortest time between two ticks that follow beats, by the observation clock.
	extraTickInterval = 100 * time.Millisecond
	// catchUp is how long after a stall of the bus that counts as observed no tick is due, a quarter of tick_interval at most.
	// What was sent in the stall comes then, a few messages at a time: with a tick after the first of them, the components
	// of the others would look silent.
	catchUp = 250 * time.Millisecond
)

// tickSchedule tells when a tick is due: with the first evidence in each interval, but not just after a stall. It is a part
// of the collector.
type tickSchedule struct {
	interval time.Duration

	next     time.Time // no tick before
	caughtUp time.Time // likewise; zero: there was no stall
	evidence time.Time // for which a tick is held back; zero: none is
	due      bool
}

// Evidence says that the bus could be heard, and by how much that has advanced the observation clock.
func (t *tickSchedule) Evidence(advance time.Duration, now time.Time) {
	if advance > t.interval*3/2 { // between two probes little more than one passes
		t.caughtUp = now.Add(min(catchUp, t.interval/4))
	}
	if !now.Before(t.next) {
		t.evidence = now
		t.Release(now)
	}
}

// Release makes the tick due that is held back, if it is time. It is to be called in each interval, when all that has come is
// read, since the next evidence may come so late that it looks like the end of another stall.
func (t *tickSchedule) Release(now time.Time) {
	if t.evidence.IsZero() || now.Before(t.caughtUp) {
		return
	}
	missed := t.evidence.Sub(t.next) / t.interval
	t.next = t.next.Add((missed + 1) * t.interval)
	t.evidence, t.due = time.Time{}, true
}
