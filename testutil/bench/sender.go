package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

const (
	// sendMark is the bus's high-water mark, in messages per subscriber.
	sendMark = 1000
	// turn is the maximum number of beats sent between two readings of the clock.
	turn = 64
	// rest is how long a sender waits if it is ahead of its rate.
	rest = time.Millisecond
	// sendTimeout is how long a lossless sender waits for a subscriber with a full queue.
	sendTimeout = time.Minute
	// forever is longer than the bench runs.
	forever = 24 * time.Hour
)

// sender is a bus without the costs of a proxy: a bound XPUB socket. It must be used by one goroutine only.
type sender struct {
	ctx      *zmq.Context
	socket   *zmq.Socket
	endpoint string
	beats    []*stampedBeat
	next     int            // index in beats
	taken    []atomic.Int64 // time of the last queued beat of each zooid, in epoch nanoseconds; 0: none
}

// newSender binds a sender for the heartbeats of that many zooids, which are sent in turn.
func newSender(zooids int) (*sender, error) {
	s := &sender{beats: stampedBeats(zooids), taken: make([]atomic.Int64, zooids)}
	var err error
	if s.ctx, err = zmq.NewContext(); err != nil {
		return nil, err
	}
	if s.socket, err = s.ctx.NewSocket(zmq.XPUB); err != nil {
		return nil, errors.Join(err, s.ctx.Term())
	}
	err = errors.Join(
		s.socket.SetLinger(0),
		s.socket.SetSndhwm(sendMark),
		s.socket.SetSndtimeo(sendTimeout),
		s.socket.SetXpubNodrop(true), // with a full queue, sending blocks or fails
		s.socket.SetXpubVerbose(1),
		s.socket.Bind(colony.AnyPort),
	)
	if err == nil {
		s.endpoint, err = s.socket.GetLastEndpoint()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("binding the sender: %w", err), s.close())
	}
	return s, nil
}

// waitSubscribers waits for n subscriptions to heartbeats.
func (s *sender) waitSubscribers(ctx context.Context, n int) error {
	for n > 0 {
		frame, err := s.socket.Recv(zmq.DONTWAIT)
		switch {
		case err == nil:
			if frame == "\x01"+colony.Topic {
				n--
			}
		case zmq.AsErrno(err) != zmq.Errno(syscall.EAGAIN):
			return fmt.Errorf("waiting for subscribers: %w", err)
		default:
			if err := sleep(ctx, rest); err != nil {
				return fmt.Errorf("%d subscribers are missing: %w", n, err)
			}
		}
	}
	return nil
}

// send sends n beats at a rate per second, or with a rate of 0 as fast as the slowest subscriber receives them. None is
// lost.
func (s *sender) send(ctx context.Context, n int, rate float64) error {
	_, _, err := s.run(ctx, n, forever, rate, 0)
	return err
}

// offer sends beats for d at a rate per second. It returns the number of beats, and how many of them were refused because of
// a full queue: the bus would drop them.
func (s *sender) offer(ctx context.Context, d time.Duration, rate float64) (offered, refused int, err error) {
	return s.run(ctx, math.MaxInt, d, rate, zmq.DONTWAIT)
}

// run sends n beats, or fewer if d has passed before.
func (s *sender) run(ctx context.Context, n int, d time.Duration, rate float64, flag zmq.Flag) (sent, refused int, err error) {
	start := time.Now()
	for {
		now := time.Now()
		elapsed := now.Sub(start)
		if sent == n || elapsed >= d || ctx.Err() != nil {
			return sent, refused, ctx.Err()
		}
		due := min(turn, n-sent)
		if rate > 0 {
			due = min(due, int(rate*elapsed.Seconds())-sent)
		}
		if due <= 0 {
			time.Sleep(rest)
			continue
		}
		for range due {
			queued, err := s.sendBeat(now, flag)
			if err != nil {
				return sent, refused, err
			}
			if !queued {
				refused++
			}
			sent++
		}
	}
}

// sendBeat sends the next zooid's heartbeat; false if the queue was full.
func (s *sender) sendBeat(now time.Time, flag zmq.Flag) (bool, error) {
	zooid := s.next
	if s.next++; s.next == len(s.beats) {
		s.next = 0
	}
	_, err := s.socket.SendBytes(topic, zmq.SNDMORE|flag)
	switch {
	case err == nil:
		_, err = s.socket.SendBytes(s.beats[zooid].stamp(now), flag)
	case flag == zmq.DONTWAIT && zmq.AsErrno(err) == zmq.Errno(syscall.EAGAIN):
		return false, nil // nothing was sent
	}
	if err != nil {
		return false, fmt.Errorf("sending a heartbeat: %w", err)
	}
	s.taken[zooid].Store(now.UnixNano())
	return true, nil
}

var topic = []byte(colony.Topic)

func (s *sender) close() error {
	return errors.Join(s.socket.Close(), s.ctx.Term())
}

// await waits until a condition is true.
func await(ctx context.Context, what string, condition func() bool) error {
	for !condition() {
		if err := sleep(ctx, rest); err != nil {
			return fmt.Errorf("waiting until %s: %w", what, err)
		}
	}
	return nil
}

// sleep waits for d or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
