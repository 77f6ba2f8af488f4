package main

import "time"

// What the ledger can know, and what it cannot
//
// The ledger knows when each zooid sent its last beat before a death and its first one after it, when
// each part of the chain was disturbed, and when each consumer could hear. It does not know how much of a
// silence the monitor observed: that takes a bus that forwards and a sensor, a Telegraf and a judge that
// work. So each death has two measures of its silence:
//
//   - The certain silence is the time of the death in which nothing was disturbed. A part counts as
//     disturbed from the beginning of a fault until recovery after its end; a judge that was killed
//     without warning also from when it had last saved its state, since it forgets what came after.
//   - The possible silence is the time from the last beat that was heard for sure until the next one,
//     without the time in which for sure nobody could have observed anything. A beat is heard for sure
//     unless it was sent while something was disturbed that loses what it holds: who is stopped does
//     not, who is killed does.
//
// From these follows what must happen:
//
//   - A gap is expected if the certain silence exceeds the threshold by margin, and from then on, before
//     the zooid is back, nothing was disturbed for as long as a delivery may take: prompt if nothing was
//     disturbed since its last beat, else delivery.
//   - A gap is false if the possible silence does not come within slack of the threshold, if it comes
//     before the possible silence reaches the threshold, or if its zooid has for sure been heard again for
//     as long as a delivery may take.
//   - A second gap for one death, handled by one consumer, is doubled.
//
// Undecidable is only this, and a gap may then be handled once or not at all:
//
//   - nearThreshold: the certain silence does not exceed the threshold by margin, but the possible one
//     comes near it.
//   - noTimeToTell: found in time, but there was no quiet time before the revival in which to deliver it.
//   - consumerAway: the consumer could not hear when the other one heard it; the bus has no memory.
//   - consumerForgot: handled twice within replayWindow, but by two lives of the consumer, and the second
//     cannot know what the first did.
const (
	// How long after the end of a fault everything must work again: of one that went on where it was, and
	// of one that was started again, which takes a second until a socket tries again or a state is loaded.
	resumed   = time.Second
	restarted = 3 * time.Second
	// saveInterval is how often a judge without news saves its state; it can forget no more.
	saveInterval = 10 * time.Second
	// margin is by how much a silence must exceed the threshold to be found for sure on a busy machine.
	margin = 2 * time.Second
	// slack is how late the beat that ends a silence may be heard.
	slack = 500 * time.Millisecond
	// early is by how much a gap may come before its deadline: clocks are read at different moments.
	early = 50 * time.Millisecond
	// How long a delivery may take when nothing is disturbed, and when something was before: a level has
	// to be repeated, or a confirmation does not come and there is another try.
	prompt   = time.Second
	delivery = 8 * time.Second
	// hearingAround is how long before and after a message another consumer must have been able to hear
	// to be blamed for not handling it.
	hearingAround = 300 * time.Millisecond
	// replayWindow is how long a consumer remembers an incident.
	replayWindow = time.Minute
)

// outage is a time in which a part of the chain did not work, by the harness's own doing.
type outage struct {
	span
	recovery     time.Duration // how long after its end everything may still be disturbed
	loses        bool          // the part was killed, with what it held
	forgets      time.Duration // how much of the time before it the judge had not saved
	deafUntil    time.Duration // no silence can have been observed from its beginning until then
	deliveryOnly bool          // it does not disturb the observation
}

// death is one silence of a zooid.
type death struct {
	zooid    string
	lastBeat time.Duration // when it was sent
	killed   time.Duration
	revived  time.Duration // the end of the campaign if it was not
}

// handling is one gap that a consumer acted on.
type handling struct {
	zooid, kind, incident string
	at                    time.Duration
	life                  int // of the consumer: each begins with an empty memory
}

// listening is what one consumer handled, and when it could hear.
type listening struct {
	name    string
	handled []handling
	hearing spans
}

// ledger is what really happened.
type ledger struct {
	threshold time.Duration
	interval  time.Duration // of the heartbeats
	outages   []outage
	deaths    []death // of each zooid in the order of time
	consumers []listening
}

// during returns the time of the outages as the function says, of those for which there is any.
func (l *ledger) during(time func(outage) span) spans {
	var all []span
	for _, o := range l.outages {
		all = append(all, time(o))
	}
	return union(all)
}

// disturbed returns the time in which a delivery may have taken longer.
func (l *ledger) disturbed() spans {
	return l.during(func(o outage) span { return span{o.from, o.to + o.recovery} })
}

// uncertain returns the time in which silence may not have been observed, or was forgotten.
func (l *ledger) uncertain() spans {
	return l.during(func(o outage) span {
		if o.deliveryOnly {
			return span{}
		}
		return span{o.from - o.forgets, o.to + o.recovery}
	})
}

// lossy returns the time in which beats may have been lost.
func (l *ledger) lossy() spans {
	return l.during(func(o outage) span {
		if !o.loses || o.deliveryOnly {
			return span{}
		}
		return span{o.from, o.to + o.recovery}
	})
}

// forgotten returns the time of which the judge may know nothing any more.
func (l *ledger) forgotten() spans {
	return l.during(func(o outage) span { return span{o.from - o.forgets, o.from} })
}

// deaf returns the time in which nobody can have observed anything.
func (l *ledger) deaf() spans {
	return l.during(func(o outage) span { return span{o.from, o.deafUntil} })
}

// silence is what can be known of the observed silence of a death.
type silence struct {
	certain, possible time.Duration
	earliest          time.Duration // when the possible silence reaches the threshold; only if it does
	latest            time.Duration // when the certain silence exceeds it by margin; only if it does
	surely            bool          // it does
	back              time.Duration // when it has been heard again for sure
}

// silenceOf measures a death by both measures.
func (l *ledger) silenceOf(d death) silence {
	var s silence
	certain := l.uncertain().outside(span{d.lastBeat, d.revived})
	s.certain = certain.total()
	s.latest, s.surely = certain.when(l.threshold + margin)

	lossy := l.lossy()
	heard := d.lastBeat
	if around, lost := lossy.at(heard); lost {
		heard = around.from - l.interval
	} else if _, forgot := l.forgotten().at(heard); forgot {
		heard -= l.interval // its clock fell back as well, to some time after the beat before
	}
	s.back = d.revived
	if around, lost := lossy.at(s.back); lost {
		s.back = around.to + l.interval
	}
	possible := l.deaf().outside(span{heard, s.back})
	s.possible = possible.total()
	s.earliest, _ = possible.when(l.threshold)
	return s
}

// surelyHeard reports whether a zooid that has lived since a moment has been heard since, for sure. The
// harness kills no other: its death would be one with the former.
func (l *ledger) surelyHeard(since, now time.Duration) bool {
	return l.uncertain().outside(span{since, now}).total() >= 2*l.interval
}
