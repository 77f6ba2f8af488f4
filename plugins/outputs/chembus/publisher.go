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
	// probeSize bounds what is received, which is nothing but probes.
	probeSize = 1 << 10
	// reconnectCheck is how often connections that were lost are looked at.
	reconnectCheck = 200 * time.Millisecond
)

// errStopping ends the publisher: the plugin is being closed.
var errStopping = errors.New("stopping")

// publisher owns the sockets of the plugin. Everything in it belongs to the goroutine in run.
type publisher struct {
	plugin  *ChemBus
	context *zmq.Context
	waits   waitLog

	socket        *zmq.Socket
	connection    *bus.Connection
	disconnects   uint64 // seen of the connection
	subscriptions *bus.Subscriptions
	coveredSince  time.Time // when somebody began to listen; zero: nobody does

	probes     *zmq.Socket // hears them return
	hearing    *bus.Connection
	probeTopic string
	probe      uint64 // number of the last one
	poller     *zmq.Poller
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
	p.probeTopic = "telegraf-chembus.proof." + uuid.NewString()
	if p.socket, err = bus.NewPublisher(p.context); err != nil {
		return err
	}
	if p.connection, err = bus.WatchConnection(p.context, p.socket); err != nil {
		return err
	}
	if p.probes, err = bus.NewSubscriber(p.context, probeSize, p.probeTopic); err != nil {
		return err
	}
	if p.hearing, err = bus.WatchConnection(p.context, p.probes); err != nil {
		return err
	}
	if err = errors.Join(c.keys.Apply(p.socket), c.keys.Apply(p.probes)); err != nil {
		return err
	}
	p.disconnects, p.coveredSince = 0, time.Time{}
	p.subscriptions = bus.NewSubscriptions(c.Signal, p.probeTopic)
	p.poller = zmq.NewPoller()
	p.poller.Add(p.socket, zmq.POLLIN)
	p.poller.Add(p.connection.Socket(), zmq.POLLIN)
	p.poller.Add(p.probes, zmq.POLLIN)
	p.poller.Add(p.hearing.Socket(), zmq.POLLIN)
	p.poller.Add(c.waker.Socket(), zmq.POLLIN)
	if err = bus.Connect(p.probes, c.subscribeEndpoint); err != nil {
		return err
	}
	return bus.Connect(p.socket, c.endpoint)
}

// close closes the sockets; the publishing one goes on for a while to send what it had accepted.
func (p *publisher) close(linger time.Duration) {
	for _, connection := range []*bus.Connection{p.connection, p.hearing} {
		if connection != nil {
			connection.Close()
		}
	}
	// These fail only on a socket that is no socket. A negative time would be endless.
	if p.socket != nil {
		_ = p.socket.SetLinger(max(linger, 0))
		_ = p.socket.Close()
	}
	if p.probes != nil {
		_ = p.probes.Close()
	}
	p.socket, p.connection, p.probes, p.hearing = nil, nil, nil, nil
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
	if err := bus.ReceiveSubscriptions(p.socket, p.subscriptions); err != nil {
		return err
	}
	c := p.plugin
	p.connection.Update()
	p.hearing.Update()
	if err := errors.Join(p.connection.Reconnect(c.endpoint), p.hearing.Reconnect(c.subscribeEndpoint)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		topic, payload, frames, err := bus.ReceiveMessage(p.probes)
		if bus.Again(err) {
			break
		}
		if err != nil {
			return err
		}
		if probe, err := strconv.ParseUint(string(payload), 10, 64); err == nil && frames == 2 && string(topic) == p.probeTopic {
			c.outbox.Returned(min(probe, p.probe))
		}
	}
	if p.disconnects != p.connection.Disconnects {
		p.disconnects, p.coveredSince = p.connection.Disconnects, time.Time{}
		c.outbox.Disconnected()
	}
	switch covered := p.subscriptions.Covers(c.Signal) && p.subscriptions.Covers(p.probeTopic); {
	case !covered:
		p.coveredSince = time.Time{}
	case p.coveredSince.IsZero():
		p.coveredSince = now
	}
	return nil
}

// publish sends what is due if somebody listens, and a probe behind it. It returns when to try again by
// itself; zero: when something happens.
func (p *publisher) publish(now time.Time) (time.Time, error) {
	c := p.plugin
	next, err := p.send(now)
	var check time.Time
	if p.connection.Abandoned() || p.hearing.Abandoned() {
		check = now.Add(reconnectCheck)
	}
	for _, other := range []time.Time{check, c.saveIfDue(now), p.waits.Update(c.pending(), !p.coveredSince.IsZero(), p.connection.Up, now)} {
		if next.IsZero() || !other.IsZero() && other.Before(next) {
			next = other
		}
	}
	return next, err
}

func (p *publisher) send(now time.Time) (time.Time, error) {
	c := p.plugin
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.signalIdle()
	if p.coveredSince.IsZero() || c.outbox.Pending() == 0 {
		return time.Time{}, nil
	}
	if settled := p.coveredSince.Add(settle); now.Before(settled) {
		return settled, nil
	}
	due := c.outbox.Due(now)
	if len(due) == 0 {
		return c.outbox.NextDeadline(), nil
	}
	p.probe++
	for _, d := range due {
		payload, err := c.message(&d.gap, now).Encode()
		if err == nil {
			if err = bus.Publish(p.socket, c.Signal, payload); bus.Again(err) {
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
	if err := bus.Publish(p.socket, p.probeTopic, []byte(strconv.FormatUint(p.probe, 10))); err != nil && !bus.Again(err) {
		return time.Time{}, err
	}
	return c.outbox.NextDeadline(), nil
}
