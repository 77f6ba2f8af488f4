package main

import (
	"slices"
	"time"
)

// The ledger records when each zooid has sent its last beat before a death and the first one after it, when each part of
// the chain was disturbed, and when each consumer could receive. It cannot know how much of a silence was observed: that
// depends on the bus, the input, Telegraf and the processor. So each death has two measures of its silence:
//
//   - The certain silence is the time of the death without disturbances. A part counts as disturbed from the start of a
//     fault until recovery after its end; a killed processor also from its last save, since it forgets what came after.
//   - The possible silence is the time from the last beat that was certainly received until the next one, without the
//     time that certainly was not observed. A beat was certainly received unless it was sent during a disturbance that
//     loses messages: a killed process loses them, a stopped one does not.
//
// From these follows the verdict on each death and consumer:
//
//   - A gap is expected if the certain silence exceeds the threshold by margin and, before the zooid is back, there is an
//     undisturbed time long enough for a delivery: prompt if nothing was disturbed since its last beat, else delivery.
//   - A gap is false if the possible silence stays below the threshold by more than slack, if the gap comes before the
//     possible silence reaches the threshold, or if the zooid was certainly received again for longer than a delivery.
//   - A second gap for one death, handled by one consumer, is doubled.
//
// With adaptive thresholds the one that counts is what the processor reported while the component was silent: the longest
// for a gap that is expected, the shortest for one that is false. It is the same unless the processor was killed.
//
// Several monitors of a bus are disturbed each for itself, and who is not finds a death. So a gap is expected if it is by
// what happened to one of them, and false only if it is by what happened to each.
//
// In these cases only, a gap is undecidable and may be handled once or not at all:
//
//   - nearThreshold: the certain silence does not exceed the threshold by margin, but the possible one comes near it.
//   - noTimeToDeliver: found, but there was no undisturbed time before the revival in which to deliver the gap.
//   - consumerAway: the consumer could not receive when the other one did; the bus keeps nothing.
//   - consumerRestarted: handled twice within consumer.DedupWindow, but by two lives of the consumer, and the second one does not
//     know what the first has handled.
const (
	// How long after the end of a fault all parts must work again: if the part continues where it was, and if it is
	// started again, which takes a second until sockets reconnect or the state is loaded.
	resumed   = time.Second
	restarted = 3 * time.Second
	// saveInterval is how often the processor saves its state; it cannot forget more than that.
	saveInterval = 10 * time.Second
	// margin is by how much a silence must exceed the threshold to be certainly found on a busy machine.
	margin = 2 * time.Second
	// slack is how late the beat that ends a silence may be received.
	slack = 500 * time.Millisecond
	// early is by how much a gap may come before its deadline: clocks are read at different times.
	early = 50 * time.Millisecond
	// How long a delivery may take without a disturbance, and after one: the gap has to be reported again, or the
	// output has to publish it again because the ack is missing.
	prompt   = time.Second
	delivery = 8 * time.Second
	// connectedAround is how long before and after a message another consumer must have been connected to count as
	// having missed it.
	connectedAround = 300 * time.Millisecond
)

// disturbance is a time in which a fault kept a part of the chain from working.
type disturbance struct {
	span
	recovery     time.Duration // how long after its end all parts may still be disturbed
	loses        bool          // messages in the part were lost
	unsaved      time.Duration // time before it that the processor had not saved
	blindUntil   time.Duration // from its start until then the bus was certainly not observed
	deliveryOnly bool          // it does not affect the observation
	monitor      int           // that it affects, from 1; 0: all
}

// death is one silence of a zooid.
type death struct {
	zooid    string
	lastBeat time.Duration // time of sending
	killed   time.Duration
	revived  time.Duration // or the end of the campaign

	brief     bool // shorter than any threshold
	disturbed int  // disturbances that began while its verdict was not due
}

// handling is a gap that a consumer has handled.
type handling struct {
	zooid, kind, incident string
	at                    time.Duration
	life                  int // of the consumer; a new one knows no incidents
}

// record is what a consumer has handled, and when it was connected.
type record struct {
	name      string
	handled   []handling
	connected spans
}

// ledger is what happened in a campaign.
type ledger struct {
	threshold    time.Duration
	adaptive     map[string][]inForce // by component, in the order of time; nil: threshold is in force for all
	interval     time.Duration        // of the heartbeats
	disturbances []disturbance
	deaths       []death // of each zooid in the order of time
	consumers    []record
	monitors     int
}

