package chembus

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	zmq "github.com/pebbe/zmq4"
)

// Connection is a connection to the bus: a socket, what is known of its link to the proxy, and for a publisher who
// listens. ZeroMQ connects in the background, now and whenever the link is lost; where it gives up, Update connects
// again. A Connection belongs to the goroutine that uses it.
type Connection struct {
	// Listeners tells who listens to the topics that a publisher was opened for. Nil for a subscriber.
	Listeners *Subscriptions
	// OnLoss, if set, is called by Update when the link was lost.
	OnLoss func()

	endpoint  string
	socket    *zmq.Socket
	events    *zmq.Socket // what happens to the link
	connected bool        // by TCP; both sides may not speak ZMTP yet
	heard     bool        // something was received since the last Update
	up        bool
	since     time.Time // when the link was made last
	losses    uint64
	refusals  uint64
	abandoned time.Time     // when the link was lost and ZeroMQ did not try again; zero: it does
	pause     time.Duration // from then until it is made again
	wasUp     bool          // it had been made; else a handshake failed
}

// NewSubscriber opens a SUB socket and connects it to an endpoint of the bus where subscribers connect. It receives
// the topics, which match by prefix. A message of more than maxMessageSize bytes makes ZeroMQ cut the link, so the
// limit should leave room for what is to be counted and dropped. An error says that ZeroMQ cannot even try to connect.
func NewSubscriber(ctx *zmq.Context, endpoint string, keys *Keys, maxMessageSize int64, topics ...string) (*Connection, error) {
	return connect(ctx, zmq.SUB, endpoint, keys, func(socket *zmq.Socket) error {
		if err := socket.SetRcvhwm(ReceiveHighWaterMark); err != nil {
			return err
		}
		if err := socket.SetMaxmsgsize(maxMessageSize); err != nil {
			return err
		}
		for _, topic := range topics {
			if err := socket.SetSubscribe(topic); err != nil {
				return err
			}
		}
		return nil
	})
}

// NewPublisher opens an XPUB socket and connects it to an endpoint of the bus where publishers connect. Unlike PUB it
// receives who listens; Listeners keeps that for the topics. An error says that ZeroMQ cannot even try to connect.
func NewPublisher(ctx *zmq.Context, endpoint string, keys *Keys, topics ...string) (*Connection, error) {
	c, err := connect(ctx, zmq.XPUB, endpoint, keys, func(socket *zmq.Socket) error {
		if err := socket.SetSndhwm(highWaterMark); err != nil {
			return err
		}
		if err := socket.SetMaxmsgsize(subscriptionLimit); err != nil {
			return err
		}
		// Without this the socket believes for as long as the bus is away that its former subscribers
		// still listen.
		if err := socket.SetImmediate(true); err != nil {
			return err
		}
		// A full queue is an error of Publish, which waits for nothing, rather than a silent loss.
		return socket.SetXpubNodrop(true)
	})
	if err != nil {
		return nil, err
	}
	c.Listeners = newSubscriptions(topics...)
	return c, nil
}

func connect(ctx *zmq.Context, kind zmq.Type, endpoint string, keys *Keys, configure func(*zmq.Socket) error) (*Connection, error) {
	socket, err := open(ctx, kind, configure)
	if err != nil {
		return nil, err
	}
	c := &Connection{endpoint: endpoint, socket: socket}
	if err := c.start(ctx, keys); err != nil {
		c.Close(0)
		return nil, err
	}
	return c, nil
}

// start begins to watch the socket, before the first event can happen, and connects it.
func (c *Connection) start(ctx *zmq.Context, keys *Keys) error {
	if err := keys.apply(c.socket); err != nil {
		return err
	}
	monitor := "inproc://monitor-" + uuid.NewString()
	if err := c.socket.Monitor(monitor, zmq.EVENT_CONNECTED|zmq.EVENT_HANDSHAKE_SUCCEEDED|zmq.EVENT_DISCONNECTED|zmq.EVENT_CONNECT_RETRIED); err != nil {
		return fmt.Errorf("monitoring a ZeroMQ socket: %w", err)
	}
	var err error
	if c.events, err = ctx.NewSocket(zmq.PAIR); err != nil {
		return fmt.Errorf("opening a ZeroMQ PAIR socket: %w", err)
	}
	if err := errors.Join(c.events.SetLinger(0), c.events.Connect(monitor)); err != nil {
		return fmt.Errorf("reading the events of a ZeroMQ socket: %w", err)
	}
	return connectSocket(c.socket, c.endpoint)
}

// Update takes in what happened to the link and, for a publisher, who began or ceased to listen. It connects again
// where ZeroMQ has given up. An error is one of the socket, which has to be opened anew.
func (c *Connection) Update(now time.Time) error {
	c.followLink(now)
	if c.Listeners != nil {
		if err := c.receiveSubscriptions(); err != nil {
			return err
		}
	}
	return c.reconnect(now)
}

// Up reports whether there is a link, over which both sides speak ZMTP.
func (c *Connection) Up() bool {
	return c.up
}

// Losses returns how often the link was lost.
func (c *Connection) Losses() uint64 {
	return c.losses
}

