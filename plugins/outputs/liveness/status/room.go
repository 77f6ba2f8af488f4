package status

import (
	"slices"
	"time"
)

// searchInterval is how long after a search for components that can be spared there is no other one: it looks at all.
const searchInterval = time.Second

// room are the components that can be spared, as of the last search.
type room struct {
	found    []*component // the one of the oldest report last
	searched time.Time
}

// makeRoom removes a component that was not reported of late, or for one with a name also one without. It reports whether
// there was any.
func (s *Status) makeRoom(nameless bool, now time.Time) bool {
	r := &s.room
	for {
		for n := len(r.found); n > 0; n = len(r.found) {
			c := r.found[n-1]
			stale := now.Sub(c.report.At) > s.config.StaleAfter
			if nameless && !stale && c.unnamed() {
				break // those after it were reported later, as of the search
			}
			r.found[n-1], r.found = nil, r.found[:n-1]
			if s.components[c.key] == c && (stale || c.unnamed()) {
				delete(s.components, c.key)
				return true
			}
		}
		if now.Sub(r.searched) < searchInterval {
			return false
		}
		r.found, r.searched = nil, now
		for _, c := range s.components {
			if c.unnamed() || now.Sub(c.report.At) > s.config.StaleAfter {
				r.found = append(r.found, c)
			}
		}
		slices.SortFunc(r.found, func(a, b *component) int { return b.report.At.Compare(a.report.At) })
	}
}
