package chembus

import (
	"errors"
	"fmt"
	"sync"
	"time"

	zmq "github.com/pebbe/zmq4"
)

// RetryAfter is the pause before connections that failed are opened again.
const RetryAfter = time.Second

// termLimit bounds the wait for a context that is closed. It is longer than any connection lingers.
const termLimit = 2500 * time.Millisecond

// Connections are what a Loop keeps open. All methods are called by its goroutine.
type Connections interface {
	// Open opens the connections and lets Poll wait for them (see Watch).
	Open() error
	// Step waits with Poll for something to happen, and does what is due. After an error all is closed and opened again.
	Step() error
	// Close closes what is open.
	Close()
}

// Loop is the goroutine that owns a plugin's connections, with the ZeroMQ context that they are in.
type Loop struct {
	Context *zmq.Context // made by Init unless it is set

	poller  *poller
	done    chan struct{} // closed by Stop
	pending func() bool   // see Stop; to be read after done
	wg      sync.WaitGroup
}

// Init makes what connections need. Stop frees it, which has to be called even if Start was not.
func (l *Loop) Init() (err error) {
	if l.Context == nil {
		ctx, err := zmq.NewContext()
		if err != nil {
			return err // beside it is a context that cannot be used
		}
		l.Context = ctx
	}
	l.done = make(chan struct{})
	if l.poller, err = newPoller(); err != nil {
		err = errors.Join(err, l.Context.Term()) // nothing is open in it
		l.Context = nil
		return err
	}
	return nil
}

// Start begins to open the connections and to step. It tells of each error, after which it goes on in RetryAfter.
func (l *Loop) Start(c Connections, failed func(error)) {
	l.wg.Go(func() {
		for {
			err := c.Open()
			for err == nil && !(l.Stopping() && (l.pending == nil || !l.pending())) {
				err = c.Step()
			}
			c.Close()
			if l.Stopping() {
				return
			}
			// ZeroMQ itself handles every fault of the network; this is something like too many open files.
			failed(err)
			select {
			case <-l.done:
				return
			case <-time.After(RetryAfter):
			}
		}
	})
}

// Stopping reports whether Stop was called.
func (l *Loop) Stopping() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// Stop ends the loop when nothing is pending any more, which the loop asks after each step, and frees what it has; nil:
// at once. It waits for what the connections still send after they were closed.
func (l *Loop) Stop(pending func() bool) error {
	l.pending = pending
	close(l.done)
	l.Wake()
	l.wg.Wait()
	err := errors.Join(l.poller.Close(), term(l.Context))
	l.Context = nil
	return err
}

// term closes a context whose sockets were closed. It waits for what they still send, but not while libzmq's own thread waits
// for a name server, which can take half a minute and cannot be interrupted.
func term(ctx *zmq.Context) error {
	closed := make(chan error, 1)
	go func() { closed <- ctx.Term() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(termLimit):
		return fmt.Errorf("libzmq did not end within %v, probably since a name server does not answer", termLimit)
	}
}

// Wake ends the wait in Poll. It may be called from any goroutine, also after Stop.
func (l *Loop) Wake() {
	l.poller.Wake()
}

// Watch lets Poll wait for whatever comes by these connections, and by no others: a message, a listener, a change of the
// link. Call Update then.
func (l *Loop) Watch(connections ...*Connection) error {
	var sockets []*zmq.Socket
	for _, c := range connections {
		sockets = append(sockets, c.socket, c.events)
	}
	return l.poller.Watch(sockets...)
}

// Poll waits until something may have happened to a connection, somebody calls Wake, or the time is over.
func (l *Loop) Poll(timeout time.Duration) error {
	return l.poller.Wait(timeout)
}
