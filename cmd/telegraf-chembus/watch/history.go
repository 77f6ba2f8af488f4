package watch

import "time"

// history is what has changed since the watch was started, for each zooid of the last snapshot.
type history map[string]*past

// past is the changes of one zooid.
type past struct {
	state   string
	changes []change // the oldest first
}

// change is a change of state.
type change struct {
	at       time.Time
	from, to string
}

// maxChanges is the number of changes that are kept of each zooid.
const maxChanges = 10

// take compares a snapshot with the one before it.
func (h history) take(s *Snapshot) {
	present := make(map[string]bool, len(s.Zooids))
	for _, z := range s.Zooids {
		present[z.Name] = true
		p := h[z.Name]
		if p == nil {
			h[z.Name] = &past{state: z.State}
			continue
		}
		if p.state == z.State {
			continue
		}
		p.changes = append(p.changes, change{s.Time, p.state, z.State})
		p.changes = p.changes[max(len(p.changes)-maxChanges, 0):]
		p.state = z.State
	}
	for name := range h {
		if !present[name] {
			delete(h, name)
		}
	}
}

// of returns the changes of a zooid.
func (h history) of(name string) []change {
	if p := h[name]; p != nil {
		return p.changes
	}
	return nil
}