// views returns a ledger for each monitor, with what disturbed it.
func (l *ledger) views() []*ledger {
	all := make([]*ledger, l.monitors)
	for i := range all {
		own := *l
		own.disturbances = slices.DeleteFunc(slices.Clone(l.disturbances), func(d disturbance) bool {
			return d.monitor != 0 && d.monitor != i+1
		})
		all[i] = &own
	}
	return all
}

// during returns the union of a span of each disturbance.
func (l *ledger) during(spanOf func(disturbance) span) spans {
	var all []span
	for _, d := range l.disturbances {
		all = append(all, spanOf(d))
	}
	return union(all)
}

// disturbed returns the time in which a delivery may have taken longer.
func (l *ledger) disturbed() spans {
	return l.during(func(d disturbance) span { return span{d.from, d.to + d.recovery} })
}

// uncertain returns the time in which a silence was possibly not observed or not saved.
func (l *ledger) uncertain() spans {
	return l.during(func(d disturbance) span {
		if d.deliveryOnly {
			return span{}
		}
		return span{d.from - d.unsaved, d.to + d.recovery}
	})
}

// lossy returns the time in which beats may have been lost.
func (l *ledger) lossy() spans {
	return l.during(func(d disturbance) span {
		if !d.loses || d.deliveryOnly {
			return span{}
		}
		return span{d.from, d.to + d.recovery}
	})
}

// unsaved returns the time that the processor has possibly forgotten.
func (l *ledger) unsaved() spans {
	return l.during(func(d disturbance) span { return span{d.from - d.unsaved, d.from} })
}

// blind returns the time that was certainly not observed.
func (l *ledger) blind() spans {
	return l.during(func(d disturbance) span { return span{d.from, d.blindUntil} })
}

// silence is what the ledger knows of the silence of a death.
type silence struct {
	shortest, longest time.Duration // threshold that was in force
	certain, possible time.Duration
	earliest          time.Duration // when the possible silence reaches the shortest threshold, if it does
	expected          bool          // the certain silence exceeds the longest threshold by margin
	back              time.Duration // when the zooid has certainly been received again
}

// silenceOf returns both measures of the silence of a death, each of the monitor for which it is longest.
func (l *ledger) silenceOf(d death) silence {
	var all silence
	for _, view := range l.views() {
		s := view.silenceForOne(d)
		if s.possible >= s.shortest && (all.possible < s.shortest || s.earliest < all.earliest) {
			all.earliest = s.earliest
		}
		all.shortest, all.longest = s.shortest, s.longest
		all.certain, all.possible = max(all.certain, s.certain), max(all.possible, s.possible)
		all.expected = all.expected || s.expected
		all.back = max(all.back, s.back)
	}
	return all
}

// silenceForOne is silenceOf in the view of one monitor.
func (l *ledger) silenceForOne(d death) silence {
	var s silence
	s.shortest, s.longest = l.thresholdOf(d)
	s.certain = l.uncertain().outside(span{d.lastBeat, d.revived}).total()
	s.expected = s.certain >= s.longest+margin

	lossy := l.lossy()
	heard := d.lastBeat
	if around, lost := lossy.at(heard); lost {
		heard = around.from - l.interval
	} else if _, forgot := l.unsaved().at(heard); forgot {
		heard -= l.interval // the processor has fallen back to a time after the beat before
	}
	s.back = d.revived
	if around, lost := lossy.at(s.back); lost {
		s.back = around.to + l.interval
	}
	possible := l.blind().outside(span{heard, s.back})
	s.possible = possible.total()
	s.earliest, _ = possible.when(s.shortest)
	return s
}

// quietAfter returns for each monitor that certainly found a death until a time, if the threshold was at most so long, the
// undisturbed times from then on.
func (l *ledger) quietAfter(d death, longest, until time.Duration) []spans {
	var all []spans
	for _, view := range l.views() {
		if latest, found := view.uncertain().outside(span{d.lastBeat, until}).when(longest + margin); found {
			all = append(all, view.disturbed().outside(span{latest, until}))
		}
	}
	return all
}

// certainlyHeard reports whether a beat of a zooid that is alive since then has certainly been received. Only such a zooid
// is killed: else its death could not be distinguished from the one before.
func (l *ledger) certainlyHeard(since, now time.Duration) bool {
	return l.uncertain().outside(span{since, now}).total() >= 2*l.interval
}
