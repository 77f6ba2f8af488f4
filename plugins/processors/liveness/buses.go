package liveness

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/logging"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// bus is one bus and its detector. Nothing on one bus changes the state of a component on another.
type bus struct {
	key      string
	values   []string // of the tags that the option bus names; the name of a watch
	watch    *Watch   // whose components these are; nil: it is a bus
	detector *detector.Detector
	arrival  uint64    // of the latest metric, counted over all buses; 0: none came since the start
	heard    time.Time // time of the latest metric; zero: none came since the start
	seen     time.Time // the same before the start
	warned   bool      // that two inputs report it
	jumps    int       // ticks in a row, each after a jump or a restart of observed_s, as of the last tick
	refused  int       // heartbeats of which was logged that they were dropped for want of room
	refusals logging.RateLimit
	unjudged bool // whether it was logged that components cannot be judged, and not that this is over
	blurred  logging.RateLimit
	blind    logging.RateLimit // of lines that say that its ticks do not come
	ticks    tickCheck         // of a bus; those of a watch are in it

	// Of the store:
	outage      string          // that components join
	joined      []string        // those that are to be written
	left        map[string]bool // of them: those that are no members any more
	begun, done uint64          // the latest rounds that were begun and done with it
	removed     bool
}

// name is what tells the bus from others, as a person reads it.
func (b *bus) name() string { return busName(b.values) }

// title says what it is, too.
func (b *bus) title() string {
	if b.watch != nil {
		return fmt.Sprintf("the watch %q", b.name())
	}
	return fmt.Sprintf("the bus %q", b.name())
}

// agrees reports whether a key has the values of the bus, or none, for each tag.
func (b *bus) agrees(key string) bool {
	for i, value := range valuesOf(key) {
		if value != "" && value != b.values[i] {
			return false
		}
	}
	return true
}

// valuesOf are the values of the tags that a key is made of.
func valuesOf(key string) []string {
	return strings.Split(strings.TrimSuffix(key, detector.KeySeparator), detector.KeySeparator)
}

func busName(values []string) string { return strings.TrimSpace(strings.Join(values, " ")) }

// latest is the time of its latest metric.
func (b *bus) latest() time.Time {
	if b.heard.IsZero() {
		return b.seen
	}
	return b.heard
}

// buses holds a detector for each bus.
type buses struct {
	tags        []string   // that together name a bus
	most        func() int // the maximum number of buses
	retireAfter time.Duration
	mostSilence time.Duration // without a tick
	create      func(key string) *detector.Detector
	log         telegraf.Logger

	byKey        map[string]*bus
	all          []*bus    // in order of appearance
	buffer       []byte    // for a key
	arrivals     uint64    // metrics that came
	searched     uint64    // arrivals when a bus to evict was last looked for and not found
	unknownSince time.Time // time of the first metric of a new bus since one of the known buses was heard
	full         bool      // whether it was logged that there is no room
}

// Key returns the key of the bus that a metric is of, which is valid until the next call. Complete is false if the
// metric lacks one of the tags.
func (s *buses) Key(m telegraf.Metric) (key []byte, complete bool) {
	complete = true
	s.buffer = s.buffer[:0]
	for _, tag := range s.tags {
		value, ok := m.GetTag(tag)
		complete = complete && ok
		// The character that is between the values must be in none of them.
		s.buffer = append(s.buffer, storable(strings.ReplaceAll(value, detector.KeySeparator, "\uFFFD"))...)
		s.buffer = append(s.buffer, detector.KeySeparator...)
	}
	return s.buffer, complete
}

// FindOrAdd returns the bus with a key, and adds it if it is not known; nil if there is no room for it. Evicted is the
// bus that was removed to make room, nil if none was. A metric that lacks a tag is of the only bus that has ticks, or,
// before the first tick, of the only one that is known from the state, if the tags that the metric has are those of it.
func (s *buses) FindOrAdd(key []byte, complete bool, at time.Time) (b, evicted *bus) {
	s.arrivals++
	b = s.byKey[string(key)]
	if !complete && (b == nil || !b.detector.Ticked()) {
		if only := s.only(); only != nil && only.agrees(string(key)) {
			return only, nil
		}
	}
	if b == nil {
		if len(s.all) >= s.most() {
			evicted = s.evict(at)
		}
		if b = s.Add(string(key)); b == nil {
			return nil, evicted
		}
	}
	b.arrival, s.unknownSince = s.arrivals, time.Time{}
	if at.After(b.heard) {
		b.heard = at
	}
	return b, evicted
}

