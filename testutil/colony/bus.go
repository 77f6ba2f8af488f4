package colony

import (
	"errors"
	"fmt"
	"sync"

	zmq "github.com/pebbe/zmq4"
)

// AnyPort is the endpoint with which a socket binds to a loopback port that the system picks.
const AnyPort = "tcp://127.0.0.1:*"

// BusConfig says where a Bus binds.
type BusConfig struct {
	XSub string // endpoint for publishers; empty: AnyPort
	XPub string // endpoint for subscribers; empty: AnyPort

	// OnForward, if set, is called with the frames of each message of two or more that the bus forwards, one at
	// a time and in the bus's order. It needs no subscription, so the publishers do not know of it. It must not
	// call the bus; what waits for it is not bounded.
	OnForward func(frames [][]byte)
}

// Bus is a ChemBus proxy inside this process: publishers connect to its XSUB socket, subscribers to its
// XPUB socket, and it forwards messages one way and subscriptions the other. Its methods may be called
// from any goroutine; each returns when the proxy has done what it was told.
type Bus struct {
	xsub, xpub string // as bound: with the port's number

	mu      sync.Mutex // one command at a time; guards ctx and control
	ctx     *zmq.Context
	control *zmq.Socket // this end of the wire to the proxy's goroutine; nil once closed

	replies chan error    // one for each command
	done    chan struct{} // closed when the proxy's goroutine has ended
	err     error         // why it ended by itself; to be read after done
}

// NewBus binds both sockets and starts to forward. Close the bus after use.
func NewBus(config BusConfig) (*Bus, error) {
	if config.XSub == "" {
		config.XSub = AnyPort
	}
	if config.XPub == "" {
		config.XPub = AnyPort
	}
	ctx, err := zmq.NewContext()
	if err != nil {
		return nil, fmt.Errorf("colony: creating the bus's ZeroMQ context: %w", err)
	}
	control, remote, err := wire(ctx, "inproc://control")
	if err != nil {
		return nil, errors.Join(err, ctx.Term())
	}
	p := &proxy{ctx: ctx, control: remote, xsubEndpoint: config.XSub, xpubEndpoint: config.XPub}
	if config.OnForward != nil {
		err = p.openCapture(config.OnForward)
	}
	if err == nil {
		err = p.open()
	}
	if err != nil {
		return nil, errors.Join(err, control.Close(), remote.Close(), p.closeCapture(), ctx.Term())
	}
	b := &Bus{
		xsub:    p.xsubEndpoint,
		xpub:    p.xpubEndpoint,
		ctx:     ctx,
		control: control,
		replies: make(chan error),
		done:    make(chan struct{}),
	}
	go func() {
		defer close(b.done)
		b.err = errors.Join(p.run(b.replies), p.close(), p.closeCapture(), remote.Close())
	}()
	return b, nil
}

// wire returns the two ends of a wire within a context. What waits in it is not bounded.
func wire(ctx *zmq.Context, endpoint string) (local, remote *zmq.Socket, err error) {
	ends := make([]*zmq.Socket, 0, 2)
	for _, attach := range []func(*zmq.Socket, string) error{(*zmq.Socket).Bind, (*zmq.Socket).Connect} {
		end, err := ctx.NewSocket(zmq.PAIR)
		if err == nil {
			ends = append(ends, end)
			err = errors.Join(end.SetLinger(0), end.SetSndhwm(0), end.SetRcvhwm(0), attach(end, endpoint))
		}
		if err != nil {
			for _, end := range ends {
				err = errors.Join(err, end.Close())
			}
			return nil, nil, fmt.Errorf("colony: wiring the bus to %q: %w", endpoint, err)
		}
	}
	return ends[0], ends[1], nil
}

// XSub returns the endpoint to which publishers connect. It stays the same over a Restart.
func (b *Bus) XSub() string { return b.xsub }

// XPub returns the endpoint to which subscribers connect. It stays the same over a Restart.
func (b *Bus) XPub() string { return b.xpub }

// Pause stops forwarding in both directions, as in maintenance: all stay connected, and messages and
// subscriptions wait in the sockets' queues (1000 messages each; past that they are dropped silently).
func (b *Bus) Pause() error { return b.do(pause) }

// Resume ends a pause. What queued arrives in a burst.
func (b *Bus) Resume() error { return b.do(resume) }

// Kill closes both sockets and drops what they held, as the death of the proxy's process would.
func (b *Bus) Kill() error { return b.do(kill) }

// Restart binds the endpoints of a killed bus again and forwards. A port that is still busy is tried
// again for 30 s.
func (b *Bus) Restart() error { return b.do(restart) }

// Close ends the bus, whatever state it is in, and frees all that it holds. A second Close does nothing.
// It returns the error with which the proxy broke down before, if it did.
func (b *Bus) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.control == nil {
		return nil
	}
	select {
	case <-b.done: // it broke down
	default:
		if err := b.command(stop); err != nil {
			return err
		}
		<-b.done
	}
	err := errors.Join(b.err, b.control.Close())
	b.control = nil
	return errors.Join(err, b.ctx.Term())
}

func (b *Bus) do(c command) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.control == nil {
		return fmt.Errorf("colony: cannot %s the bus: it is closed", c)
	}
	return b.command(c)
}

func (b *Bus) command(c command) error {
	// Should the proxy's goroutine have ended, nobody reads the other end: never wait for it here.
	for _, word := range []command{terminate, c} {
		if _, err := b.control.Send(string(word), zmq.DONTWAIT); err != nil {
			return fmt.Errorf("colony: telling the bus to %s: %w", c, err)
		}
	}
	select {
	case err := <-b.replies:
		return err
	case <-b.done:
		return fmt.Errorf("colony: cannot %s the bus: it broke down: %w", c, b.err)
	}
}
