package chembus

import "time"

// roundTripInterval is how often a probe goes out on a bus that is busy, to measure the round trip.
const roundTripInterval = 10 * time.Second

// probeSchedule tells when to send a probe. Whoever subscribes to everything has to read each, so there are only these:
// one when nothing else was heard for an interval, since the observation clock needs evidence; one in each interval
// while messages wait to be received, since only a probe tells for how long; and one every 10 s, for the round trip.
type probeSchedule struct {
	interval time.Duration

	sent    time.Time // when the last one was due
	heard   time.Time // when the last message came that was no probe
	backlog bool      // more messages wait
}

// Due returns when the next one is due; zero for the first.
func (p *probeSchedule) Due() time.Time {
	if p.sent.IsZero() {
		return time.Time{}
	}
	due := p.sent.Add(p.interval)
	if !p.backlog && p.heard.After(p.sent) {
		due = p.heard.Add(p.interval)
	}
	if roundTrip := p.sent.Add(roundTripInterval); roundTrip.Before(due) {
		due = roundTrip
	}
	return due
}

// Sent says that one was sent. Being late by less than an interval does not delay the next one.
func (p *probeSchedule) Sent(now time.Time) {
	if due := p.Due(); now.Sub(due) < p.interval {
		now = due
	}
	p.sent = now
}
