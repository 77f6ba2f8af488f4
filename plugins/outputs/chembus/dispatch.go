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

// Hear takes a message, in the order of the bus.
func (p *publisher) Hear(topic string, payload []byte, now time.Time) {
	o := p.plugin.outbox
	switch topic {
	case p.topics.signal:
		if g := heardGap(payload); g == nil {
			p.plugin.noticeOtherMonitor(payload)
		} else if !o.Repeats(g.Incident, g.component, now) {
			o.log.Add(g)
		}
	case p.topics.peers:
		p.peers.Hear(payload, o, now)
	case p.topics.probe:
		var facts struct {
			Number uint64 `json:"number"`
		}
		if m, ok := bus.ParseMessage(string(payload)); !ok || m.DecodeFacts(&facts) != nil || facts.Number > p.probe {
			return
		}
		p.returned = now
		p.peers.returned.Step(now, longestStep)
		o.Returned(facts.Number, now)
	}
}

// Dispatch sends what is due. An error that bus.Again reports says that the bus takes no more at present.
func (p *publisher) Dispatch(now time.Time) error {
	o := p.plugin.outbox
	o.DropCovered()
	due := make(map[action][]*delivery)
	if !p.listenedSince.IsZero() && now.Sub(p.listenedSince) >= settle {
		for _, d := range o.Due(now) {
			a := p.peers.Decide(d, now)
			due[a] = append(due[a], d)
		}
	}
	for _, m := range append(p.peers.Talk(o.log), p.peers.Claim(due[claimFirst], now)...) {
		if err := p.send(p.plugin.privateMessage(p.topics.peers, &m, now)); err != nil {
			p.peers.Missed() // by the others: all that was to be said is said anew
			return err
		}
	}
	if err := p.publish(due[publish], now); err != nil {
		return err
	}
	return p.keepProbing(len(due[wait])+len(due[claimFirst]) > 0, now)
}

// publish sends gaps, and a probe behind them: the bus keeps the order of one connection.
func (p *publisher) publish(ready []*delivery, now time.Time) error {
	if len(ready) == 0 {
		return nil
	}
	c := p.plugin
	for _, d := range ready {
		if err := p.send(c.message(&d.gap, now)); err != nil {
			return err
		}
		c.outbox.Sent(d, p.probe+1, now)
		if d.attempts == 1 {
			c.Log.Infof("Published the gap %q of %q: %q, incident %q", d.Kind, d.zooid, d.Reason, d.Incident)
		}
	}
	return p.sendProbe(now)
}

// keepProbing sends a probe if one is due: often while gaps wait for other monitors, else to know that publishing works.
func (p *publisher) keepProbing(waiting bool, now time.Time) error {
	if !waiting {
		p.waitingSince = time.Time{}
	} else if p.waitingSince.IsZero() { // what came back before that does not count
		p.waitingSince = now
		p.peers.returned.Skip(now)
	}
	interval := probeInterval
	if p.returned.Before(p.probed) {
		interval = probeLost
	}
	// What gaps wait for often takes less than an interval: then the other one is due for all that.
	often := waiting && min(now.Sub(p.probed), now.Sub(p.waitingSince)) >= interval
	if !p.reachable || !often && now.Sub(p.probed) < idleProbe {
		return nil
	}
	return p.sendProbe(now)
}

func (p *publisher) sendProbe(now time.Time) error {
	p.probe++
	p.probed = now
	return p.send(p.plugin.privateMessage(p.topics.probe, map[string]any{"number": p.probe}, now))
}
