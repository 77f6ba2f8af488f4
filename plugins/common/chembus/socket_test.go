package chembus

import (
	"bytes"
	"context"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

const (
	// patience is what a condition gets on a machine that is busy with something else.
	patience = 30 * time.Second
	poll     = time.Millisecond
)

func startBus(t *testing.T) *colony.Bus {
	t.Helper()
	bus, err := colony.NewBus(colony.BusConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, bus.Close()) })
	return bus
}

func newContext(t *testing.T) *zmq.Context {
	t.Helper()
	ctx, err := zmq.NewContext()
	require.NoError(t, err)
	// Hangs if a socket has been left open.
	t.Cleanup(func() { require.NoError(t, ctx.Term()) })
	return ctx
}

func newSubscriber(t *testing.T, ctx *zmq.Context, endpoint string, maxMessageSize int64, topics ...string) *zmq.Socket {
	t.Helper()
	socket, err := NewSubscriber(ctx, maxMessageSize, topics...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, socket.Close()) })
	require.NoError(t, Connect(socket, endpoint))
	return socket
}

// connectPublisher returns a publisher whose messages a subscriber to the topic, the only one, will get.
func connectPublisher(t *testing.T, bus *colony.Bus, topic string) *colony.Publisher {
	t.Helper()
	p, err := colony.NewPublisher(bus.XSub())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, p.WaitSubscribed(ctx, topic))
	return p
}

func receive(t *testing.T, socket *zmq.Socket) (topic, payload []byte, frames int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		poller := zmq.NewPoller()
		poller.Add(socket, zmq.POLLIN)
		_, err := poller.Poll(time.Until(deadline))
		require.NoError(t, err)
		topic, payload, frames, err := ReceiveMessage(socket)
		if err == nil {
			return topic, payload, frames
		}
		require.True(t, Again(err), "%v", err)
		require.True(t, time.Now().Before(deadline), "nothing received")
	}
}

func TestReceiveMessageCountsAllFramesAndKeepsTwo(t *testing.T) {
	bus := startBus(t)
	socket := newSubscriber(t, newContext(t), bus.XPub(), 1<<20, "S")
	_, _, frames, err := ReceiveMessage(socket)
	require.True(t, Again(err), "nothing waits: %v", err)
	require.Zero(t, frames)
	require.False(t, Terminated(err))

	p := connectPublisher(t, bus, "S")
	for _, message := range [][][]byte{
		{[]byte("S")},
		{[]byte("S"), []byte("payload")},
		{[]byte("S"), []byte("payload"), []byte("more"), {}, []byte("still more")},
		{[]byte("S"), {}},
	} {
		require.NoError(t, p.Send(message...))
		topic, payload, frames := receive(t, socket)
		require.Equal(t, "S", string(topic))
		require.Len(t, message, frames)
		if frames > 1 {
			require.Equal(t, string(message[1]), string(payload))
		} else {
			require.Nil(t, payload)
		}
	}
}

func TestPublisherReachesTheBus(t *testing.T) {
	bus := startBus(t)
	ctx := newContext(t)
	socket, err := NewPublisher(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, socket.Close()) })
	require.NoError(t, Connect(socket, bus.XSub()))
	sub := newSubscriber(t, ctx, bus.XPub(), 1000, "S")

	subscriptions := NewSubscriptions("S")
	covered := func(expected bool) func() bool {
		return func() bool {
			require.NoError(t, ReceiveSubscriptions(socket, subscriptions))
			return subscriptions.Covers("S") == expected
		}
	}
	require.Eventually(t, covered(true), patience, poll)
	require.NoError(t, Publish(socket, "S", []byte("payload")))
	topic, payload, frames := receive(t, sub)
	require.Equal(t, []any{"S", "payload", 2}, []any{string(topic), string(payload), frames})

	// While the bus is away nobody is believed to listen, and nothing is kept for later.
	require.NoError(t, bus.Kill())
	require.Eventually(t, covered(false), patience, poll)
	require.NoError(t, Publish(socket, "S", []byte("into the void")))
	require.NoError(t, bus.Restart())
	require.Eventually(t, func() bool {
		_, _, _, err := ReceiveMessage(sub) // a socket subscribes again only while it is used
		require.True(t, Again(err), "%v", err)
		return covered(true)()
	}, patience, poll)
	require.NoError(t, Publish(socket, "S", []byte("again")))
	_, payload, _ = receive(t, sub)
	require.Equal(t, "again", string(payload))
}