// Candidates returns the buses that a metric that lacks a tag can be of: those that have ticks or are known from the
// state, apart from one that may have been renamed. There are none if the bus with this very key has ticks.
func (s *buses) Candidates(key []byte, renamed *bus) (candidates []*bus) {
	if b := s.byKey[string(key)]; b != nil && b.detector.Ticked() {
		return nil
	}
	for _, b := range s.all {
		if (b.detector.Ticked() || b != renamed && !b.seen.IsZero()) && b.agrees(string(key)) {
			candidates = append(candidates, b)
		}
	}
	return candidates
}

// only returns the only bus that has ticks, or, if none has, that is known; nil if there are several, or none.
func (s *buses) only() *bus {
	var only *bus
	if len(s.all) == 1 && !s.all[0].seen.IsZero() {
		only = s.all[0]
	}
	for _, b := range s.all {
		switch {
		case !b.detector.Ticked():
		case only != nil && only != b:
			return nil
		default:
			only = b
		}
	}
	return only
}

// Add adds a bus; nil if there is no room for it.
func (s *buses) Add(key string) *bus {
	if len(s.all) >= s.most() {
		return nil
	}
	b := &bus{key: key, values: valuesOf(key), detector: s.create(key), ticks: tickCheck{blindAfter: s.mostSilence}}
	s.byKey[key] = b
	s.all = append(s.all, b)
	return b
}

// evict removes the bus of which the last metric came before those of all others, and returns it, if that was longer than
// retireAfter before the metric of a new bus; nil if none was. The clock of such a bus stands still, so the times of the
// metrics are compared. A single clock that is ahead must not evict a bus that is heard: what counts is the earlier of
// the new bus's time and that of the bus that was heard last. Only when new buses are all that is heard, for longer than
// retireAfter, it is their time.
func (s *buses) evict(at time.Time) *bus {
	if s.searched > 0 && s.arrivals-s.searched < uint64(len(s.all)) {
		return nil // the search costs as much
	}
	inOrder := func(a, b *bus) int { return cmp.Or(cmp.Compare(a.arrival, b.arrival), a.latest().Compare(b.latest())) }
	if s.unknownSince.IsZero() {
		s.unknownSince = at
	}
	now := at
	if last := slices.MaxFunc(s.all, inOrder); len(s.all) > 1 && last.latest().Before(at) && at.Sub(s.unknownSince) <= s.retireAfter {
		now = last.latest()
	}
	var oldest *bus
	for _, b := range s.all {
		if !b.latest().After(now) && (oldest == nil || inOrder(b, oldest) < 0) { // one whose clock is ahead says nothing
			oldest = b
		}
	}
	if oldest != nil && now.Sub(oldest.latest()) > s.retireAfter {
		s.Remove(oldest)
		return oldest
	}
	s.searched = s.arrivals
	if !s.full {
		s.full = true
		s.log.Warnf("No further bus is judged: max_buses = %d are known, and all of them were heard within retire_after. "+
			"Raise max_buses, or see which tag of bus has so many values", s.most())
	}
	return nil
}

// Remove forgets a bus.
func (s *buses) Remove(b *bus) {
	b.removed = true
	delete(s.byKey, b.key)
	s.all = slices.DeleteFunc(s.all, func(other *bus) bool { return other == b })
}

// Describe names a component in a log line.
func (s *buses) Describe(b *bus, key string) string {
	switch {
	case b.watch != nil:
		return fmt.Sprintf("%q of %q", detector.Name(key), b.name())
	case len(s.all) > 1:
		return fmt.Sprintf("%q on %q", detector.Name(key), b.name())
	}
	return fmt.Sprintf("%q", detector.Name(key))
}
