package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// verdict is the result for one death and one consumer, or for a gap without a death.
type verdict int

const (
	nothing       verdict = iota // not expected and not handled
	handled                      // expected and handled once
	missed                       // expected and not handled
	doubled                      // handled more than once
	falseAlarm                   // handled without a reason
	nearThreshold                // undecidable, as the following, see ledger.go
	noTimeToDeliver
	consumerAway
	consumerRestarted
)

// undecidable reports whether the ledger cannot decide.
func (v verdict) undecidable() bool { return v >= nearThreshold }

// finding is a verdict with its reason.
type finding struct {
	verdict     verdict
	consumer    string
	zooid       string
	reason      string
	delay       time.Duration // past the deadline, if handled
	undisturbed bool          // from the last beat until it was handled
}

// findings compares what happened with what the consumers have handled.
func (l *ledger) findings() []finding {
	byDeath := make([][][]handling, len(l.deaths)) // by death, then by consumer
	for i := range byDeath {
		byDeath[i] = make([][]handling, len(l.consumers))
	}
	var found []finding
	for c, record := range l.consumers {
		of := make(map[string]int) // death, by incident
		for _, h := range record.handled {
			d, ok := of[h.incident]
			if !ok {
				d, ok = l.deathOf(h)
			}
			if !ok {
				found = append(found, finding{verdict: falseAlarm, consumer: record.name, zooid: h.zooid,
					reason: fmt.Sprintf("%s at %v without a death", h.kind, h.at)})
				continue
			}
			of[h.incident] = d
			byDeath[d][c] = append(byDeath[d][c], h)
		}
	}
	for i, d := range l.deaths {
		s := l.silenceOf(d)
		for c := range l.consumers {
			f := l.assess(d, s, byDeath[i], c)
			f.consumer, f.zooid = l.consumers[c].name, d.zooid
			f.reason = fmt.Sprintf("%s; dead from %v to %v, certain silence %v, possible silence %v, threshold %v",
				f.reason, d.lastBeat, d.revived, s.certain, s.possible, s.longest)
			found = append(found, f)
		}
	}
	return found
}

// deathOf returns the death that a new incident belongs to: the last one of its zooid.
func (l *ledger) deathOf(h handling) (int, bool) {
	if h.kind != gapMissing {
		return 0, false
	}
	at := -1
	for i, d := range l.deaths {
		if d.zooid == h.zooid && d.killed <= h.at {
			at = i
		}
	}
	return at, at >= 0
}

// assess returns the finding for a death and a consumer, given what each consumer has handled of the death.
func (l *ledger) assess(d death, s silence, handlings [][]handling, c int) finding {
	mine := handlings[c]
	if len(mine) == 0 {
		return l.assessUnhandled(d, s, handlings, c)
	}
	if len(mine) > 1 {
		first, second := mine[0], mine[1]
		reason := fmt.Sprintf("handled %d times, at %v as %s and at %v as %s",
			len(mine), first.at, first.incident, second.at, second.incident)
		if len(mine) == 2 && first.incident == second.incident && first.life != second.life && second.at-first.at < consumer.DedupWindow {
			return finding{verdict: consumerRestarted, reason: reason}
		}
		return finding{verdict: doubled, reason: reason}
	}
	at := mine[0].at
	switch reason := fmt.Sprintf("handled at %v", at); {
	case s.possible < s.shortest-slack:
		return finding{verdict: falseAlarm, reason: reason + ", the silence is too short"}
	case s.possible >= s.shortest && at < s.earliest-early:
		return finding{verdict: falseAlarm, reason: fmt.Sprintf("%s, before the deadline at %v", reason, s.earliest)}
	case l.disturbed().outside(span{s.back, at}).total() > delivery:
		return finding{verdict: falseAlarm, reason: fmt.Sprintf("%s, although it was back at %v", reason, s.back)}
	case !s.expected:
		return finding{verdict: nearThreshold, reason: reason}
	default:
		// Who has lost beats before may find it earlier than the last beat tells.
		deadline := max(s.earliest, d.lastBeat+s.shortest)
		return finding{verdict: handled, reason: reason, delay: at - deadline, undisturbed: l.undisturbed(span{d.lastBeat, at})}
	}
}

// undisturbed reports whether nothing was disturbed in a span.
func (l *ledger) undisturbed(whole span) bool {
	return l.disturbed().outside(whole).total() == whole.to-whole.from
}

// assessUnhandled returns the finding for a consumer that has handled nothing.
func (l *ledger) assessUnhandled(d death, s silence, handlings [][]handling, c int) finding {
	if !s.expected {
		if s.possible < s.shortest-slack {
			return finding{verdict: nothing}
		}
		return finding{verdict: nearThreshold, reason: "not handled"}
	}
	if i := slices.IndexFunc(handlings, func(h []handling) bool { return len(h) > 0 }); i >= 0 {
		at := handlings[i][0].at
		if !l.consumers[c].connected.contain(span{at - connectedAround, at + connectedAround}) {
			return finding{verdict: consumerAway, reason: fmt.Sprintf("not connected when %s handled it at %v", l.consumers[i].name, at)}
		}
		return finding{verdict: missed, reason: fmt.Sprintf("%s handled it at %v", l.consumers[i].name, at)}
	}
	needed := delivery
	if l.undisturbed(span{d.lastBeat, d.revived}) {
		needed = prompt
	}
	quiet := l.quietAfter(d, s.longest, d.revived)
	switch {
	case !slices.ContainsFunc(quiet, func(q spans) bool { return q.longest() >= needed }):
		return finding{verdict: noTimeToDeliver, reason: "not handled"}
	case couldReceive(quiet, l.consumers[c], needed):
		return finding{verdict: missed, reason: "no consumer handled it"}
	default:
		return finding{verdict: consumerAway, reason: "no consumer handled it"}
	}
}

// couldReceive reports whether a consumer was connected for so long in an undisturbed time of a monitor.
func couldReceive(quiet []spans, r record, needed time.Duration) bool {
	for _, part := range slices.Concat(quiet...) {
		for _, connected := range r.connected {
			if min(part.to, connected.to)-max(part.from, connected.from) >= needed {
				return true
			}
		}
	}
	return false
}

// due reports whether a gap of a component that has been dead until now must have been delivered to each consumer, if the
// threshold was at most so long.
func (l *ledger) due(d death, longest, now time.Duration, consumers []record) bool {
	quiet := l.quietAfter(d, longest, now)
	return !slices.ContainsFunc(consumers, func(r record) bool { return !couldReceive(quiet, r, delivery) })
}
