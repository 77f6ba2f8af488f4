package main

import (
	"fmt"
	"slices"
	"time"
)

// verdict is what the ledger says of one death and one consumer.
type verdict int

const (
	nothing       verdict = iota // nothing was expected, and nothing came
	handled                      // expected, and handled once
	missed                       // expected, and not handled
	doubled                      // handled more than once
	falseAlarm                   // handled without a reason
	nearThreshold                // undecidable: see above for these
	noTimeToTell
	consumerAway
	consumerForgot
)

// undecidable reports whether the verdict is that there can be none.
func (v verdict) undecidable() bool { return v >= nearThreshold }

// finding is a verdict with its reason.
type finding struct {
	verdict  verdict
	consumer string
	zooid    string
	reason   string
	delay    time.Duration // past the deadline; only if handled
	calm     bool          // nothing was disturbed from the last beat until it was handled
}

// findings compares what happened with what the consumers did.
func (l *ledger) findings() []finding {
	byDeath := make([][][]handling, len(l.deaths)) // by death, then by consumer
	for i := range byDeath {
		byDeath[i] = make([][]handling, len(l.consumers))
	}
	var found []finding
	for c, consumer := range l.consumers {
		of := make(map[string]int) // death, by incident
		for _, h := range consumer.handled {
			d, ok := of[h.incident]
			if !ok {
				d, ok = l.deathBehind(h)
			}
			if !ok {
				found = append(found, finding{verdict: falseAlarm, consumer: consumer.name, zooid: h.zooid,
					reason: fmt.Sprintf("%s at %v, but no such death", h.kind, h.at)})
				continue
			}
			of[h.incident] = d
			byDeath[d][c] = append(byDeath[d][c], h)
		}
	}
	for i, d := range l.deaths {
		s := l.silenceOf(d)
		for c := range l.consumers {
			f := l.judge(d, s, byDeath[i], c)
			f.consumer, f.zooid = l.consumers[c].name, d.zooid
			f.reason = fmt.Sprintf("%s; silent from %v to %v, certainly for %v, possibly for %v",
				f.reason, d.lastBeat, d.revived, s.certain, s.possible)
			found = append(found, f)
		}
	}
	return found
}

// deathBehind returns the death that an incident told of for the first time belongs to: the zooid's last
// one before.
func (l *ledger) deathBehind(h handling) (int, bool) {
	if h.kind != "heartbeat_missing" {
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

// judge gives the verdict on one death and one consumer; told is what each consumer handled of it.
func (l *ledger) judge(d death, s silence, told [][]handling, consumer int) finding {
	mine := told[consumer]
	if len(mine) == 0 {
		return l.judgeUntold(d, s, told, consumer)
	}
	if len(mine) > 1 {
		first, second := mine[0], mine[1]
		reason := fmt.Sprintf("handled %d times, at %v as %s and at %v as %s",
			len(mine), first.at, first.incident, second.at, second.incident)
		if len(mine) == 2 && first.incident == second.incident && first.life != second.life && second.at-first.at < replayWindow {
			return finding{verdict: consumerForgot, reason: reason}
		}
		return finding{verdict: doubled, reason: reason}
	}
	at := mine[0].at
	switch reason := fmt.Sprintf("handled at %v", at); {
	case s.possible < l.threshold-slack:
		return finding{verdict: falseAlarm, reason: reason + ", too short a silence"}
	case s.possible >= l.threshold && at < s.earliest-early:
		return finding{verdict: falseAlarm, reason: fmt.Sprintf("%s, too early: the deadline is %v", reason, s.earliest)}
	case l.disturbed().outside(span{s.back, at}).total() > delivery:
		return finding{verdict: falseAlarm, reason: fmt.Sprintf("%s, although it was back at %v", reason, s.back)}
	case !s.surely:
		return finding{verdict: nearThreshold, reason: reason}
	default:
		return finding{verdict: handled, reason: reason, delay: at - s.earliest, calm: l.calm(span{d.lastBeat, at})}
	}
}

// calm reports whether nothing was disturbed in a span.
func (l *ledger) calm(whole span) bool {
	return l.disturbed().outside(whole).total() == whole.to-whole.from
}

// judgeUntold gives the verdict on a consumer that handled nothing.
func (l *ledger) judgeUntold(d death, s silence, told [][]handling, consumer int) finding {
	if !s.surely {
		if s.possible < l.threshold-slack {
			return finding{verdict: nothing}
		}
		return finding{verdict: nearThreshold, reason: "not handled"}
	}
	if i := slices.IndexFunc(told, func(h []handling) bool { return len(h) > 0 }); i >= 0 {
		at := told[i][0].at
		if !l.consumers[consumer].hearing.hold(span{at - hearingAround, at + hearingAround}) {
			return finding{verdict: consumerAway, reason: fmt.Sprintf("away when %s handled it at %v", l.consumers[i].name, at)}
		}
		return finding{verdict: missed, reason: fmt.Sprintf("%s handled it at %v", l.consumers[i].name, at)}
	}
	needed := delivery
	if l.calm(span{d.lastBeat, d.revived}) {
		needed = prompt
	}
	quiet := l.disturbed().outside(span{s.latest, d.revived})
	if quiet.longest() < needed {
		return finding{verdict: noTimeToTell, reason: fmt.Sprintf("found by %v at the latest", s.latest)}
	}
	for _, stretch := range quiet {
		for _, heard := range l.consumers[consumer].hearing {
			if min(stretch.to, heard.to)-max(stretch.from, heard.from) >= needed {
				return finding{verdict: missed, reason: "nobody handled it"}
			}
		}
	}
	return finding{verdict: consumerAway, reason: "nobody handled it"}
}
