package chembus

import (
	"errors"
	"strings"
	"time"

	zmq "github.com/pebbe/zmq4"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	// retryAfter is the pause before connections that failed are opened again.
	retryAfter = time.Second
	// probeSize bounds what is received on the topic of the probes, and hearSize what is received of gaps and from other
	// monitors, in bytes. Whoever sends more costs the connection on which it comes, so that there is one for each.
	probeSize = 1 << 10
	hearSize  = 512 << 10
	// burst bounds how many messages are taken before something else gets its turn.
	burst = 100
)

// errStopping ends the publisher: the plugin is being closed.
var errStopping = errors.New("stopping")

// publisher owns the connections of the plugin to the bus. Everything in it belongs to the goroutine in run.
type publisher struct {
	plugin  *ChemBus
	context *zmq.Context
	status  statusLog

	out      *bus.Connection // publishes, and is told who listens
	probes   *bus.Connection // hears own probes
	hearing  *bus.Connection // hears gaps and other monitors, in the order of the bus
	poller   *zmq.Poller
	sendable uint64 // losses seen of out
	audible  uint64 // losses seen of hearing

	dispatcher dispatcher
}

// newPublisher makes a publisher, whose connections are not open yet, and gives the plugin what it needs to reach it.
func (c *ChemBus) newPublisher() (*publisher, error) {
	peers, err := newPeers()
	if err != nil {
		return nil, err
	}
	if c.zmq, err = zmq.NewContext(); err != nil {
		return nil, err
	}
	if c.waker, err = bus.NewWaker(c.zmq); err != nil {
		return nil, errors.Join(err, c.zmq.Term()) // nothing is open in it
	}
	return &publisher{
		plugin: c, context: c.zmq, status: newStatusLog(c), dispatcher: dispatcher{plugin: c, peers: peers},
	}, nil
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
	t := newTopics(c.Signal)
	var err error
	if p.probes, err = bus.NewSubscriber(p.context, c.subscribeEndpoint, c.keys, probeSize, t.probe); err != nil {
		return err
	}
	// What the subscription to presence shows holds for those before it.
	if p.hearing, err = bus.NewSubscriber(p.context, c.subscribeEndpoint, c.keys, hearSize, t.hear, t.peers, t.presence); err != nil {
		return err
	}
	if p.out, err = bus.NewPublisher(p.context, c.endpoint, c.keys, t.signal, t.probe, t.presence); err != nil {
		return err
	}
	p.out.Listeners.Family = t.family
	p.out.Listeners.OnEnd = func(prefix string) {
		if strings.HasPrefix(t.signal, prefix) && prefix != t.hear {
			p.dispatcher.ListenerLost()
		}
	}
	p.sendable, p.audible = 0, 0
	p.dispatcher.topics, p.dispatcher.send = t, p.out.Publish
	p.poller = zmq.NewPoller()
	for _, connection := range p.connections() {
		connection.AddTo(p.poller)
	}
	p.poller.Add(c.waker.Socket(), zmq.POLLIN)
	return nil
}

func (p *publisher) connections() []*bus.Connection {
	return []*bus.Connection{p.out, p.probes, p.hearing}
}

// close closes the connections; the publishing one goes on for a while to send what it had accepted.
func (p *publisher) close(linger time.Duration) {
	for _, connection := range p.connections() {
		if connection != nil {
			connection.Close(linger)
		}
		linger = 0
	}
	p.out, p.probes, p.hearing = nil, nil, nil
	p.plugin.mu.Lock()
	defer p.plugin.mu.Unlock()
	p.dispatcher.Follow(false, false, 0, time.Now())
}

// step sends what is due, then waits for something to happen, and takes it in.
func (p *publisher) step() error {
	next, err := p.dispatch(time.Now())
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
	return p.hear(time.Now())
}

// dispatch sends what is due, and keeps the books. It returns when to call it again by itself; zero: when something
// happens.
func (p *publisher) dispatch(now time.Time) (time.Time, error) {
	c := p.plugin
	c.mu.Lock()
	next, err := p.dispatcher.Dispatch(now)
	totals := c.outbox.Totals()
	c.signalIdle()
	c.mu.Unlock()
	for _, other := range []time.Time{
		p.out.NextUpdate(), p.probes.NextUpdate(), p.hearing.NextUpdate(),
		c.saveIfDue(now),
		p.status.Counters(totals, now),
		p.status.Waits(totals.Pending, p.out.Up(), p.probes.Up(), !p.dispatcher.listenedSince.IsZero(), now),
	} {
		next = earlier(next, other)
	}
	return next, err
}

// hear takes in what came. The order matters: messages first, and then what happened to the connections on which they
// came, so that nothing is taken for heard in order that came after a hole.
func (p *publisher) hear(now time.Time) error {
	c := p.plugin
	c.mu.Lock()
	defer c.mu.Unlock()
	d := &p.dispatcher
	err := errors.Join(
		receive(p.probes, func(topic string, payload []byte) {
			if topic == d.topics.probe {
				d.HearProbe(payload, now)
			}
		}),
		receive(p.hearing, func(topic string, payload []byte) { d.Hear(topic, payload, now) }),
		p.probes.Update(now), p.hearing.Update(now), p.out.Update(now),
	)
	if err != nil {
		return err
	}
	listeners := p.out.Listeners
	if sendable := p.out.Losses(); sendable != p.sendable {
		p.sendable = sendable
		d.ConnectionLost()
	}
	if audible := p.hearing.Losses(); audible != p.audible {
		p.audible = audible
		d.MessagesMissed()
	}
	others := listeners.Members
	connected := listeners.Has(d.topics.presence)
	if connected {
		others--
	}
	// A recorder of everything covers the topic of the probes, too, but does not return them.
	listened := listeners.Covers(c.Signal, d.topics.hear) && listeners.Has(d.topics.probe)
	d.Follow(listened, connected, others, now)
	return nil
}

// receive takes what waits, up to a bound.
func receive(from *bus.Connection, take func(topic string, payload []byte)) error {
	for range burst {
		topic, payload, frames, err := from.Receive()
		if bus.Again(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if frames == 2 {
			take(string(topic), payload)
		}
	}
	return nil
}
