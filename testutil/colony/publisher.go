package colony

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"
)

var errPublisherClosed = errors.New("colony: the publisher is closed")

// subscribedPoll is how often WaitSubscribed reads subscriptions.
const subscribedPoll = 2 * time.Millisecond

// Publisher is one connection to a bus's XSUB endpoint. Its methods may be called from any goroutine.
//
// It publishes through an XPUB socket, which receives the subscriptions of the bus. Like a PUB socket it silently drops
// messages without a subscriber.
type Publisher struct {
	mu     sync.Mutex // a ZeroMQ socket must not be used concurrently
	ctx    *zmq.Context
	socket *zmq.Socket // nil once closed
	topics map[string]struct{}
}

// NewPublisher connects to the XSUB endpoint of a bus, which may start later. While it is not connected, it drops
// messages and counts as not subscribed.
func NewPublisher(xsub string) (*Publisher, error) {
	return newPublisher(xsub, hwm, true)
}

// newPublisher connects with a high-water mark in messages. If it is not immediate, it queues messages while the
// connection is lost, for the subscriptions that it had.
func newPublisher(xsub string, mark int, immediate bool) (*Publisher, error) {
	ctx, err := zmq.NewContext()
	if err != nil {
		return nil, fmt.Errorf("colony: creating a publisher's ZeroMQ context: %w", err)
	}
	socket, err := newSocket(ctx, zmq.XPUB, mark)
	if err != nil {
		return nil, errors.Join(err, ctx.Term())
	}
	if err := errors.Join(socket.SetImmediate(immediate), socket.Connect(xsub)); err != nil {
		err = fmt.Errorf("colony: connecting a publisher to %q: %w", xsub, err)
		return nil, errors.Join(err, socket.Close(), ctx.Term())
	}
	return &Publisher{ctx: ctx, socket: socket, topics: make(map[string]struct{})}, nil
}

// Send publishes one message; a message of the bus has two frames, topic and payload. It never blocks. No error means
// that ZeroMQ has queued or dropped the message, not that it was received.
func (p *Publisher) Send(frames ...[]byte) error {
	if len(frames) == 0 {
		return errors.New("colony: a message needs at least one frame")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socket == nil {
		return errPublisherClosed
	}
	if err := sendFrames(p.socket, frames); err != nil {
		return fmt.Errorf("colony: publishing: %w", err)
	}
	return nil
}

// WaitSubscribed waits until this connection has received a subscription to the topic or to a prefix of it. The bus
// forwards only the first subscription to each topic, so this cannot detect a second subscriber.
func (p *Publisher) WaitSubscribed(ctx context.Context, topic string) error {
	ticker := time.NewTicker(subscribedPoll)
	defer ticker.Stop()
	for {
		subscribed, err := p.subscribed(topic)
		if subscribed || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("colony: waiting for a subscription to %q: %w", topic, ctx.Err())
		case <-ticker.C:
		}
	}
}

func (p *Publisher) subscribed(topic string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socket == nil {
		return false, errPublisherClosed
	}
	if err := p.readSubscriptions(); err != nil {
		return false, err
	}
	for prefix := range p.topics {
		if strings.HasPrefix(topic, prefix) {
			return true, nil
		}
	}
	return false, nil
}

// readSubscriptions reads the subscriptions (\x01TOPIC) and cancellations (\x00TOPIC) received so far. Sending does not
// need it: ZeroMQ applies them by itself.
func (p *Publisher) readSubscriptions() error {
	for {
		frame, err := p.socket.Recv(zmq.DONTWAIT)
		if wouldBlock(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("colony: receiving subscriptions: %w", err)
		}
		if topic, ok := strings.CutPrefix(frame, "\x01"); ok {
			p.topics[topic] = struct{}{}
		} else if topic, ok := strings.CutPrefix(frame, "\x00"); ok {
			delete(p.topics, topic)
		}
	}
}

// Close disconnects at once and drops queued messages. A second Close does nothing.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socket == nil {
		return nil
	}
	err := p.socket.Close()
	p.socket = nil
	return errors.Join(err, p.ctx.Term())
}

// sendFrames sends one message through an XPUB socket, which never blocks: beyond its high-water mark it drops messages.
func sendFrames(to *zmq.Socket, frames [][]byte) error {
	last := len(frames) - 1
	for i, frame := range frames {
		flag := zmq.SNDMORE
		if i == last {
			flag = 0
		}
		if _, err := to.SendBytes(frame, flag); err != nil {
			return fmt.Errorf("sending frame %d of %d: %w", i+1, len(frames), err)
		}
	}
	return nil
}

func wouldBlock(err error) bool {
	return err != nil && zmq.AsErrno(err) == zmq.Errno(syscall.EAGAIN)
}
