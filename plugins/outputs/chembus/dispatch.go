package chembus

import (
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// view is who can be reached over the bus at present, according to the subscriptions on it.
type view struct {
	reachable bool // an own probe would come back
	listened  bool // and somebody listens to the signal
	present   bool // other monitors can be heard
	others    int  // how many they are
}

// Follow takes the present view.
func (p *publisher) Follow(v view, now time.Time) {
	p.reachable = v.reachable
	if !v.listened && !p.listenedSince.IsZero() {
		p.ConnectionLost()
	} else if v.listened && p.listenedSince.IsZero() {
		p.listenedSince = now
	}
	p.peers.Follow(v.present, v.others)
}

// ConnectionLost takes that what is on its way may be lost. Who listens is to be seen anew.
func (p *publisher) ConnectionLost() {
	p.plugin.outbox.Lost()
	p.listenedSince = time.Time{}
}

// Missed takes that messages of other monitors, or own ones that were to come back, may be missing.
func (p *publisher) Missed() {
	p.peers.Missed()
	p.said = time.Time{}
}

// Hear takes a message, in the order of the bus.
func (p *publisher) Hear(topic string, payload []byte, now time.Time) {
	o, own := p.plugin.outbox, false
	switch topic {
	case p.topics.signal:
		if g := heardGap(payload); g == nil {
			p.plugin.noticeOtherMonitor(payload)
		} else if !o.Repeats(g.Incident, g.component, now) {
			o.log.Add(g)
		}
	case p.topics.peers:
		own = p.peers.Hear(payload, o, now)
	case p.topics.probe:
		var facts struct {
			Number uint64 `json:"number"`
		}
		if m, ok := bus.ParseMessage(string(payload)); ok && m.DecodeFacts(&facts) == nil && facts.Number <= p.probe {
			o.Returned(facts.Number, now)
			own = true
		}
	}
	if own {
		p.returned = now
		p.peers.returned.Step(now, longestStep)
	}
}

// Dispatch sends what is due. An error that bus.Again reports says that the bus takes no more at present.
func (p *publisher) Dispatch(now time.Time) error {
	o := p.plugin.outbox
	o.DropCovered()
	var waiting []*delivery
	published := false
	if !p.listenedSince.IsZero() && now.Sub(p.listenedSince) >= settle {
		for _, d := range o.Due(now) {
			if !p.peers.Allows(d, now) {
				waiting = append(waiting, d)
				continue
			}
			if err := p.publish(d, now); err != nil {
				return err
			}
			published = true
		}
	}
	for _, m := range p.peers.Talk(o, waiting, now) {
		if err := p.say(p.topics.peers, &m, now); err != nil {
			p.peers.Missed() // by the others: all that was to be said is said anew
			return err
		}
	}
	interval := idleProbe
	if len(waiting) > 0 && !p.returned.Before(p.said) { // else the bus stands still
		interval = waitProbe
	}
	// Behind the gaps: the bus keeps the order of one connection.
	if published || p.reachable && now.Sub(p.said) >= interval {
		p.probe++
		return p.say(p.topics.probe, map[string]any{"number": p.probe}, now)
	}
	return nil
}

func (p *publisher) publish(d *delivery, now time.Time) error {
	c := p.plugin
	if err := p.send(c.message(&d.gap, now)); err != nil {
		return err
	}
	if c.outbox.Sent(d, p.probe+1, now); d.attempts == 1 {
		c.Log.Infof("Published the gap %q of %q: %q, incident %q", d.Kind, d.zooid, d.Reason, d.Incident)
	}
	return nil
}

// say sends a message that is to come back.
func (p *publisher) say(topic string, facts any, now time.Time) error {
	p.said = now
	err := p.send(p.plugin.privateMessage(topic, facts, now))
	if err != nil {
		p.said = time.Time{} // a probe is due
	}
	return err
}
