// Package consumer is a consumer of ChemBus signals for tests. It handles a message exactly if the real consumers would.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"
)

const (
	// hwm is the high-water mark of every socket on the bus, in messages.
	hwm = 1000
	// kept is the minimum number of messages that a consumer keeps.
	kept = 100_000
	// burst is the maximum number of messages received before a Close is handled.
	burst = 1000
)

// Config is the configuration of a Consumer.
type Config struct {
	XPub      string           // endpoint of the bus for subscribers
	Topic     string           // ZeroMQ subscribes by prefix; messages of other topics are dropped
	Now       func() time.Time // clock of the deduplication; nil: time.Now
	OnMessage func(Message)    // called with each valid message, one at a time; must not block; may be nil
	OnDropped func([][]byte)   // called with the frames of each dropped message, one at a time; must not block; may be nil
}

// Consumer receives the messages of one topic. It handles a message unless its incident_id is a string for which it has
// handled a message less than 60 s ago. Its methods may be called from any goroutine.
type Consumer struct {
	topic     string
	onMessage func(Message)
	onDropped func([][]byte)
	recent    recentIncidents // used by the receiving goroutine only

	mu       sync.Mutex // guards what follows
	received []Message  // append-only, since slices of it are returned
	handled  []Message
	dropped  int
	changed  chan struct{} // closed and replaced at each message

	closing sync.Mutex // guards ctx and control
	ctx     *zmq.Context
	control *zmq.Socket // ends the receiving goroutine; nil once closed
	done    chan struct{}
	err     error // of the receiving goroutine; to be read after done
}

// New connects a consumer to the XPUB endpoint of a bus, which may start later. Close it after use.
func New(config Config) (*Consumer, error) {
	ctx, err := zmq.NewContext()
	if err != nil {
		return nil, fmt.Errorf("consumer: creating a ZeroMQ context: %w", err)
	}
	var sockets []*zmq.Socket
	open := func(kind zmq.Type, attach func(*zmq.Socket) error) {
		if err != nil {
			return
		}
		var socket *zmq.Socket
		if socket, err = ctx.NewSocket(kind); err != nil {
			return
		}
		sockets = append(sockets, socket)
		err = errors.Join(socket.SetLinger(0), socket.SetRcvhwm(hwm), attach(socket))
	}
	open(zmq.PAIR, func(s *zmq.Socket) error { return s.Bind("inproc://control") })
	open(zmq.PAIR, func(s *zmq.Socket) error { return s.Connect("inproc://control") })
	open(zmq.SUB, func(s *zmq.Socket) error {
		return errors.Join(s.SetSubscribe(config.Topic), s.Connect(config.XPub))
	})
	if err != nil {
		err = fmt.Errorf("consumer: subscribing to %q at %q: %w", config.Topic, config.XPub, err)
		for _, socket := range sockets {
			err = errors.Join(err, socket.Close())
		}
		return nil, errors.Join(err, ctx.Term())
	}
	c := &Consumer{
		topic:     config.Topic,
		onMessage: config.OnMessage,
		onDropped: config.OnDropped,
		recent:    newRecentIncidents(config.Now),
		changed:   make(chan struct{}),
		ctx:       ctx,
		control:   sockets[0],
		done:      make(chan struct{}),
	}
	go func() {
		defer close(c.done)
		stop, sub := sockets[1], sockets[2]
		c.err = errors.Join(c.run(stop, sub), sub.Close(), stop.Close())
	}()
	return c, nil
}

// Received returns all valid messages, handled or not, oldest first; of more than 200 000 the newest 100 000 or more. The
// caller must not modify them.
func (c *Consumer) Received() []Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.received[:len(c.received):len(c.received)]
}

// Handled returns the handled messages, oldest first, with the limit of Received. The caller must not modify them.
func (c *Consumer) Handled() []Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handled[:len(c.handled):len(c.handled)]
}

// Dropped returns the number of dropped messages: of another topic, not of two frames, or not a JSON object.
func (c *Consumer) Dropped() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// Wait waits until the condition is true for the received messages. The condition is checked at once and after each
// message.
func (c *Consumer) Wait(ctx context.Context, condition func(received []Message) bool) error {
	for {
		c.mu.Lock()
		received, handled, dropped, changed := c.received, len(c.handled), c.dropped, c.changed
		c.mu.Unlock()
		if condition(received[:len(received):len(received)]) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("consumer: waiting on topic %q, with %d messages received, %d of them handled, and %d dropped: %w",
				c.topic, len(received), handled, dropped, ctx.Err())
		case <-c.done:
			return errors.Join(fmt.Errorf("consumer: waiting on topic %q: the consumer was closed or failed", c.topic), c.err)
		}
	}
}

// Close disconnects the consumer; the messages can still be read. It returns the error with which receiving failed
// before, if any. A second Close does nothing.
func (c *Consumer) Close() error {
	c.closing.Lock()
	defer c.closing.Unlock()
	if c.control == nil {
		return nil
	}
	// If the goroutine has failed, the other end is closed: this must not block.
	if _, err := c.control.Send("", zmq.DONTWAIT); err != nil && zmq.AsErrno(err) != zmq.Errno(syscall.EAGAIN) {
		return fmt.Errorf("consumer: stopping: %w", err)
	}
	<-c.done
	err := errors.Join(c.err, c.control.Close())
	c.control = nil
	return errors.Join(err, c.ctx.Term())
}

func (c *Consumer) run(stop, sub *zmq.Socket) error {
	poller := zmq.NewPoller()
	poller.Add(stop, zmq.POLLIN)
	poller.Add(sub, zmq.POLLIN)
	for {
		ready, err := poller.Poll(-1)
		if err != nil {
			return fmt.Errorf("consumer: polling: %w", err)
		}
		for _, polled := range ready {
			if polled.Socket == stop {
				return nil
			}
			if err := c.drain(sub); err != nil {
				return fmt.Errorf("consumer: receiving on topic %q: %w", c.topic, err)
			}
		}
	}
}

func (c *Consumer) drain(sub *zmq.Socket) error {
	for range burst {
		frames, err := sub.RecvMessageBytes(zmq.DONTWAIT)
		if err != nil {
			if zmq.AsErrno(err) == zmq.Errno(syscall.EAGAIN) {
				return nil
			}
			return err
		}
		c.take(frames)
	}
	return nil
}

// take records one message and decides whether it is handled.
func (c *Consumer) take(frames [][]byte) {
	received := time.Now()
	var m Message
	valid := len(frames) == 2 && string(frames[0]) == c.topic
	if valid {
		var err error
		m, err = decode(frames[1])
		valid = err == nil
	}
	if valid {
		m.Received = received
		m.Handled = c.recent.add(m.IncidentID)
		if c.onMessage != nil {
			c.onMessage(m)
		}
	} else if c.onDropped != nil {
		c.onDropped(frames)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if valid {
		c.received = record(c.received, m)
		if m.Handled {
			c.handled = record(c.handled, m)
		}
	} else {
		c.dropped++
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// record appends a message. At the limit it starts a new array, since slices of the old one may be in use.
func record(messages []Message, m Message) []Message {
	if len(messages) >= 2*kept {
		messages = append([]Message(nil), messages[len(messages)-kept:]...)
	}
	return append(messages, m)
}
