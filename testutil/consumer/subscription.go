package consumer

import (
	"errors"
	"fmt"
	"sync"
	"syscall"

	zmq "github.com/pebbe/zmq4"
)

const (
	// hwm is the high-water mark of every socket on the bus, in messages.
	hwm = 1000
	// burst is the maximum number of messages received before a Close is handled.
	burst = 1000
)

// subscription receives all messages whose topic begins with a prefix.
type subscription struct {
	prefix string
	take   func(frames [][]byte) // one message; called one at a time

	closing sync.Mutex // guards ctx and control
	ctx     *zmq.Context
	control *zmq.Socket // ends the receiving goroutine; nil once closed
	done    chan struct{}
	err     error // of the receiving goroutine; to be read after done
}

// subscribe connects to the XPUB endpoint of a bus, which may start later.
func subscribe(xpub, prefix string, take func(frames [][]byte)) (*subscription, error) {
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
		return errors.Join(s.SetSubscribe(prefix), s.Connect(xpub))
	})
	if err != nil {
		err = fmt.Errorf("consumer: subscribing to %q at %q: %w", prefix, xpub, err)
		for _, socket := range sockets {
			err = errors.Join(err, socket.Close())
		}
		return nil, errors.Join(err, ctx.Term())
	}
	s := &subscription{prefix: prefix, take: take, ctx: ctx, control: sockets[0], done: make(chan struct{})}
	go func() {
		defer close(s.done)
		stop, sub := sockets[1], sockets[2]
		s.err = errors.Join(s.run(stop, sub), sub.Close(), stop.Close())
	}()
	return s, nil
}

// Close disconnects. It returns the error with which receiving failed before, if any. A second Close does nothing.
func (s *subscription) Close() error {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.control == nil {
		return nil
	}
	// If the goroutine has failed, the other end is closed: this must not block.
	if _, err := s.control.Send("", zmq.DONTWAIT); err != nil && zmq.AsErrno(err) != zmq.Errno(syscall.EAGAIN) {
		return fmt.Errorf("consumer: stopping: %w", err)
	}
	<-s.done
	err := errors.Join(s.err, s.control.Close())
	s.control = nil
	return errors.Join(err, s.ctx.Term())
}

func (s *subscription) run(stop, sub *zmq.Socket) error {
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
			if err := s.drain(sub); err != nil {
				return fmt.Errorf("consumer: receiving on topic %q: %w", s.prefix, err)
			}
		}
	}
}

func (s *subscription) drain(sub *zmq.Socket) error {
	for range burst {
		frames, err := sub.RecvMessageBytes(zmq.DONTWAIT)
		if err != nil {
			if zmq.AsErrno(err) == zmq.Errno(syscall.EAGAIN) {
				return nil
			}
			return err
		}
		s.take(frames)
	}
	return nil
}
