package chembus

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	zmq "github.com/pebbe/zmq4"
)

// Connection watches the connection of a socket to the bus. It belongs to the goroutine that owns
// the socket.
type Connection struct {
	Up          bool   // the peer speaks ZMTP
	Disconnects uint64 // how often it was lost

	watched   *zmq.Socket
	events    *zmq.Socket
	abandoned time.Time // when it was lost and ZeroMQ did not try again; zero: it does
}

// WatchConnection must be called before the first event of interest; events of before are lost.
func WatchConnection(ctx *zmq.Context, socket *zmq.Socket) (*Connection, error) {
	endpoint := "inproc://monitor-" + uuid.NewString()
	if err := socket.Monitor(endpoint, zmq.EVENT_HANDSHAKE_SUCCEEDED|zmq.EVENT_DISCONNECTED|zmq.EVENT_CONNECT_RETRIED); err != nil {
		return nil, fmt.Errorf("monitoring a ZeroMQ socket: %w", err)
	}
	events, err := ctx.NewSocket(zmq.PAIR)
	if err != nil {
		return nil, fmt.Errorf("opening a ZeroMQ PAIR socket: %w", err)
	}
	c := &Connection{watched: socket, events: events}
	if err = events.SetLinger(0); err == nil {
		err = events.Connect(endpoint)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("reading the events of a ZeroMQ socket: %w", err)
	}
	return c, nil
}

// Socket becomes readable when something happened, for a Poller.
func (c *Connection) Socket() *zmq.Socket {
	return c.events
}

// Update takes in what happened.
func (c *Connection) Update() {
	for {
		event, _, _, err := c.events.RecvEvent(zmq.DONTWAIT)
		if err != nil {
			return
		}
		switch event {
		case zmq.EVENT_HANDSHAKE_SUCCEEDED:
			c.Up, c.abandoned = true, time.Time{}
		case zmq.EVENT_DISCONNECTED:
			if c.Up {
				c.Disconnects++
			}
			c.Up, c.abandoned = false, time.Now()
		case zmq.EVENT_CONNECT_RETRIED: // follows at once where ZeroMQ tries again
			c.abandoned = time.Time{}
		}
	}
}

// Abandoned reports whether the connection was lost and ZeroMQ does not seem to try again.
func (c *Connection) Abandoned() bool {
	return !c.abandoned.IsZero()
}

// Reconnect connects anew if ZeroMQ has given up and everything that came before was received. It gives up
// for good when the peer breaks the protocol, and a message over the size limit is nothing else to it.
func (c *Connection) Reconnect(endpoint string) error {
	if c.abandoned.IsZero() || time.Since(c.abandoned) < reconnectInterval {
		return nil
	}
	// A connection that is taken down with messages still waiting can vanish between two frames of one, and
	// then ZeroMQ ends the process ("Assertion failed: !_more").
	events, err := c.watched.GetEvents()
	if err != nil && !Again(err) {
		return fmt.Errorf("asking a ZeroMQ socket what it holds: %w", err)
	}
	if err != nil || events&zmq.POLLIN != 0 {
		return nil
	}
	c.abandoned = time.Time{}
	_ = c.watched.Disconnect(endpoint) // what is left of the former connection, if anything
	return Connect(c.watched, endpoint)
}

// Close stops watching. It must come before the watched socket is closed.
func (c *Connection) Close() {
	_ = c.watched.Monitor("", 0) // unregistering cannot fail on an open socket
	_ = c.events.Close()
}
