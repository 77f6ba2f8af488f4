package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What the ledger of monitors can know, and what it cannot
//
// The ledger knows when each monitor was handed which level, when each fault began and ended, what the bus
// forwarded, and what the consumer handled. From these follows for each failure:
//
//   - It has to be handled if nothing was disturbed for publishLimit between the moment at which the first
//     monitor found it and the moment at which the component was back. Else it may be handled, or not.
//   - It is doubled if the consumer handled it more than once: under two ids, or under one after it had
//     forgotten that.
//   - It is handled after its end if a monitor published it that had been handed the closed level before.
//
// Undecidable is only a failure that is doubled in one of two ways, which no protocol can prevent:
//
//   - A monitor stood still between its last read and its send: it had its claim back, decided to publish, and was
//     stopped at that moment, so that another one published in its place. See stoodStill for what the ledger demands to
//     believe it.
//   - The consumer left right after it had handled the gap, before a monitor could know that it had, and was told again
//     when it came back, with an empty memory. See leftUnproved.
const (
	// publishLimit is how long it may take after the end of all faults until a gap is published: connections are
	// made again, the others are asked for what they know, and another monitor that made a claim gets its time.
	publishLimit = 18 * time.Second
	// endKnown is how long after a monitor was handed the closed level of a gap it may still publish it.
	endKnown = 2 * time.Second
	// stillWithin is how long before it is stopped a monitor may have decided to publish, if the stop is to
	// explain that it publishes after its end, and signalDelay how long the stop may take to arrive.
	stillWithin = 100 * time.Millisecond
	signalDelay = 5 * time.Millisecond
	// sendDelay is how long after the end of a stop the bus may forward what the monitor had decided before it.
	sendDelay = 500 * time.Millisecond
	// claimLife is how old a claim may be with which a monitor publishes.
	claimLife = time.Second
	// unproved is how long a gap may be handled before it counts as delivered: the ack comes, and the consumer listens
	// for another half second.
	unproved = 2 * time.Second
)

// doneFault is a fault with the times at which it really began and ended.
type doneFault struct {
	monitorFault
	span
}

// writtenLevel is a level that a monitor was handed.
type writtenLevel struct {
	at      time.Duration
	failure int
	monitor int
	event   levelEvent
}

// forwardedGap is a gap that the bus forwarded.
type forwardedGap struct {
	at       time.Duration
	stamp    time.Duration // when the monitor published it, by the message
	monitor  int           // that published it; -1: unknown
	incident string
}

// privateMessage is what monitors said to each other.
type privateMessage struct {
	at             time.Duration
	topic, payload string
}

// handledGap is a gap that the consumer handled.
type handledGap struct {
	at       time.Duration
	incident string
}

// monitorLedger is what really happened on one bus. All times count from the start of the stage.
type monitorLedger struct {
	stage     int
	failures  []failure
	faults    []doneFault
	levels    []writtenLevel // in the order of time, like the following
	forwarded []forwardedGap
	private   []privateMessage
	handled   []handledGap
}

// outcome is what the ledger says of one failure.
type outcome int

const (
	gapHandled     outcome = iota // once
	gapNotDue                     // not handled, and did not have to be
	gapMissed                     // had to be handled, and was not
	gapDoubled                    // handled more than once
	gapAfterEnd                   // handled once, published after its end
	gapUnknown                    // handled, and no such failure
	gapUndecidable                // doubled, and nobody could have known
)

// problem reports whether the outcome must not be.
func (o outcome) problem() bool {
	return o == gapMissed || o == gapDoubled || o == gapAfterEnd || o == gapUnknown
}

// gapFinding is the outcome of one failure, with its reason.
type gapFinding struct {
	outcome outcome
	stage   int
	failure int // -1: unknown
	name    string
	reason  string
	delay   time.Duration // from the first find until it was handled; only if it was
	calm    bool          // nothing was disturbed meanwhile
}

// findings compares what happened with what the consumer handled.
func (l *monitorLedger) findings() []gapFinding {
	of := make(map[string]int) // failure, by incident
	for i := range l.failures {
		for m := range monitorsOnBus {
			of[l.failures[i].incidentID(m)] = i
		}
	}
	byFailure := make([][]handledGap, len(l.failures))
	var found []gapFinding
	for _, h := range l.handled {
		i, ok := of[h.incident]
		if !ok {
			found = append(found, gapFinding{outcome: gapUnknown, stage: l.stage, failure: -1, name: h.incident,
				reason: fmt.Sprintf("handled at %.3f s, but no such failure", h.at.Seconds())})
			continue
		}
		byFailure[i] = append(byFailure[i], h)
	}
	for i, handled := range byFailure {
		f := l.outcome(i, handled)
		f.stage, f.failure, f.name = l.stage, i, l.failures[i].component
		found = append(found, f)
	}
	return found
}

