// Package consumer is a consumer of ChemBus signals that behaves as the real ones do, for tests: what it
// handles, they would handle, and as often.
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
	// kept is how many messages a consumer records at least; older ones are forgotten.
	kept = 100_000
	// burst bounds how many messages are received before a Close gets its turn.
	burst = 1000
)

// Config says what a Consumer listens to.
type Config struct {
	XPub      string           // the endpoint of the bus to which subscribers connect
	Topic     string           // subscribed to by prefix, as ZeroMQ does, and then compared as a whole
	Now       func() time.Time // the clock of the replay defence; nil: time.Now
	OnMessage func(Message)    // if set, called with each message received, one at a time; must not block
	OnDropped func([][]byte)   // if set, called with the frames of each message that was not understood, likewise
}

// Consumer receives the messages of one topic. A message is handled unless its incident_id is a string
// for which a message was handled less than 60 s ago. Its methods may be called from any goroutine.
type Consumer struct {
	topic     string
	onMessage func(Message)
	onDropped func([][]byte)
	defence   replayDefence // the receiving goroutine's own

	mu       sync.Mutex // guards what follows
	received []Message  // grows at its end only, so that parts of it can be given away
	handled  []Message
	dropped  int
	changed  chan struct{} // closed and replaced at each message

	closing sync.Mutex // guards ctx and control
	ctx     *zmq.Context
	control *zmq.Socket // wakes the receiving goroutine, to end it; nil once closed
	done    chan struct{}
	err     error // why the receiving goroutine ended by itself; to be read after done
}

// New connects a consumer to the XPUB endpoint of a bus, which need not be there yet. Close it after use.
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
		defence:   newReplayDefence(config.Now),
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

// Received returns every message that was received, handled or not, oldest first; after 200 000 the older
// ones go. Do not change it.
func (c *Consumer) Received() []Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.received[:len(c.received):len(c.received)]
}

// Handled returns the messages that the consumer acted on, oldest first; after 200 000 the older ones go.
// Do not change it.
func (c *Consumer) Handled() []Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handled[:len(c.handled):len(c.handled)]
}

// Dropped returns how many messages were not understood: of another topic, not of two frames, or not a
// JSON object.
func (c *Consumer) Dropped() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// Wait waits until the condition holds for the messages received, each of which tells whether it was
// handled. The condition is asked at once and after each message.
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
			return errors.Join(fmt.Errorf("consumer: waiting on topic %q: the consumer is closed or broke down", c.topic), c.err)
		}
	}
}

// Close disconnects and frees all that the consumer holds; the messages can still be read. A second Close
// does nothing. It returns the error with which receiving broke down before, if it did.
func (c *Consumer) Close() error {
	c.closing.Lock()
	defer c.closing.Unlock()
	if c.control == nil {
		return nil
	}
	// Should the goroutine have ended, nobody reads the other end: then this fails, and must not wait.
	if _, err := c.control.Send("", zmq.DONTWAIT); err != nil && zmq.AsErrno(err) != zmq.Errno(syscall.EAGAIN) {
		return fmt.Errorf("consumer: telling it to stop: %w", err)
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

// take records one message, and judges whether it is handled.
func (c *Consumer) take(frames [][]byte) {
	received := time.Now()
	var m Message
	understood := len(frames) == 2 && string(frames[0]) == c.topic
	if understood {
		var err error
		m, err = decode(frames[1])
		understood = err == nil
	}
	if understood {
		m.Received = received
		m.Handled = c.defence.admits(m.IncidentID)
		if c.onMessage != nil {
			c.onMessage(m)
		}
	} else if c.onDropped != nil {
		c.onDropped(frames)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if understood {
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

// record appends, and starts a new array when too much has gathered: parts of the old one may have been
// given away.
func record(messages []Message, m Message) []Message {
	if len(messages) >= 2*kept {
		messages = append([]Message(nil), messages[len(messages)-kept:]...)
	}
	return append(messages, m)
}
