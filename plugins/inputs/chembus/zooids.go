package chembus

import (
	"container/list"
	"strings"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// By the observation clock, so that nobody is forgotten because the bus could not be heard.
const (
	// forgetAfter is how long a zooid must not have been heard to be forgotten.
	forgetAfter = 10 * time.Minute
	// forgetInterval is the shortest time between two searches for such zooids.
	forgetInterval = time.Minute
)

// zooids are those that were heard, up to a number. When a new one is heard, those are forgotten that were not heard for
// forgetAfter. In a full table one with a name also takes the place of an unnamed one, of the one that was silent for
// longest: their names never return, so that a component that starts again and again would fill every table. One that
// comes back is new.
type zooids struct {
	limit    int
	known    map[string]*zooid
	unnamed  *list.List    // of *zooid, the one that was silent for longest first
	searched time.Duration // what the observation clock showed when it was searched for those to forget
}

func newZooids(limit int) zooids {
	return zooids{limit: limit, known: make(map[string]*zooid), unnamed: list.New()}
}

// Hear returns the zooid of a name that was heard now, when the observation clock showed observed; nil if it is new and there is
// no room for it.
func (t *zooids) Hear(name string, now time.Time, observed time.Duration) *zooid {
	z, known := t.known[name]
	if !known {
		t.forget(observed)
		unnamed := bus.Unnamed(name)
		if len(t.known) >= t.limit && (unnamed || !t.evictUnnamed()) {
			return nil
		}
		z = &zooid{name: strings.Clone(name)}
		t.known[z.name] = z
		if unnamed {
			z.place = t.unnamed.PushBack(z)
		}
	} else if z.place != nil {
		t.unnamed.MoveToBack(z.place)
	}
	z.heard = now
	return z
}

// evictUnnamed removes the unnamed zooid that was silent for longest, if there is one. What it has to report is reported.
func (t *zooids) evictUnnamed() bool {
	oldest := t.unnamed.Front()
	if oldest == nil {
		return false
	}
	t.remove(oldest.Value.(*zooid))
	return true
}

// forget removes the zooids that have not been heard for long, and have nothing to report.
func (t *zooids) forget(observed time.Duration) {
	if observed-t.searched < forgetInterval {
		return
	}
	t.searched = observed
	for _, z := range t.known {
		if !z.dirty && observed-z.observed > forgetAfter {
			t.remove(z)
		}
	}
}

func (t *zooids) remove(z *zooid) {
	delete(t.known, z.name)
	if z.place != nil {
		t.unnamed.Remove(z.place)
	}
}