// Refusals returns how often ZeroMQ itself cut the link, and did not try again. It does so when the bus breaks the
// protocol, and what is longer than the socket takes is nothing else to it: a message for a subscriber, a subscription
// for a publisher. A handshake that fails, as with a wrong key, is not counted. Other than a loss it is counted when the
// link is made again.
func (c *Connection) Refusals() uint64 {
	return c.refusals
}

// NextUpdate returns when to call Update even if nothing comes; zero: not at all.
func (c *Connection) NextUpdate() time.Time {
	if c.abandoned.IsZero() {
		return time.Time{}
	}
	return c.abandoned.Add(c.pause)
}

func (c *Connection) followLink(now time.Time) {
	// A bus that speaks ZMTP 2.0 or older, as libzmq 3 does, has no handshake that libzmq tells of.
	if c.heard && c.connected && !c.up {
		c.up, c.since = true, now
	}
	c.heard = false
	for {
		event, _, _, err := c.events.RecvEvent(zmq.DONTWAIT)
		if err != nil {
			return
		}
		switch event {
		case zmq.EVENT_CONNECTED:
			c.connected = true
		case zmq.EVENT_HANDSHAKE_SUCCEEDED:
			c.up, c.since, c.abandoned = true, now, time.Time{}
		case zmq.EVENT_DISCONNECTED:
			if c.wasUp = c.up; c.wasUp {
				c.losses++
				if c.OnLoss != nil {
					c.OnLoss()
				}
			}
			c.pause = reconnectInterval
			if !c.up || now.Sub(c.since) < stableAfter {
				c.pause = repeatInterval
			}
			c.connected, c.up, c.abandoned = false, false, now
		case zmq.EVENT_CONNECT_RETRIED: // follows at once where ZeroMQ tries again
			c.abandoned = time.Time{}
		}
	}
}

// receiveSubscriptions takes in who listens to a publisher. Of very many, some are left for the next call.
func (c *Connection) receiveSubscriptions() error {
	for range subscriptionBurst {
		message, _, _, err := c.Receive()
		if Again(err) {
			return nil
		}
		if err != nil {
			return err
		}
		c.Listeners.Apply(message)
	}
	return nil
}

// reconnect connects again if ZeroMQ has given up and everything that came before was received. ZeroMQ gives up for good
// when the other end breaks the protocol, and it takes a message over the size limit for that.
func (c *Connection) reconnect(now time.Time) error {
	if c.abandoned.IsZero() || now.Before(c.NextUpdate()) {
		return nil
	}
	// A link that is taken down with messages still waiting can vanish between two frames of one, and
	// then ZeroMQ ends the process ("Assertion failed: !_more").
	events, err := c.socket.GetEvents()
	switch {
	case Again(err):
		return nil
	case err != nil:
		return fmt.Errorf("asking a ZeroMQ socket what it holds: %w", err)
	case events&zmq.POLLIN != 0:
		return nil
	}
	c.abandoned = time.Time{}
	if c.wasUp {
		c.refusals++
	}
	_ = c.socket.Disconnect(c.endpoint) // what is left of the former link, if anything
	return connectSocket(c.socket, c.endpoint)
}

// Receive receives one message without waiting. Only the first two frames are kept; frames tells how many there
// were. The error is one that Again reports when nothing waits.
func (c *Connection) Receive() (topic, payload []byte, frames int, err error) {
	for more := true; more; frames++ {
		// The frames of a message arrive together, so only the first can be missing.
		frame, err := c.socket.RecvBytes(zmq.DONTWAIT)
		if err != nil {
			return nil, nil, frames, err
		}
		c.heard = true
		switch frames {
		case 0:
			topic = frame
		case 1:
			payload = frame
		}
		if more, err = c.socket.GetRcvmore(); err != nil {
			return nil, nil, frames, err
		}
	}
	return topic, payload, frames, nil
}

// Publish sends a message without waiting. The error is one that Again reports when the bus takes no more at present;
// then nothing was sent.
func (c *Connection) Publish(topic string, payload []byte) error {
	if _, err := c.socket.SendBytes([]byte(topic), zmq.SNDMORE|zmq.DONTWAIT); err != nil {
		return err
	}
	_, err := c.socket.SendBytes(payload, zmq.DONTWAIT)
	return err
}

// PublishMessage sends a message as Publish does, on the topic that its signal names. Facts that JSON cannot hold are
// an error, too.
func (c *Connection) PublishMessage(m Message) error {
	payload, err := m.Encode()
	if err != nil {
		return err
	}
	return c.Publish(m.Signal, payload)
}

// Close closes the connection; nil: there is none. ZeroMQ goes on for up to linger to send what it has accepted, and the context cannot
// be closed before.
func (c *Connection) Close(linger time.Duration) {
	if c == nil {
		return
	}
	_ = c.socket.Monitor("", 0) // before the socket is closed; unregistering cannot fail on an open one
	if c.events != nil {
		_ = c.events.Close()
	}
	// These fail only on a socket that is no socket. A negative time would be endless.
	_ = c.socket.SetLinger(max(linger, 0))
	_ = c.socket.Close()
}
