package chembus

import (
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	zmq "github.com/pebbe/zmq4"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	// retryAfter is the pause before sockets that failed are opened again.
	retryAfter = time.Second
	// fullRetry is the pause after the bus took no more.
	fullRetry = 100 * time.Millisecond
	// settle is how long after the first subscriber the others get to be there too. After an outage of
	// the bus everybody connects again, libzmq's clients every 100 ms, and the bus tells a publisher of
	// the first one only.
	settle = 500 * time.Millisecond
	// probeTopicPrefix and an id make the topic of the probes.
	probeTopicPrefix = "telegraf-chembus.proof."
	// presencePrefix, the signal and an id make a topic to which each monitor subscribes, by which the others
	// know that it is there. Nothing is sent on it.
	presencePrefix = "telegraf-chembus.monitor."
	// probeSize bounds what is received on the topic of the probes, and receiveSize what others may say, which is
	// more than monitors say at once. Whoever says more costs the connection on which it comes, so that there is
	// one for each.
	probeSize   = 1 << 10
	receiveSize = 2 * peerPayload
)

// errStopping ends the publisher: the plugin is being closed.
var errStopping = errors.New("stopping")

// publisher owns the sockets of the plugin. Everything in it belongs to the goroutine in run.
type publisher struct {
	plugin  *ChemBus
	context *zmq.Context
	waits   waitLog
	status  statusLog

	out          *bus.Connection
	losses       uint64    // seen of out
	coveredSince time.Time // when somebody began to listen; zero: nobody does

	returns    *bus.Connection // hears the probes
	probeTopic string
	probe      uint64 // number of the last one

	others       *bus.Connection // hears other monitors
	peerTopic    string
	presence     string
	peers        peers
	awaitedSince time.Time // since when gaps wait, or would, for what other monitors know; zero: not at all

	poller *zmq.Poller
}

// run publishes until the plugin is closed.
func (p *publisher) run() {
	defer p.plugin.waker.CloseReceiver()
	for {
		err := p.open()
		for err == nil {
			err = p.step()
		}
		if errors.Is(err, errStopping) {
			p.close(time.Until(p.plugin.deadline))
			return
		}
		p.close(closeTimeout)
		p.plugin.Log.Errorf("Publishing to %q failed, trying again in %v: %v", p.plugin.endpoint, retryAfter, err)
		select {
		case <-p.plugin.done:
			return
		case <-time.After(retryAfter):
		}
	}
}

func (p *publisher) open() error {
	c := p.plugin
	var err error
	// Of its own each time, so that no probe of before can be taken for one of now.
	p.probeTopic = probeTopicPrefix + uuid.NewString()
	family := presencePrefix + c.Signal + "."
	p.presence = family + uuid.NewString()
	p.peerTopic, p.peers = peerTopicPrefix+c.Signal, newPeers()
	if p.returns, err = bus.NewSubscriber(p.context, c.subscribeEndpoint, c.keys, probeSize, p.probeTopic); err != nil {
		return err
	}
	if p.others, err = bus.NewSubscriber(p.context, c.subscribeEndpoint, c.keys, receiveSize, p.peerTopic, p.presence); err != nil {
		return err
	}
	if p.out, err = bus.NewPublisher(p.context, c.endpoint, c.keys, c.Signal, p.probeTopic, p.peerTopic, p.presence); err != nil {
		return err
	}
	p.losses, p.coveredSince, p.awaitedSince = 0, time.Time{}, time.Time{}
	p.out.Listeners.Family = family
	p.poller = zmq.NewPoller()
	p.out.AddTo(p.poller)
	p.returns.AddTo(p.poller)
	p.others.AddTo(p.poller)
	p.poller.Add(c.waker.Socket(), zmq.POLLIN)
	return nil
}

// close closes the connections; the publishing one goes on for a while to send what it had accepted.
func (p *publisher) close(linger time.Duration) {
	if p.out != nil {
		p.out.Close(linger)
	}
	for _, connection := range []*bus.Connection{p.returns, p.others} {
		if connection != nil {
			connection.Close(0)
		}
	}
	p.out, p.returns, p.others = nil, nil, nil
	p.plugin.mu.Lock()
	p.plugin.outbox.Disconnected()
	p.plugin.mu.Unlock()
}