// outcome says what became of a failure, given all that the consumer handled of it.
func (l *monitorLedger) outcome(i int, handled []handledGap) gapFinding {
	found := l.foundAt(i)
	switch {
	case len(handled) == 0 && l.due(i):
		return gapFinding{outcome: gapMissed, reason: fmt.Sprintf("found at %.3f s, and not handled", found.Seconds())}
	case len(handled) == 0:
		return gapFinding{outcome: gapNotDue}
	case len(handled) > 1:
		var times []string
		for _, h := range handled {
			times = append(times, fmt.Sprintf("at %.3f s as %s", h.at.Seconds(), h.incident))
		}
		reason := fmt.Sprintf("handled %d times: %s", len(handled), strings.Join(times, ", "))
		for _, again := range handled[1:] {
			switch {
			case l.stoodStill(handled[0], again):
				reason += "; the monitor stood still between its claim and its message"
			case l.leftUnproved(handled[0], again):
				reason += "; the consumer had left right after it had handled it"
			default:
				return gapFinding{outcome: gapDoubled, reason: reason}
			}
		}
		return gapFinding{outcome: gapUndecidable, reason: reason}
	}
	h := handled[0]
	if sent, ended, after := l.afterEnd(i, h); after {
		return gapFinding{outcome: gapAfterEnd, reason: fmt.Sprintf(
			"monitor %d published it at %.3f s, and had its closed level at %.3f s", sent.monitor, sent.stamp.Seconds(), ended.Seconds())}
	}
	during := span{found, h.at}
	return gapFinding{outcome: gapHandled, delay: h.at - found, calm: l.disturbed().outside(during).total() == during.to-during.from}
}

// disturbed returns the time in which a gap may not have been published at once.
func (l *monitorLedger) disturbed() spans {
	var all []span
	for _, f := range l.faults {
		all = append(all, span{f.from, f.to + restarted})
	}
	return union(all)
}

// foundAt is when the first monitor was handed the open level of a failure; never if none was.
func (l *monitorLedger) foundAt(i int) time.Duration {
	for _, w := range l.levels {
		if w.failure == i && w.event != closed {
			return w.at
		}
	}
	return never
}

// due reports whether a failure had to be handled.
func (l *monitorLedger) due(i int) bool {
	back := slices.Min(l.failures[i].back[:])
	return l.disturbed().outside(span{l.foundAt(i), back}).longest() >= publishLimit
}

// sentAs returns the message that the consumer handled.
func (l *monitorLedger) sentAs(h handledGap) (forwardedGap, bool) {
	var nearest forwardedGap
	ok := false
	for _, m := range l.forwarded {
		if m.incident == h.incident && (!ok || (m.at-h.at).Abs() < (nearest.at-h.at).Abs()) {
			nearest, ok = m, true
		}
	}
	return nearest, ok
}

// afterEnd reports whether a gap was published by a monitor that had been handed its closed level, and had been
// at work since.
func (l *monitorLedger) afterEnd(i int, h handledGap) (sent forwardedGap, ended time.Duration, after bool) {
	sent, ok := l.sentAs(h)
	if !ok {
		return sent, 0, false
	}
	for _, w := range l.levels {
		if w.failure == i && w.monitor == sent.monitor && w.event == closed {
			during := span{w.at, sent.stamp}
			return sent, w.at, sent.stamp > w.at+endKnown && l.disturbed().outside(during).total() == during.to-during.from
		}
	}
	return sent, 0, false
}

// stoodStill reports whether a gap that had been handled was handled again because the monitor that published it
// then was stopped between its last read and its send. All of this has to be so:
//
//   - by the time in its message it decided to publish when it was stopped, or up to stillWithin before;
//   - a message between the monitors that names the incident, its claim, had been forwarded by then, claimLife
//     before at most;
//   - the bus forwarded the gap right after the stop had ended, and the other one's while it lasted;
//   - the bus itself was not disturbed, for then the message may have been sent before the stop.
func (l *monitorLedger) stoodStill(first, again handledGap) bool {
	sent, ok := l.sentAs(again)
	if !ok {
		return false
	}
	for _, f := range l.faults {
		if f.kind == monitorStopped && f.monitor == sent.monitor &&
			sent.stamp >= f.from-stillWithin && sent.stamp <= f.from+signalDelay &&
			sent.at >= f.to && sent.at <= f.to+sendDelay &&
			first.at >= f.from && first.at <= sent.at &&
			l.claimed(sent.incident, span{sent.stamp - claimLife, f.from}) && !l.busDisturbed(span{sent.stamp, f.to}) {
			return true
		}
	}
	return false
}

// leftUnproved reports whether a gap was handled again, under the same id, by a consumer that had left within unproved after
// it had handled it first.
func (l *monitorLedger) leftUnproved(first, again handledGap) bool {
	return first.incident == again.incident && slices.ContainsFunc(l.faults, func(f doneFault) bool {
		return f.kind == consumerLate && f.from >= first.at && f.from <= first.at+unproved && f.to <= again.at
	})
}

// claimed reports whether a message between the monitors that names an incident was forwarded within a span.
func (l *monitorLedger) claimed(incident string, within span) bool {
	return slices.ContainsFunc(l.private, func(p privateMessage) bool {
		return p.at >= within.from && p.at <= within.to && strings.Contains(p.payload, incident)
	})
}

func (l *monitorLedger) busDisturbed(within span) bool {
	return slices.ContainsFunc(l.faults, func(f doneFault) bool {
		return f.ofBus() && f.from < within.to && f.to+restarted > within.from
	})
}

// sort brings everything into the order of time.
func (l *monitorLedger) sort() {
	slices.SortStableFunc(l.levels, func(a, b writtenLevel) int { return cmp.Compare(a.at, b.at) })
	slices.SortStableFunc(l.faults, func(a, b doneFault) int { return cmp.Compare(a.from, b.from) })
}
