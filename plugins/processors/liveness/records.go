package liveness

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// journalVersion is the version of the records of a journal.
const journalVersion = 3

// record is one line of the state file. Exactly one of its parts is set; all but the first two are of the bus that On
// named last, or the watch that Watch did, and were saved when its head was.
type record struct {
	Version int      `json:"version,omitempty"`
	Bus     []string `json:"bus,omitempty"` // the option

	On    []string           `json:"on,omitempty"`    // values of the tags of a bus
	Watch string             `json:"watch,omitempty"` // instead of On: the name of a watch
	Heard time.Time          `json:"heard,omitzero"`
	Head  *detector.Snapshot `json:"head,omitempty"` // without components; nil: the bus is not known any more

	Component *detector.ComponentSnapshot `json:"component,omitempty"`
	Retired   string                      `json:"retired,omitempty"` // a component
	Ended     *detector.EndedGap          `json:"ended,omitempty"`
	Outage    string                      `json:"outage,omitempty"`  // its id
	Members   []string                    `json:"members,omitempty"` // that joined it
}

// stateReader puts the records of a journal together.
type stateReader struct {
	state  savedState
	buses  []*busReader // nil: not known any more
	byName map[string]int
	bus    *busReader // that records are of
	former bool       // the file was written as a whole, by a former version
	any    bool       // there is a line
	bad    int        // records that cannot be read
}

type busReader struct {
	savedBus
	watch bool
	index map[string]int // of the components; a retired one has an empty key
	saved []savedAt      // when each of them was
}

// savedAt is what the head of a bus said when a record of a component was written.
type savedAt struct {
	now    time.Duration
	killed detector.EndSignal
}

// readState reads the state in a file and leaves its lock alone.
func readState(path string) (*savedState, time.Time, error) {
	var r stateReader
	saved, err := statefile.ReadJournal(path, r.Add)
	if err != nil {
		return nil, saved, err
	}
	return r.State(), saved, nil
}

// Add takes a line. It fails if nothing that follows can be of use.
func (r *stateReader) Add(line []byte) error {
	r.any = true
	var rec record
	err := json.Unmarshal(line, &rec)
	switch {
	case r.state.Version == 0 && (err != nil || rec.Version != journalVersion):
		r.former = true
		return json.Unmarshal(line, &r.state)
	case err != nil:
		r.bad++
	case rec.Version != 0:
		r.state.Version, r.state.Bus = stateVersion, rec.Bus
		if r.former { // a journal goes on from what was saved as a whole
			r.adopt()
		}
	case rec.On != nil || rec.Watch != "":
		r.on(&rec)
	case r.bus == nil:
		r.bad++
	case rec.Component != nil:
		r.bus.put(rec.Component)
	case rec.Ended != nil:
		r.bus.end(rec.Ended)
	case rec.Retired != "":
		r.bus.remove(rec.Retired)
	default:
		r.bus.join(&rec)
	}
	return nil
}

// adopt makes what was saved as a whole the state that a journal begins with.
func (r *stateReader) adopt() {
	r.former = false
	for i := range r.state.Buses {
		if r.state.Buses[i].Detector == nil {
			continue
		}
		b := r.find(r.state.Buses[i].Values, false)
		whole := *r.state.Buses[i].Detector
		b.Heard, b.Detector = r.state.Buses[i].Heard, &whole
		components := whole.Components
		whole.Components = nil
		for i := range components {
			b.put(&components[i])
		}
	}
	r.state.Buses = nil
}

// find returns the bus with some values, or the watch, and adds it if it is not known.
func (r *stateReader) find(values []string, watch bool) *busReader {
	name := readerName(values, watch)
	if at, known := r.byName[name]; known {
		return r.buses[at]
	}
	if r.byName == nil {
		r.byName = make(map[string]int)
	}
	b := &busReader{savedBus: savedBus{Values: values}, watch: watch, index: make(map[string]int)}
	r.byName[name] = len(r.buses)
	r.buses = append(r.buses, b)
	return b
}

// readerName tells buses and watches apart.
func readerName(values []string, watch bool) string {
	name := strings.Join(values, detector.KeySeparator)
	if watch {
		name += "\x00watch"
	}
	return name
}

// on makes a bus or a watch the one that the next records are of.
func (r *stateReader) on(rec *record) {
	watch := rec.Watch != ""
	if watch {
		rec.On = []string{rec.Watch}
	}
	b := r.find(rec.On, watch)
	if rec.Head == nil {
		name := readerName(rec.On, watch)
		r.buses[r.byName[name]], r.bus = nil, nil
		delete(r.byName, name)
		return
	}
	if b.Detector != nil {
		rec.Head.Components, rec.Head.Ended = b.Detector.Components, b.Detector.Ended
	}
	b.Heard, b.Detector = rec.Heard, rec.Head
	r.bus = b
}

func (b *busReader) put(c *detector.ComponentSnapshot) {
	at, known := b.index[c.Key]
	if !known {
		at = len(b.saved)
		b.index[c.Key] = at
		b.Detector.Components = append(b.Detector.Components, detector.ComponentSnapshot{})
		b.saved = append(b.saved, savedAt{})
	}
	b.Detector.Components[at] = *c
	b.saved[at] = b.now()
}

// now is what the head says.
func (b *busReader) now() savedAt {
	s := savedAt{now: b.Detector.Clock.Now}
	if b.Detector.Killed != nil {
		s.killed = *b.Detector.Killed
	}
	return s
}

func (b *busReader) remove(key string) {
	if at, known := b.index[key]; known {
		b.Detector.Components[at].Key = ""
		delete(b.index, key)
	}
}

// end takes a gap that was closed. It may be there already: all are written again in each round.
func (b *busReader) end(e *detector.EndedGap) {
	now := b.Detector.Clock.Now
	b.Detector.Ended = slices.DeleteFunc(b.Detector.Ended, func(o detector.EndedGap) bool {
		return o.Until < now || o.Gap.IncidentID == e.Gap.IncidentID
	})
	b.Detector.Ended = append(b.Detector.Ended, *e)
}

// join takes the members that an outage had.
func (b *busReader) join(rec *record) {
	now := b.now()
	for _, key := range rec.Members {
		at, known := b.index[key]
		if !known {
			b.put(&detector.ComponentSnapshot{Key: key, State: detector.Silent, Last: now.now, Beats: 1})
			at = b.index[key]
		}
		b.Detector.Components[at].Join(rec.Outage, now.now, now.now-b.saved[at].now)
		b.saved[at] = now
	}
}

// State returns what was read.
func (r *stateReader) State() *savedState {
	if r.former {
		return &r.state
	}
	r.state.Version = stateVersion
	for _, b := range r.buses {
		if b == nil {
			continue
		}
		now := b.now()
		for i := range b.Detector.Components {
			c := &b.Detector.Components[i]
			c.Stale = max(now.now-b.saved[i].now, 0)
			c.BeforeKill = now.killed != b.saved[i].killed
		}
		b.Detector.Components = slices.DeleteFunc(b.Detector.Components, func(c detector.ComponentSnapshot) bool { return c.Key == "" })
		if b.watch {
			r.state.Watches = append(r.state.Watches, b.savedBus)
		} else {
			r.state.Buses = append(r.state.Buses, b.savedBus)
		}
	}
	return &r.state
}
