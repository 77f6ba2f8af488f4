package liveness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// bus is one bus and its detector. Nothing on one bus changes a verdict on another.
type bus struct {
	key      string
	values   []string // of the tags that the option bus names
	detector *detector.Detector
	heard    time.Time // time of the latest metric; zero: none came since the start
	seen     time.Time // the same before the start
	warned   bool      // that two inputs report it
	jumps    int       // ticks in a row that came after one, as of the last tick
}

// name is what tells the bus from others, as a person reads it.
func (b *bus) name() string { return busName(b.values) }

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
	tags        []string // that together name a bus
	most        int      // as many are kept
	retireAfter time.Duration
	create      func(name string) *detector.Detector
	removed     func(*bus)
	log         telegraf.Logger

	byKey    map[string]*bus
	all      []*bus // in order of appearance
	buffer   []byte // for a key
	latest   time.Time
	searched time.Time // when room was last looked for in vain
	full     bool      // and that was logged
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

// Find returns the bus with a key, and adds it if it is not known; nil if there is no room for it. A metric that
// lacks a tag is of the only bus that has ticks, if there is only one and the tags that the metric has are the same.
func (s *buses) Find(key []byte, complete bool, at time.Time) *bus {
	if at.After(s.latest) {
		s.latest = at
	}
	b := s.byKey[string(key)]
	if !complete && (b == nil || !b.detector.Ticked()) {
		if only := s.onlyWithTicks(); only != nil && only.agrees(string(key)) {
			return only
		}
	}
	if b == nil {
		if b = s.Add(string(key)); b == nil {
			return nil
		}
	}
	if at.After(b.heard) {
		b.heard = at
	}
	return b
}

// onlyWithTicks returns the only bus that has ticks; nil if there are several, or none.
func (s *buses) onlyWithTicks() *bus {
	var only *bus
	for _, b := range s.all {
		switch {
		case !b.detector.Ticked():
		case only != nil:
			return nil
		default:
			only = b
		}
	}
	return only
}

// Add adds a bus; nil if there is no room for it.
func (s *buses) Add(key string) *bus {
	if len(s.all) >= s.most && !s.makeRoom() {
		return nil
	}
	values := valuesOf(key)
	b := &bus{key: key, values: values, detector: s.create(busName(values))}
	s.byKey[key] = b
	s.all = append(s.all, b)
	return b
}

// makeRoom removes the bus that was not heard for longest, if that is longer than retireAfter. The clock of such a bus
// stands still, so the times of the metrics of all buses are compared.
func (s *buses) makeRoom() bool {
	if s.latest.Sub(s.searched).Abs() < time.Minute {
		return false
	}
	oldest := slices.MinFunc(s.all, func(a, b *bus) int { return a.latest().Compare(b.latest()) })
	if s.latest.Sub(oldest.latest()) > s.retireAfter {
		s.Remove(oldest)
		return true
	}
	s.searched = s.latest
	if !s.full {
		s.full = true
		s.log.Warnf("No further bus is judged: max_buses = %d are known, and all of them were heard within retire_after. "+
			"Raise max_buses, or see which tag of bus has so many values", s.most)
	}
	return false
}

// Remove forgets a bus.
func (s *buses) Remove(b *bus) {
	s.removed(b)
	delete(s.byKey, b.key)
	s.all = slices.DeleteFunc(s.all, func(other *bus) bool { return other == b })
}

// Describe names a component in a log line.
func (s *buses) Describe(b *bus, key string) string {
	if len(s.all) > 1 {
		return fmt.Sprintf("%q on %q", detector.Name(key), b.name())
	}
	return fmt.Sprintf("%q", detector.Name(key))
}
