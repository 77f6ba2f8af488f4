// Package consumer is a consumer of ChemBus signals for tests. It handles a message exactly if the real consumers would.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// kept is the minimum number of messages that a consumer keeps.
const kept = 100_000

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
	subscription *subscription

	topic     string
	onMessage func(Message)
	onDropped func([][]byte)
	recent    recentIncidents // used by the receiving goroutine only

	mu       sync.Mutex // guards what follows
	received []Message  // append-only, since slices of it are returned
	handled  []Message
	dropped  int
	changed  chan struct{} // closed and replaced at each message
}

// New connects a consumer to the XPUB endpoint of a bus, which may start later. Close it after use.
func New(config Config) (*Consumer, error) {
	c := &Consumer{
		topic:     config.Topic,
		onMessage: config.OnMessage,
		onDropped: config.OnDropped,
		recent:    newRecentIncidents(config.Now),
		changed:   make(chan struct{}),
	}
	var err error
	if c.subscription, err = subscribe(config.XPub, config.Topic, c.receive); err != nil {
		return nil, err
	}
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
		case <-c.subscription.done:
			return errors.Join(fmt.Errorf("consumer: waiting on topic %q: the consumer was closed or failed", c.topic), c.subscription.err)
		}
	}
}

// Close disconnects the consumer; the messages can still be read. It returns the error with which receiving failed
// before, if any. A second Close does nothing.
func (c *Consumer) Close() error { return c.subscription.Close() }

// receive records one message and decides whether it is handled.
func (c *Consumer) receive(frames [][]byte) {
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
