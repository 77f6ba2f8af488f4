package chembus

import (
	"container/list"
	"strings"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	// evictAfter is how long a zooid, or a series, must not have been heard to make room in a full table.
	evictAfter = time.Hour
	// sweepInterval bounds how often a full table is searched for room.
	sweepInterval = time.Minute
)

// zooids are those that were heard, up to a number. In a full table a new one takes the place of one that was not heard
// for evictAfter. One with a name also takes that of an unnamed one, of the one that was silent for longest: their names
// never return, so that a component that starts again and again would fill every table. One that comes back is new.
type zooids struct {
	limit   int
	known   map[string]*zooid
	unnamed *list.List // of *zooid, the one that was silent for longest first
	swept   time.Time
}

func newZooids(limit int) zooids {
	return zooids{limit: limit, known: make(map[string]*zooid), unnamed: list.New()}
}

// Hear returns the zooid of a name that was heard now; nil if it is new and there is no room for it.
func (t *zooids) Hear(name string, now time.Time) *zooid {
	z, known := t.known[name]
	if !known {
		unnamed := bus.Unnamed(name)
		if len(t.known) >= t.limit && (unnamed || !t.evictUnnamed()) && !t.makeRoom(now) {
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

// makeRoom removes the zooids that have not been heard for long.
func (t *zooids) makeRoom(now time.Time) bool {
	if !t.swept.IsZero() && now.Sub(t.swept) < sweepInterval {
		return false
	}
	t.swept = now
	for _, z := range t.known {
		if !z.dirty && now.Sub(z.heard) > evictAfter {
			t.remove(z)
		}
	}
	return len(t.known) < t.limit
}

func (t *zooids) remove(z *zooid) {
	delete(t.known, z.name)
	if z.place != nil {
		t.unnamed.Remove(z.place)
	}
}
