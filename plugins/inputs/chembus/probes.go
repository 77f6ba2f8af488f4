package chembus

import "time"

// roundTripInterval is how often a probe goes out on a bus that is busy, to measure the round trip.
const roundTripInterval = 10 * time.Second

// probeSchedule tells when to send a probe. Everybody who subscribes to everything has to read it, so there are as few
// as do the job: one when nobody else was heard for an interval, since the observation clock needs evidence; one in
// each interval while messages wait to be received, since only a probe tells for how long; one every 10 s; and one after
// a connection was made again, since the clock stands still until something is heard on it.
type probeSchedule struct {
	interval time.Duration

	sent    time.Time // when the last one was due
	heard   time.Time // when the last message came that was no probe
	backlog bool      // more messages wait
	soon    time.Time // when one is due, whatever was heard; zero: as usual
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
	if !p.soon.IsZero() && p.soon.Before(due) {
		due = p.soon
	}
	return due
}

// Sent says that one was sent. Being late by less than an interval does not delay the next one.
func (p *probeSchedule) Sent(now time.Time) {
	if due := p.Due(); now.Sub(due) < p.interval {
		now = due
	}
	p.sent, p.soon = now, time.Time{}
}

// Soon makes one due at a time at which there is no evidence for the observation clock.
func (p *probeSchedule) Soon(at time.Time) {
	p.soon = at
}
