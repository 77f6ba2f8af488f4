package consumer

import "time"

// DedupWindow is how long the consumers remember a handled incident.
const DedupWindow = 60 * time.Second

// recentIncidents is the deduplication of the real consumers, with its limits: it remembers incidents that have an id,
// each for a minute after it was handled. A dropped message does not extend the minute.
type recentIncidents struct {
	now     func() time.Time
	handled map[string]time.Time // time by incident_id
}

func newRecentIncidents(now func() time.Time) recentIncidents {
	if now == nil {
		now = time.Now
	}
	return recentIncidents{now: now, handled: make(map[string]time.Time)}
}

// add reports whether a message of the incident is to be handled now, and if so remembers the incident.
func (r recentIncidents) add(incident *string) bool {
	if incident == nil {
		return true
	}
	now := r.now()
	for id, at := range r.handled {
		if now.Sub(at) >= DedupWindow {
			delete(r.handled, id)
		}
	}
	if _, seen := r.handled[*incident]; seen {
		return false
	}
	r.handled[*incident] = now
	return true
}