func TestPublishToAFullBusIsAnErrorAndSendsNothing(t *testing.T) {
	bus := startBus(t)
	ctx := newContext(t)
	socket, err := NewPublisher(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, socket.Close()) })
	require.NoError(t, Connect(socket, bus.XSub()))
	sub := newSubscriber(t, ctx, bus.XPub(), 1<<20, "S")
	subscriptions := NewSubscriptions("S")
	require.Eventually(t, func() bool {
		require.NoError(t, ReceiveSubscriptions(socket, subscriptions))
		return subscriptions.Covers("S")
	}, patience, poll)

	require.NoError(t, bus.Pause())
	sent := 0
	payload := bytes.Repeat([]byte("x"), 10_000)
	require.Eventually(t, func() bool {
		for err == nil {
			if err = Publish(socket, "S", payload); err == nil {
				sent++
			}
		}
		return Again(err)
	}, patience, poll)
	require.GreaterOrEqual(t, sent, highWaterMark)
	require.NoError(t, bus.Resume())
	// The bus drops part of such a burst; what comes is whole, and afterwards it takes messages again.
	require.Eventually(t, func() bool {
		if err := Publish(socket, "S", []byte("again")); err != nil {
			require.True(t, Again(err), "%v", err)
		}
		_, received, frames, err := ReceiveMessage(sub)
		if Again(err) {
			return false
		}
		require.NoError(t, err)
		require.Equal(t, 2, frames)
		if string(received) == "again" {
			return true
		}
		require.Len(t, received, len(payload))
		return false
	}, patience, poll)
}

// localhost often has the addresses ::1 and 127.0.0.1; the bus is bound to the latter.
func TestConnectByName(t *testing.T) {
	bus := startBus(t)
	ctx := newContext(t)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(bus.XPub(), "tcp://"))
	require.NoError(t, err)
	socket := newSubscriber(t, ctx, "tcp://localhost:"+port, 1000, "S")
	p := connectPublisher(t, bus, "S")
	require.NoError(t, p.Send([]byte("S"), []byte("payload")))
	receive(t, socket)

	for endpoint, expected := range map[string]bool{
		"tcp://localhost:" + port: false,
		"tcp://127.0.0.1:" + port: false,
		"tcp://[::1]:" + port:     true,
	} {
		socket := newSubscriber(t, ctx, endpoint, 1000, "S")
		ipv6, err := socket.GetIpv6()
		require.NoError(t, err)
		require.Equal(t, expected, ipv6, endpoint)
	}
}

func TestConnectToNonsense(t *testing.T) {
	socket, err := NewSubscriber(newContext(t), 1000)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, socket.Close()) })
	require.ErrorContains(t, Connect(socket, "tcp://nonsense"), `connecting to "tcp://nonsense"`)
}

func TestNoSocketLeft(t *testing.T) {
	ctx := newContext(t)
	require.NoError(t, ctx.SetMaxSockets(1))
	first, err := NewPublisher(ctx)
	require.NoError(t, err)
	_, err = NewPublisher(ctx)
	require.ErrorIs(t, err, zmq.Errno(syscall.EMFILE))
	_, err = NewSubscriber(ctx, 1000)
	require.ErrorContains(t, err, "opening a ZeroMQ SUB socket")
	require.NoError(t, first.Close())
}

func TestReceiveFromATerminatedContext(t *testing.T) {
	ctx, err := zmq.NewContext()
	require.NoError(t, err)
	socket, err := NewSubscriber(ctx, 1000)
	require.NoError(t, err)
	terminated := make(chan error)
	go func() { terminated <- ctx.Term() }()
	require.Eventually(t, func() bool {
		_, _, _, err = ReceiveMessage(socket)
		return Terminated(err)
	}, patience, poll)
	require.False(t, Again(err))
	require.NoError(t, socket.Close())
	require.NoError(t, <-terminated)
}

func TestNoErrorIsNeitherAgainNorTerminated(t *testing.T) {
	require.False(t, Again(nil))
	require.False(t, Terminated(nil))
}
