package chembus

import (
	"errors"
	"time"

	zmq "github.com/pebbe/zmq4"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	// retryAfter is the pause before sockets that failed are opened again.
	retryAfter = time.Second
	// fullRetry is the pause after the bus took no more.
	fullRetry = 100 * time.Millisecond
)

// errStopping ends the publisher: the plugin is being closed.
var errStopping = errors.New("stopping")

// publisher owns the socket of the plugin. Everything in it belongs to the goroutine in run.
type publisher struct {
	plugin  *ChemBus
	context *zmq.Context

	socket        *zmq.Socket
	subscriptions *bus.Subscriptions
	poller        *zmq.Poller
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
	var err error
	if p.socket, err = bus.NewPublisher(p.context); err != nil {
		return err
	}
	p.subscriptions = bus.NewSubscriptions(p.plugin.Signal)
	p.poller = zmq.NewPoller()
	p.poller.Add(p.socket, zmq.POLLIN)
	p.poller.Add(p.plugin.waker.Socket(), zmq.POLLIN)
	return bus.Connect(p.socket, p.plugin.endpoint)
}

// close closes the socket, which for a while goes on sending what it had accepted.
func (p *publisher) close(linger time.Duration) {
	if p.socket != nil {
		// Both fail only on a socket that is no socket. A negative time would be endless.
		_ = p.socket.SetLinger(max(linger, 0))
		_ = p.socket.Close()
		p.socket = nil
	}
}

// step publishes what can be, then waits for more to publish or for somebody to listen.
func (p *publisher) step() error {
	wait, err := p.publish(time.Now())
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
	}
	return bus.ReceiveSubscriptions(p.socket, p.subscriptions)
}

// publish sends all that is pending if somebody listens. It returns how long to wait before trying
// again by itself; negative: until something happens.
func (p *publisher) publish(now time.Time) (time.Duration, error) {
	c := p.plugin
	c.mu.Lock()
	defer c.mu.Unlock()
	for g := c.outbox.Next(); g != nil && p.subscriptions.Covers(c.Signal); g = c.outbox.Next() {
		payload, err := c.message(g, now).Encode()
		if err == nil {
			if err = bus.Publish(p.socket, c.Signal, payload); bus.Again(err) {
				return fullRetry, nil
			}
		}
		if err != nil {
			return 0, err
		}
		c.outbox.Published(g)
		c.Log.Infof("Published the gap %q of %q: %q, incident %q", g.kind, g.zooid, g.reason, g.incident)
	}
	if c.idle != nil && c.outbox.Pending() == 0 {
		close(c.idle)
		c.idle = nil
	}
	return -1, nil
}
