package colony

import (
	"errors"
	"fmt"
	"time"

	zmq "github.com/pebbe/zmq4"
)

// command is what a Bus tells its proxy.
type command string

const (
	pause   command = "pause"
	resume  command = "resume"
	kill    command = "kill"
	restart command = "restart"
	stop    command = "stop"

	// terminate precedes every command. It is libzmq's word for its proxy: "stop forwarding".
	terminate command = "TERMINATE"
)

// hwm is the high-water mark of every socket on the bus, in messages.
const hwm = 1000

// A restart waits for a busy port this long. Closing a socket is asynchronous in ZeroMQ, so the bus
// itself may hold the port for some milliseconds more.
const (
	restartPatience = 30 * time.Second
	restartRetry    = 10 * time.Millisecond
)

// proxy owns the bus's sockets; after its construction only the goroutine in run touches it.
//
// libzmq's own proxy does the forwarding, at the speed of C. Each command ends it first, and also a pause
// does without it: libzmq's PAUSE keeps polling what it does not read, and so burns a core.
type proxy struct {
	ctx          *zmq.Context
	control      *zmq.Socket
	capture      *zmq.Socket   // gets a copy of all that is forwarded; nil: nobody asked for it
	captured     chan struct{} // closed when nobody reads the copies any more
	xsub, xpub   *zmq.Socket   // nil while killed
	xsubEndpoint string
	xpubEndpoint string
	paused       bool
}

// run forwards and obeys until it is told to stop, answering each command.
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
			continue // there was no forwarding to end
		}
		replies <- p.obey(c)
		if c == stop {
			return nil
		}
	}
}

func (p *proxy) obey(c command) error {
	running := p.xsub != nil
	switch c {
	case pause, resume:
		if !running {
			return fmt.Errorf("colony: cannot %s the bus: it is killed; restart it first", c)
		}
		p.paused = c == pause
	case kill:
		if !running {
			return errors.New("colony: cannot kill the bus: it is killed already")
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
	for deadline := time.Now().Add(restartPatience); ; time.Sleep(restartRetry) {
		err := p.open()
		if !errors.Is(err, zmq.EADDRINUSE) || time.Now().After(deadline) {
			return err
		}
	}
}

// open binds both sockets, and puts in the place of a wildcard port the one that was picked.
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

// close closes both sockets, if they are open. They linger not: what they held is gone.
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
		return nil, "", errors.Join(fmt.Errorf("colony: asking %s for its endpoint: %w", kind, err), socket.Close())
	}
	return socket, bound, nil
}

// newSocket returns a socket with the given high-water mark in messages. It drops what it holds when it
// is closed: else the end of its context would wait for a peer that may never come.
func newSocket(ctx *zmq.Context, kind zmq.Type, mark int) (*zmq.Socket, error) {
	socket, err := ctx.NewSocket(kind)
	if err != nil {
		return nil, fmt.Errorf("colony: creating a socket of type %s: %w", kind, err)
	}
	if err := errors.Join(socket.SetLinger(0), socket.SetSndhwm(mark), socket.SetRcvhwm(mark)); err != nil {
		return nil, errors.Join(fmt.Errorf("colony: preparing a socket of type %s: %w", kind, err), socket.Close())
	}
	return socket, nil
}
