package chembus

import (
	"errors"
	"strings"
	"time"

	zmq "github.com/pebbe/zmq4"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

const (
	// retryAfter is the pause before connections that failed are opened again.
	retryAfter = time.Second
	// probeSize bounds what is received on the topic of the probes, and hearSize what is received of gaps and from other
	// monitors, in bytes. Whoever sends more costs the connection on which it comes, so that there is one for each.
	probeSize = 1 << 10
	hearSize  = 1 << 20
	// tick is how long the publisher waits for something to happen while gaps or investigations wait, and idleTick else.
	tick     = 100 * time.Millisecond
	idleTick = time.Second
	// burst bounds how many messages are taken before something else gets its turn.
	burst = 100
)

// errStopping ends the publisher: the plugin is being closed.
var errStopping = errors.New("stopping")

// publisher owns the connections of the plugin to the bus. Everything in it belongs to the goroutine in run.
type publisher struct {
	plugin     *ChemBus
	dispatcher dispatcher
	log        publishLog

	out     *bus.Connection // publishes, and knows who listens
	probes  *bus.Connection // hears own probes
	hearing *bus.Connection // hears gaps and other monitors, in the order of the bus
	poller  *zmq.Poller

	outLosses, hearingLosses uint64 // seen
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
		plugin: c, dispatcher: dispatcher{plugin: c, peers: peers},
		log: publishLog{plugin: c, waits: logging.Problem{Tolerance: waitTolerance}},
	}, nil
}

// run publishes until the plugin is closed.
func (p *publisher) run() {
	c := p.plugin
	defer c.waker.CloseReceiver()
	for {
		err := p.open()
		for err == nil {
			err = p.step()
		}
		if errors.Is(err, errStopping) {
			p.close(time.Until(c.deadline))
			return
		}
		p.close(closeTimeout)
		c.Log.Errorf("Publishing to %q failed, trying again in %v: %v", c.endpoint, retryAfter, err)
		select {
		case <-c.done:
			return
		case <-time.After(retryAfter):
		}
	}
}

func (p *publisher) open() error {
	c, t := p.plugin, newTopics(p.plugin.Signal)
	var err error
	if p.probes, err = bus.NewSubscriber(c.zmq, c.subscribeEndpoint, c.keys, probeSize, t.probe); err != nil {
		return err
	}
	// What the subscription to presence shows holds for those before it.
	if p.hearing, err = bus.NewSubscriber(c.zmq, c.subscribeEndpoint, c.keys, hearSize, t.hear, t.peers, t.presence); err != nil {
		return err
	}
	if p.out, err = bus.NewPublisher(c.zmq, c.endpoint, c.keys, t.signal, t.probe, t.presence, investigationTopic); err != nil {
		return err
	}
	p.out.Listeners.Family = t.family
	p.out.Listeners.OnEnd = func(prefix string) {
		if strings.HasPrefix(t.signal, prefix) && prefix != t.hear {
			c.outbox.Lost() // to who has left, at least
		}
	}
	p.outLosses, p.hearingLosses = 0, 0
	p.dispatcher.topics, p.dispatcher.send = t, p.out.PublishMessage
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
	p.dispatcher.Follow(false, false, false, 0, time.Now())
}

// step sends what is due, saves and logs what has changed, then waits for something to happen, and takes it in.
func (p *publisher) step() error {
	wait, err := p.dispatch(time.Now())
	if err != nil {
		return err
	}
	if _, err := p.poller.Poll(wait); err != nil && !bus.Again(err) {
		return err
	}
	p.plugin.waker.Drain()
	select {
	case <-p.plugin.done:
		return errStopping
	default:
		return p.hear(time.Now())
	}
}

// dispatch sends what is due, and saves and logs what has changed. It returns after which time there may be more to do.
func (p *publisher) dispatch(now time.Time) (time.Duration, error) {
	c := p.plugin
	c.mu.Lock()
	err := p.dispatcher.Dispatch(now)
	if err == nil {
		// Not a recorder of everything, which investigates nothing.
		err = p.dispatcher.Investigate(p.out.Listeners.Covers(investigationTopic, ""), now)
	}
	pending, waiting := c.outbox.Pending(), len(c.outbox.investigations.waiting)
	c.signalIdle()
	c.mu.Unlock()
	c.publishing = p.log.Update(publishView{
		returns: p.dispatcher.returns, up: p.out.Up(), refusals: p.out.Refusals(), hearing: p.probes.Up(),
		listened: !p.dispatcher.listenedSince.IsZero(), pending: pending,
	}, now)
	c.saveIfDue(now)
	if bus.Again(err) {
		err = nil // it is sent later
	}
	if pending+waiting > 0 {
		return tick, err
	}
	return idleTick, err
}

// hear takes in what came. The order matters: messages first, and then what happened to the connections on which they
// came, so that nothing is taken for heard in order that came after a hole.
func (p *publisher) hear(now time.Time) error {
	p.plugin.mu.Lock()
	defer p.plugin.mu.Unlock()
	d := &p.dispatcher
	for _, connection := range []*bus.Connection{p.probes, p.hearing} {
		for range burst {
			topic, payload, frames, err := connection.Receive()
			if bus.Again(err) {
				break
			}
			if err != nil {
				return err
			}
			if frames == 2 {
				d.Hear(string(topic), payload, now)
			}
		}
	}
	for _, connection := range p.connections() {
		if err := connection.Update(now); err != nil {
			return err
		}
	}
	if losses := p.out.Losses(); losses != p.outLosses {
		p.outLosses = losses
		d.ConnectionLost()
	}
	if losses := p.hearing.Losses(); losses != p.hearingLosses {
		p.hearingLosses = losses
		d.MessagesMissed()
	}
	listeners := p.out.Listeners
	connected, others := listeners.Has(d.topics.presence), listeners.Members
	if connected {
		others-- // this one
	}
	// A recorder of everything covers the topic of the probes, too, but does not return them.
	reachable := listeners.Has(d.topics.probe)
	d.Follow(reachable, reachable && listeners.Covers(d.topics.signal, d.topics.hear), connected, others, now)
	return nil
}