// step publishes what can be, then waits for more to publish, for somebody to listen, or for the proof
// that it was forwarded.
func (p *publisher) step() error {
	next, err := p.publish(time.Now())
	if err != nil {
		return err
	}
	wait := time.Duration(-1)
	if !next.IsZero() {
		// Poll counts in whole milliseconds; rounding up keeps it from spinning through the last one.
		wait = max(time.Until(next)+time.Millisecond-1, 0)
	}
	if _, err := p.poller.Poll(wait); err != nil && !bus.Again(err) {
		return err
	}
	p.plugin.waker.Drain()
	select {
	case <-p.plugin.done:
		return errStopping
	default:
	}
	return p.listen(time.Now())
}

// listen takes in who listens, what was proved, and whether the connection was lost.
func (p *publisher) listen(now time.Time) error {
	c := p.plugin
	if err := errors.Join(p.out.Update(now), p.returns.Update(now), p.others.Update(now)); err != nil {
		return err
	}
	if err := p.hear(p.returns, p.probeTopic, func(payload []byte) {
		if probe, err := strconv.ParseUint(string(payload), 10, 64); err == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.outbox.Returned(min(probe, p.probe))
		}
	}); err != nil {
		return err
	}
	if err := p.hear(p.others, p.peerTopic, func(payload []byte) {
		said, own := p.peers.Hear(payload)
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case said == nil:
		case own:
			c.outbox.Echo(said, now)
		default:
			c.outbox.Heard(said, now)
		}
	}); err != nil {
		return err
	}
	if p.losses != p.out.Losses() {
		p.losses, p.coveredSince = p.out.Losses(), time.Time{}
		c.mu.Lock()
		c.outbox.Disconnected()
		c.mu.Unlock()
	}
	// A recorder of everything covers the topic of the probes, too, but does not return them.
	switch covered := p.out.Listeners.Covers(c.Signal) && p.out.Listeners.Has(p.probeTopic); {
	case !covered:
		p.coveredSince = time.Time{}
	case p.coveredSince.IsZero():
		p.coveredSince = now
	}
	if p.coveredSince.IsZero() || !p.conversing() {
		c.mu.Lock()
		c.outbox.Unclaim()
		c.mu.Unlock()
	}
	return nil
}

// hear takes what waits on a topic, up to a bound: then something else gets its turn.
func (p *publisher) hear(from *bus.Connection, topic string, take func(payload []byte)) error {
	for range peerBurst {
		heard, payload, frames, err := from.Receive()
		if bus.Again(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if frames == 2 && string(heard) == topic {
			take(payload)
		}
	}
	return nil
}

// publish sends what is due if somebody listens, and a probe behind it. It returns when to try again by
// itself; zero: when something happens.
func (p *publisher) publish(now time.Time) (time.Time, error) {
	c := p.plugin
	next, err := p.send(now)
	if err != nil {
		return next, err
	}
	say, err := p.speak(now)
	standing := c.standing()
	for _, other := range []time.Time{
		say, c.saveIfDue(now), p.out.NextUpdate(), p.returns.NextUpdate(), p.others.NextUpdate(),
		p.status.Update(standing, now),
		p.waits.Update(standing.Pending, p.out.Up(), p.returns.Up(), !p.coveredSince.IsZero(), now),
	} {
		next = earlier(next, other)
	}
	return next, err
}

func (p *publisher) send(now time.Time) (time.Time, error) {
	c := p.plugin
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.signalIdle()
	if c.outbox.Pending() == 0 {
		p.awaitedSince = time.Time{} // what comes next waits anew
		return time.Time{}, nil
	}
	if p.coveredSince.IsZero() {
		return time.Time{}, nil
	}
	if settled := p.coveredSince.Add(settle); now.Before(settled) {
		return settled, nil
	}
	if awaited := p.awaitPeers(now); !awaited.IsZero() {
		return awaited, nil
	}
	due, next, err := p.claim(c.outbox.Due(now), now)
	if err != nil || len(due) == 0 {
		return earlier(next, c.outbox.NextDeadline()), err
	}
	p.probe++
	for _, d := range due {
		payload, err := c.message(&d.gap, now).Encode()
		if err == nil {
			if err = p.out.Publish(c.Signal, payload); bus.Again(err) {
				return now.Add(fullRetry), nil
			}
		}
		if err != nil {
			return time.Time{}, err
		}
		c.outbox.Sent(d, p.probe, now)
		if d.attempts == 1 {
			c.Log.Infof("Published the gap %q of %q: %q, incident %q", d.kind, d.zooid, d.reason, d.incident)
		}
	}
	// The bus keeps the order of one connection: when the probe is back, so are they.
	if err := p.out.Publish(p.probeTopic, []byte(strconv.FormatUint(p.probe, 10))); err != nil && !bus.Again(err) {
		return time.Time{}, err
	}
	return earlier(next, c.outbox.NextDeadline()), nil
}

// earlier returns the earlier of two times; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
