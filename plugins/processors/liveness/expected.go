package liveness

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
