package chembus

import (
	"encoding/json"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// What the publisher has to do with the other monitors of its bus.

// claim returns which of the deliveries that are due can be sent, and when to ask again by itself. Where there are other
// monitors, it tells them first what is about to be told.
func (p *publisher) claim(due []*delivery, now time.Time) ([]*delivery, time.Time, error) {
	if others := p.out.Listeners.Members > 1 || len(p.peers.heard) > 0; !others || !p.conversing() {
		return due, time.Time{}, nil
	}
	ready, claim, next := p.plugin.outbox.Claim(due, now)
	for _, batch := range claimBatches(claim) {
		m := peerMessage{From: p.peers.name}
		for _, d := range batch {
			m.Claims = append(m.Claims, d.claim()...)
		}
		switch err := p.say(m); {
		case bus.Again(err):
			return ready, earlier(next, now.Add(fullRetry)), nil
		case err != nil:
			return nil, next, err
		}
		for _, d := range batch {
			d.claimed = true
		}
	}
	return ready, next, nil
}

// conversing reports whether other monitors can be heard, and are told what this one says.
func (p *publisher) conversing() bool {
	return p.out.Listeners.Has(p.presence) && p.out.Listeners.Has(p.peerTopic)
}

// awaitPeers returns until when gaps have to wait for what other monitors know; zero: not at all. They are counted
// by who listens, and this one hears them when it is counted itself. However often that is lost, gaps wait for
// peerPatience and no longer.
func (p *publisher) awaitPeers(now time.Time) time.Time {
	if p.out.Listeners.Has(p.presence) && p.peers.Awaited(p.out.Listeners.Members-1, now).IsZero() {
		p.awaitedSince = time.Time{}
		return time.Time{}
	}
	if p.awaitedSince.IsZero() {
		p.awaitedSince = now
	}
	if until := p.awaitedSince.Add(peerPatience); now.Before(until) {
		return until
	}
	return time.Time{}
}

// speak tells other monitors what consumers know. It returns when to call it again by itself; zero: when something
// happens.
func (p *publisher) speak(now time.Time) (time.Time, error) {
	c := p.plugin
	c.mu.Lock()
	messages, next := p.peers.Say(p.conversing(), &c.outbox.notices, c.outbox.UnderWay, now)
	c.mu.Unlock()
	for _, m := range messages {
		// What the bus does not take now is not said: that costs a repetition at worst.
		if err := p.say(m); bus.Again(err) {
			break
		} else if err != nil {
			return next, err
		}
	}
	return next, nil
}

// say sends a message to the other monitors. The error is EAGAIN when the bus takes no more at present.
func (p *publisher) say(m peerMessage) error {
	payload, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return p.out.Publish(p.peerTopic, payload)
}
