package liveness

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// expectations are the components that have to appear, by their keys.
type expectations struct {
	everywhere []string            // on each bus
	on         map[string][]string // by the name of the bus
	anywhere   map[string]*bus     // on any bus: the one on which each is expected now, or was heard; nil: none yet
	undecided  bool                // whether one of them is nil
	since      time.Time           // of the first tick of a bus
	checked    bool                // whether the buses that on names are heard
}

// parseExpected reads the option of that name: NAME, BUS/NAME or */NAME.
func (l *Liveness) parseExpected() (expectations, error) {
	e := expectations{on: make(map[string][]string), anywhere: make(map[string]*bus)}
	for _, text := range l.Expected {
		parts := strings.Split(text, "/")
		first := max(len(parts)-len(l.Identity), 0) // of the name
		name := strings.Join(parts[first:], "/")
		key := strings.Join(parts[first:], detector.KeySeparator)
		problem, allowed := "", ""
		switch {
		case slices.Contains(parts[first:], ""):
			problem, allowed = fmt.Sprintf("%q holds an empty name", text), `use names such as ["meta_agent"]`
		case len(parts) < len(l.Identity):
			problem, allowed = fmt.Sprintf("%q is no name", text), `with several identity tags use their values with "/" between`
		case strings.ContainsAny(name, "*?"):
			problem, allowed = fmt.Sprintf("%q is a glob", text), `name each component that must appear; "*/NAME" is expected on every bus`
		case l.ignored.Match(name):
			problem, allowed = fmt.Sprintf("%q is ignored", text), "leave out of ignore what is expected"
		}
		if problem != "" {
			return e, &option.Error{Name: "expected", Problem: problem, Allowed: allowed}
		}
		switch bus := strings.Join(parts[:first], "/"); {
		case first == 0:
			e.anywhere[key], e.undecided = nil, true
		case bus == "*":
			e.everywhere = append(e.everywhere, key)
		default:
			e.on[bus] = append(e.on[bus], key)
		}
	}
	return e, nil
}

// expectOn lets a bus that has ticks await what is awaited nowhere so far.
func (l *Liveness) expectOn(b *bus) {
	if !l.expected.undecided {
		return
	}
	l.expected.undecided = false
	for _, key := range slices.Sorted(maps.Keys(l.expected.anywhere)) {
		if l.expected.anywhere[key] == nil {
			l.expected.anywhere[key] = b
			b.detector.Expect(key, false)
		}
	}
}

// checkExpected logs, once, which buses that expected names were not heard since the first tick: nobody is missed there.
func (l *Liveness) checkExpected() {
	e := &l.expected
	if e.checked || len(e.on) == 0 {
		return
	}
	now := l.now()
	if e.since.IsZero() {
		e.since = now
	}
	within := max(time.Duration(l.ExpectWithin), l.mostSilence())
	if now.Sub(e.since) < within {
		return
	}
	heard := make(map[string]bool)
	for _, b := range l.buses.all {
		if b.detector.Ticked() {
			heard[b.name()] = true
		}
	}
	if len(heard) == 0 {
		return
	}
	e.checked = true
	for _, name := range slices.Sorted(maps.Keys(e.on)) {
		if !heard[name] {
			l.Log.Warnf("Expected components of the bus %q are not monitored: no tick of it came for %v, and others did, such as of %q. "+
				"Write it as the tags [\"%s\"] of chembus_tick are, with a space between, or see why it is not heard",
				name, within, slices.Min(slices.Collect(maps.Keys(heard))), strings.Join(l.Bus, `", "`))
		}
	}
}

// foundOn takes that a component was heard on a bus for the first time: if it is expected anywhere, then from now on
// there.
func (l *Liveness) foundOn(acc telegraf.Accumulator, b *bus, key string, e *event) {
	home, expected := l.expected.anywhere[key]
	if !expected || home == b || home != nil && home.detector.IsSeen(key) {
		return
	}
	l.expected.anywhere[key] = b
	b.detector.Expect(key, false)
	if home != nil {
		l.report(acc, home, home.detector.Unexpect(key), e)
	}
}

// forgetExpectations takes that a bus is removed.
func (l *Liveness) forgetExpectations(b *bus) {
	for key, home := range l.expected.anywhere {
		if home == b {
			l.expected.anywhere[key], l.expected.undecided = nil, true
		}
	}
}
