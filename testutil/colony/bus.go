package colony

import (
	"errors"
	"fmt"
	"sync"

	zmq "github.com/pebbe/zmq4"
)

// AnyPort is an endpoint that binds to any free loopback port.
const AnyPort = "tcp://127.0.0.1:*"

// BusConfig is the configuration of a Bus.
type BusConfig struct {
	XSub string // endpoint for publishers; empty: AnyPort
	XPub string // endpoint for subscribers; empty: AnyPort

	// OnForward is called with the frames of each forwarded message of two or more frames, one at a time and in order.
	// It makes no subscription that publishers would receive. It must not call the bus. The queue before it is not
	// limited. It may be nil.
	OnForward func(frames [][]byte)
}

// Bus is a ChemBus proxy in this process: publishers connect to its XSUB socket, subscribers to its XPUB socket. It
// forwards messages to the subscribers and subscriptions to the publishers. Its methods may be called from any
// goroutine; each returns when the proxy has executed it.
type Bus struct {
	xsub, xpub string // as bound, with the port number

	mu      sync.Mutex // held for each command; guards ctx and control
	ctx     *zmq.Context
	control *zmq.Socket // connected to the proxy's goroutine; nil once closed

	replies chan error    // one for each command
	done    chan struct{} // closed when the proxy's goroutine has returned
	err     error         // of the goroutine; to be read after done
}

// NewBus binds both sockets and starts forwarding. Close the bus after use.
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
	control, remote, err := socketPair(ctx, "inproc://control")
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

// socketPair returns two connected sockets within a context. Their queues are not limited.
func socketPair(ctx *zmq.Context, endpoint string) (local, remote *zmq.Socket, err error) {
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
			return nil, nil, fmt.Errorf("colony: connecting sockets at %q: %w", endpoint, err)
		}
	}
	return ends[0], ends[1], nil
}

// XSub returns the endpoint to which publishers connect. A Restart does not change it.
func (b *Bus) XSub() string { return b.xsub }

// XPub returns the endpoint to which subscribers connect. A Restart does not change it.
func (b *Bus) XPub() string { return b.xpub }

// Pause stops forwarding in both directions, as in maintenance. Clients stay connected; messages and subscriptions wait
// in the sockets' queues of 1000 messages each, beyond which they are dropped silently.
func (b *Bus) Pause() error { return b.do(pause) }

// Resume ends a pause. Queued messages arrive in a burst.
func (b *Bus) Resume() error { return b.do(resume) }

// Kill closes both sockets and drops their queues, as if the proxy's process was killed.
func (b *Bus) Kill() error { return b.do(kill) }

// Restart binds the endpoints of a killed bus again and starts forwarding. If a port is in use, it retries for 30 s.
func (b *Bus) Restart() error { return b.do(restart) }

// Close stops the bus in any state. It returns the error with which the proxy failed before, if any. A second Close does
// nothing.
func (b *Bus) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.control == nil {
		return nil
	}
	select {
	case <-b.done: // it has failed
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
	// If the proxy's goroutine has failed, the other end is closed: this must not block.
	for _, word := range []command{terminate, c} {
		if _, err := b.control.Send(string(word), zmq.DONTWAIT); err != nil {
			return fmt.Errorf("colony: sending the command to %s the bus: %w", c, err)
		}
	}
	select {
	case err := <-b.replies:
		return err
	case <-b.done:
		return fmt.Errorf("colony: cannot %s the bus: it has failed: %w", c, b.err)
	}
}
