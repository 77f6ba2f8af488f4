package detector

import (
	"cmp"
	"slices"
)

// maxEvictable is how many components a search for those that can make room finds.
const maxEvictable = 1000

// room finds the components that make room for others: those without a name first, then those that are silent for
// longest. Nobody who beats has to, unless it has no name.
type room struct {
	found    []*component // the next one last
	searched uint64       // the tick at or after which they were found
	more     bool         // there were more than these
	refused  int
}

// Refused returns how many beats were dropped since the start, for there was no room for their components.
func (d *Detector) Refused() int { return d.room.refused }

// makeRoom removes components until there is room for that of a beat. It reports whether there is.
func (d *Detector) makeRoom(b *Beat) bool {
	for d.config.MaxComponents > 0 && len(d.components) >= d.config.MaxComponents {
		c := d.evictable()
		unnamed := d.config.Rule(b.Key, b.Niche).Unnamed
		if c == nil || unnamed && (!c.rule.Unnamed || c.alive()) {
			d.room.refused++
			return false
		}
		d.remove(c, WasEvicted)
	}
	return true
}

// evictable returns the component that makes room next; nil if none does.
func (d *Detector) evictable() *component {
	r := &d.room
	for {
		for len(r.found) > 0 && r.searched == d.ticks {
			c := r.found[len(r.found)-1]
			if c.phase != retired && d.canBeEvicted(c) {
				return c
			}
			r.found = r.found[:len(r.found)-1]
		}
		if r.searched == d.ticks && !r.more {
			return nil // nothing will be found before the next tick
		}
		d.searchRoom()
	}
}

func (d *Detector) searchRoom() {
	found := d.room.found[:0]
	for _, c := range d.order {
		if c.phase != retired && d.canBeEvicted(c) {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b *component) int {
		switch {
		case a.rule.Unnamed != b.rule.Unnamed:
			return order(b.rule.Unnamed)
		case a.alive() != b.alive():
			return order(a.alive())
		}
		return cmp.Or(cmp.Compare(b.last, a.last), cmp.Compare(b.key, a.key))
	})
	more := len(found) > maxEvictable
	if more {
		found = slices.Clone(found[len(found)-maxEvictable:])
	}
	d.room.found, d.room.searched, d.room.more = found, d.ticks, more
}

// order is that of two of which the first comes first, or not.
func order(first bool) int {
	if first {
		return -1
	}
	return 1
}

func (d *Detector) canBeEvicted(c *component) bool {
	if _, expected := d.expected[c.key]; expected || d.isCollected(c) {
		return false
	}
	return c.rule.Unnamed || !c.alive()
}
