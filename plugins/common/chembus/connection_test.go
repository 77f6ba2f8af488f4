package chembus

import (
	"bytes"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"
)

// watchedSubscriber is one that takes up to 1000 bytes, not connected yet.
func watchedSubscriber(t *testing.T) (*zmq.Socket, *Connection) {
	t.Helper()
	ctx := newContext(t)
	socket, err := NewSubscriber(ctx, 1000, "S")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, socket.Close()) })
	c, err := WatchConnection(ctx, socket)
	require.NoError(t, err)
	t.Cleanup(c.Close) // before the socket's, as it must
	return socket, c
}

func TestConnectionSeesTheBusComeAndGo(t *testing.T) {
	bus := startBus(t)
	require.NoError(t, bus.Kill())
	socket, c := watchedSubscriber(t)
	require.NoError(t, Connect(socket, bus.XPub()))
	becomes := func(up bool) func() bool {
		return func() bool {
			c.Update()
			return c.Up == up
		}
	}

	for range 3 {
		require.NoError(t, bus.Restart())
		require.Eventually(t, becomes(true), patience, poll)
		before := c.Disconnects
		require.NoError(t, bus.Kill())
		require.Eventually(t, becomes(false), patience, poll)
		require.Greater(t, c.Disconnects, before)
	}
}

func TestFailedAttemptsAreNoDisconnects(t *testing.T) {
	// A port at which nobody listens.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	socket, c := watchedSubscriber(t)
	require.NoError(t, Connect(socket, "tcp://"+listener.Addr().String()))
	poller := zmq.NewPoller()
	poller.Add(c.Socket(), zmq.POLLIN)
	for attempts := 0; attempts < 2; attempts++ {
		events, err := poller.Poll(patience)
		require.NoError(t, err)
		require.NotEmpty(t, events, "no attempt")
		c.Update()
		require.False(t, c.Up)
		require.Zero(t, c.Disconnects)
	}
}

// A bus whose host is gone without a word, as behind a cable that was cut, is given up and found again. TCP alone
// takes it for quiet.
func TestConnectionToAHostThatIsGone(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	way := newWay(t, strings.TrimPrefix(bus.XPub(), "tcp://"))
	socket, c := watchedSubscriber(t)
	require.NoError(t, Connect(socket, "tcp://"+way.Addr().String()))
	becomes := func(up bool) func() bool {
		return func() bool {
			c.Update()
			return c.Up == up
		}
	}
	require.Eventually(t, becomes(true), patience, poll)
	way.Cut()
	require.Eventually(t, becomes(false), patience+zmtpHeartbeatInterval+zmtpHeartbeatTimeout, poll)
	way.Mend()
	require.Eventually(t, becomes(true), patience, poll)
}

// way is what lies between two hosts. While it is cut nothing gets through, and nobody is told.
type way struct {
	net.Listener
	open atomic.Bool
}

func newWay(t *testing.T, to string) *way {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &way{Listener: listener}
	w.open.Store(true)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			if !w.open.Load() {
				_ = near.Close()
				continue
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			go w.carry(near, far)
			go w.carry(far, near)
		}
	}()
	return w
}

// carry carries bytes until the way is cut; then it swallows them.
func (w *way) carry(from, to net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			_ = to.Close()
			return
		}
		if w.open.Load() {
			_, _ = to.Write(buffer[:n])
		}
	}
}

func (w *way) Cut()  { w.open.Store(false) }
func (w *way) Mend() { w.open.Store(true) }

// ZeroMQ itself never connects again after such a message.
func TestConnectionSurvivesAMessageOverTheLimit(t *testing.T) {
	bus := startBus(t)
	socket, c := watchedSubscriber(t)
	require.NoError(t, c.Reconnect(bus.XPub()), "nothing to do")
	require.NoError(t, Connect(socket, bus.XPub()))
	p := connectPublisher(t, bus, "S")

	for n := range uint64(3) {
		require.NoError(t, p.Send([]byte("S"), bytes.Repeat([]byte("x"), 1001)))
		require.Eventually(t, func() bool {
			c.Update()
			return c.Disconnects == n+1
		}, patience, poll)
		require.False(t, c.Up)
		require.Eventually(t, func() bool {
			require.NoError(t, c.Reconnect(bus.XPub()))
			// What is sent before the bus knows the new subscription is lost.
			require.NoError(t, p.Send([]byte("S"), []byte("small")))
			c.Update()
			_, payload, _, err := ReceiveMessage(socket)
			return err == nil && string(payload) == "small" && c.Up
		}, patience, poll)
	}
}

// TestReconnectTakesNothingApart asks for a new connection all the while that what came by the former one is
// received. Without care ZeroMQ ends the process.
func TestReconnectTakesNothingApart(t *testing.T) {
	bus := startBus(t)
	socket, c := watchedSubscriber(t)
	require.NoError(t, Connect(socket, bus.XPub()))
	p := connectPublisher(t, bus, "S")
	const messages = 500
	for range messages {
		require.NoError(t, p.Send([]byte("S"), []byte("waits")))
	}
	require.NoError(t, p.Send([]byte("S"), bytes.Repeat([]byte("x"), 1001)))
	require.Eventually(t, func() bool {
		c.Update()
		return c.Disconnects == 1
	}, patience, poll)
	for lost := time.Now(); time.Since(lost) < 2*reconnectInterval; {
		require.NoError(t, c.Reconnect(bus.XPub()))
	}
	for range messages {
		_, payload, frames, err := ReceiveMessage(socket)
		require.NoError(t, err)
		require.Equal(t, "waits", string(payload))
		require.Equal(t, 2, frames)
	}
	require.Eventually(t, func() bool {
		_, _, _, err := ReceiveMessage(socket)
		require.True(t, Again(err))
		c.Update()
		require.NoError(t, c.Reconnect(bus.XPub()))
		return c.Up
	}, patience, poll)
}

func TestWatchConnectionWithoutASocketLeft(t *testing.T) {
	// The monitored end is a socket, too.
	for sockets := 1; sockets <= 2; sockets++ {
		ctx := newContext(t)
		require.NoError(t, ctx.SetMaxSockets(sockets))
		socket, err := NewSubscriber(ctx, 1000)
		require.NoError(t, err)
		_, err = WatchConnection(ctx, socket)
		require.Error(t, err, "of %d sockets", sockets)
		require.NoError(t, socket.Close())
	}
}
