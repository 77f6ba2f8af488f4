package colony

import (
	"errors"
	"fmt"
	"time"

	zmq "github.com/pebbe/zmq4"
)

// command is a command of a Bus to its proxy.
type command string

const (
	pause   command = "pause"
	resume  command = "resume"
	kill    command = "kill"
	restart command = "restart"
	stop    command = "stop"

	// terminate precedes every command. With it libzmq's proxy stops forwarding.
	terminate command = "TERMINATE"
)

// hwm is the high-water mark of every socket on the bus, in messages.
const hwm = 1000

// A restart retries for restartTimeout if a port is in use. ZeroMQ closes sockets asynchronously, so the bus itself may
// hold the port for some more milliseconds.
const (
	restartTimeout = 30 * time.Second
	restartRetry   = 10 * time.Millisecond
)

// proxy owns the bus's sockets; once it runs, only the goroutine in run uses it.
//
// libzmq's own proxy forwards. Each command ends it, and during a pause it does not run: libzmq's PAUSE would keep polling
// sockets that it does not read and use a whole core.
type proxy struct {
	ctx          *zmq.Context
	control      *zmq.Socket
	capture      *zmq.Socket   // receives a copy of each forwarded message; nil without OnForward
	captured     chan struct{} // closed when the reader of the copies has ended
	xsub, xpub   *zmq.Socket   // nil while killed
	xsubEndpoint string
	xpubEndpoint string
	paused       bool
}

// run forwards messages and executes commands until stop. It sends one reply for each command.
func (p *proxy) run(replies chan<- error) error {
	for {
		if p.xsub != nil && !p.paused {
			if err := zmq.ProxySteerable(p.xsub, p.xpub, p.capture, p.control); err != nil {
				return fmt.Errorf("colony: forwarding between XSUB and XPUB: %w", err)
			}
		}
		message, err := p.control.Recv(0)
		if err != nil {
			return fmt.Errorf("colony: receiving a command to the bus: %w", err)
		}
		c := command(message)
		if c == terminate {
			continue // it was not forwarding
		}
		replies <- p.execute(c)
		if c == stop {
			return nil
		}
	}
}

func (p *proxy) execute(c command) error {
	running := p.xsub != nil
	switch c {
	case pause, resume:
		if !running {
			return fmt.Errorf("colony: cannot %s the bus: it is killed; restart it first", c)
		}
		p.paused = c == pause
	case kill:
		if !running {
			return errors.New("colony: cannot kill the bus: it is already killed")
		}
		return p.close()
	case restart:
		if running {
			return errors.New("colony: cannot restart the bus: it is running; kill it first")
		}
		return p.reopen()
	}
	return nil
}

func (p *proxy) reopen() error {
	for deadline := time.Now().Add(restartTimeout); ; time.Sleep(restartRetry) {
		err := p.open()
		if !errors.Is(err, zmq.EADDRINUSE) || time.Now().After(deadline) {
			return err
		}
	}
}

// open binds both sockets and replaces a wildcard port by the chosen one.
func (p *proxy) open() error {
	xsub, xsubEndpoint, err := bind(p.ctx, zmq.XSUB, p.xsubEndpoint)
	if err != nil {
		return err
	}
	xpub, xpubEndpoint, err := bind(p.ctx, zmq.XPUB, p.xpubEndpoint)
	if err != nil {
		return errors.Join(err, xsub.Close())
	}
	p.xsub, p.xsubEndpoint = xsub, xsubEndpoint
	p.xpub, p.xpubEndpoint = xpub, xpubEndpoint
	p.paused = false
	return nil
}

// close closes both sockets if they are open, and drops their queues.
func (p *proxy) close() error {
	if p.xsub == nil {
		return nil
	}
	err := errors.Join(p.xsub.Close(), p.xpub.Close())
	p.xsub, p.xpub = nil, nil
	return err
}

func bind(ctx *zmq.Context, kind zmq.Type, endpoint string) (*zmq.Socket, string, error) {
	socket, err := newSocket(ctx, kind, hwm)
	if err != nil {
		return nil, "", err
	}
	if err := socket.Bind(endpoint); err != nil {
		err = fmt.Errorf("colony: binding %s to %q: %w", kind, endpoint, err)
		return nil, "", errors.Join(err, socket.Close())
	}
	bound, err := socket.GetLastEndpoint()
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("colony: reading the endpoint of %s: %w", kind, err), socket.Close())
	}
	return socket, bound, nil
}

// newSocket returns a socket with a high-water mark in messages. Closing it drops its queue; else terminating the context
// could wait forever for a connection.
func newSocket(ctx *zmq.Context, kind zmq.Type, mark int) (*zmq.Socket, error) {
	socket, err := ctx.NewSocket(kind)
	if err != nil {
		return nil, fmt.Errorf("colony: creating a socket of type %s: %w", kind, err)
	}
	if err := errors.Join(socket.SetLinger(0), socket.SetSndhwm(mark), socket.SetRcvhwm(mark)); err != nil {
		return nil, errors.Join(fmt.Errorf("colony: setting options of a socket of type %s: %w", kind, err), socket.Close())
	}
	return socket, nil
}
