package chembus

import (
	"fmt"
	"sync"

	"github.com/google/uuid"
	zmq "github.com/pebbe/zmq4"
)

// Waker ends another goroutine's wait in a Poller.
type Waker struct {
	mu    sync.Mutex // two goroutines may use a ZeroMQ socket in turn only with a memory barrier between
	woken bool       // a wake was sent and not drained yet
	push  *zmq.Socket
	pull  *zmq.Socket
}

// NewWaker opens a waker; Socket and Drain belong to the goroutine that is woken.
func NewWaker(ctx *zmq.Context) (*Waker, error) {
	endpoint := "inproc://waker-" + uuid.NewString()
	pull, err := open(ctx, zmq.PULL, func(socket *zmq.Socket) error { return socket.Bind(endpoint) })
	if err != nil {
		return nil, err
	}
	push, err := open(ctx, zmq.PUSH, func(socket *zmq.Socket) error { return socket.Connect(endpoint) })
	if err != nil {
		_ = pull.Close()
		return nil, fmt.Errorf("opening a waker: %w", err)
	}
	return &Waker{push: push, pull: pull}, nil
}

// Wake may be called from any goroutine, also after Close.
func (w *Waker) Wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	// One wake at a time: a socket that has found its queue full does not see at once that it was drained,
	// and the next wake would be lost.
	if w.push != nil && !w.woken {
		_, err := w.push.SendBytes(nil, zmq.DONTWAIT)
		w.woken = err == nil
	}
}

// Close ends the waking, once the other goroutine has ended. The context cannot be closed before.
func (w *Waker) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.push != nil {
		_, _ = w.push.Close(), w.pull.Close()
		w.push = nil
	}
}

// Socket becomes readable when somebody wakes.
func (w *Waker) Socket() *zmq.Socket {
	return w.pull
}

// Drain discards the wakes so far.
func (w *Waker) Drain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if _, err := w.pull.RecvBytes(zmq.DONTWAIT); err != nil {
			w.woken = false
			return
		}
	}
}
