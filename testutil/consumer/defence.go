package consumer

import "time"

// replayWindow is how long the consumers remember an incident.
const replayWindow = 60 * time.Second

// replayDefence is the real consumers' defence against replays, with all its holes: it knows only
// incidents that have an id, and only for a minute. A repetition that it drops does not renew the minute.
type replayDefence struct {
	now     func() time.Time
	handled map[string]time.Time // when, by incident_id
}

func newReplayDefence(now func() time.Time) replayDefence {
	if now == nil {
		now = time.Now
	}
	return replayDefence{now: now, handled: make(map[string]time.Time)}
}

// admits reports whether a message of the incident is to be handled now, and remembers that it was.
func (d replayDefence) admits(incident *string) bool {
	if incident == nil {
		return true
	}
	now := d.now()
	for id, at := range d.handled {
		if now.Sub(at) >= replayWindow {
			delete(d.handled, id)
		}
	}
	if _, seen := d.handled[*incident]; seen {
		return false
	}
	d.handled[*incident] = now
	return true
}
