package chembus

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

const (
	// patience is what a condition gets on a machine that is busy with something else.
	patience = 2 * time.Minute
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

func newSubscriber(t *testing.T, ctx *zmq.Context, endpoint string, maxMessageSize int64, topics ...string) *Connection {
	t.Helper()
	c, err := NewSubscriber(ctx, endpoint, nil, maxMessageSize, topics...)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close(0) })
	return c
}

func newPublisher(t *testing.T, ctx *zmq.Context, endpoint string, topics ...string) *Connection {
	t.Helper()
	c, err := NewPublisher(ctx, endpoint, nil, topics...)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close(0) })
	return c
}

// connectPublisher returns a publisher whose messages a subscriber to the topic, the only one, will get.
func connectPublisher(t *testing.T, bus *colony.Bus) *colony.Publisher {
	t.Helper()
	p, err := colony.NewPublisher(bus.XSub())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, p.WaitSubscribed(ctx, "S"))
	return p
}

func receive(t *testing.T, c *Connection) (topic, payload []byte, frames int) {
	t.Helper()
	p := newTestPoller(t)
	require.NoError(t, p.Watch(c.socket, c.events))
	for deadline := time.Now().Add(patience); ; {
		require.NoError(t, p.Wait(time.Until(deadline)))
		require.NoError(t, c.Update(time.Now()))
		topic, payload, frames, err := c.Receive()
		if err == nil {
			return topic, payload, frames
		}
		require.True(t, Again(err), "%v", err)
		require.True(t, time.Now().Before(deadline), "nothing received")
	}
}

func TestReceiveCountsAllFramesAndKeepsTwo(t *testing.T) {
	bus := startBus(t)
	c := newSubscriber(t, newContext(t), bus.XPub(), 1<<20, "S")
	_, _, frames, err := c.Receive()
	require.True(t, Again(err), "nothing waits: %v", err)
	require.Zero(t, frames)

	p := connectPublisher(t, bus)
	for _, message := range [][][]byte{
		{[]byte("S")},
		{[]byte("S"), []byte("payload")},
		{[]byte("S"), []byte("payload"), []byte("more"), {}, []byte("still more")},
		{[]byte("S"), {}},
	} {
		require.NoError(t, p.Send(message...))
		topic, payload, frames := receive(t, c)
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
	c := newPublisher(t, ctx, bus.XSub(), "S")
	sub := newSubscriber(t, ctx, bus.XPub(), 1000, "S")

	covered := func(expected bool) func() bool {
		return func() bool {
			require.NoError(t, c.Update(time.Now()))
			return c.Listeners.Covers("S") == expected
		}
	}
	require.Eventually(t, covered(true), patience, poll)
	require.NoError(t, c.Publish("S", []byte("payload")))
	topic, payload, frames := receive(t, sub)
	require.Equal(t, []any{"S", "payload", 2}, []any{string(topic), string(payload), frames})

	// While the bus is away nobody is believed to listen, and nothing is kept for later.
	require.NoError(t, bus.Kill())
	require.Eventually(t, covered(false), patience, poll)
	require.NoError(t, c.Publish("S", []byte("into the void")))
	require.NoError(t, bus.Restart())
	require.Eventually(t, func() bool {
		_, _, _, err := sub.Receive() // a socket subscribes again only while it is used
		require.True(t, Again(err), "%v", err)
		return covered(true)()
	}, patience, poll)
	require.NoError(t, c.Publish("S", []byte("again")))
	_, payload, _ = receive(t, sub)
	require.Equal(t, "again", string(payload))
}

func TestPublishToAFullBusIsAnErrorAndSendsNothing(t *testing.T) {
	bus := startBus(t)
	ctx := newContext(t)
	c := newPublisher(t, ctx, bus.XSub(), "S")
	sub := newSubscriber(t, ctx, bus.XPub(), 1<<20, "S")
	require.Eventually(t, func() bool {
		require.NoError(t, c.Update(time.Now()))
		return c.Listeners.Covers("S")
	}, patience, poll)

	require.NoError(t, bus.Pause())
	var err error
	sent := 0
	payload := bytes.Repeat([]byte("x"), 10_000)
	require.Eventually(t, func() bool {
		for err == nil {
			if err = c.Publish("S", payload); err == nil {
				sent++
			}
		}
		return Again(err)
	}, patience, poll)
	require.GreaterOrEqual(t, sent, highWaterMark)
	require.NoError(t, bus.Resume())
	// The bus drops part of such a burst; what comes is whole, and afterwards it takes messages again.
	require.Eventually(t, func() bool {
		if err := c.Publish("S", []byte("again")); err != nil {
			require.True(t, Again(err), "%v", err)
		}
		_, received, frames, err := sub.Receive()
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
	c := newSubscriber(t, ctx, "tcp://localhost:"+port, 1000, "S")
	p := connectPublisher(t, bus)
	require.NoError(t, p.Send([]byte("S"), []byte("payload")))
	receive(t, c)

	for endpoint, expected := range map[string]bool{
		"tcp://localhost:" + port: false,
		"tcp://127.0.0.1:" + port: false,
		"tcp://[::1]:" + port:     true,
	} {
		ipv6, err := newSubscriber(t, ctx, endpoint, 1000, "S").socket.GetIpv6()
		require.NoError(t, err)
		require.Equal(t, expected, ipv6, endpoint)
	}
}

func TestConnectToNonsense(t *testing.T) {
	_, err := NewSubscriber(newContext(t), "tcp://nonsense", nil, 1000)
	require.ErrorContains(t, err, `connecting to "tcp://nonsense"`)
}

func TestReceiveFromATerminatedContext(t *testing.T) {
	ctx, err := zmq.NewContext()
	require.NoError(t, err)
	c, err := NewSubscriber(ctx, "tcp://127.0.0.1:1", nil, 1000)
	require.NoError(t, err)
	terminated := make(chan error)
	go func() { terminated <- ctx.Term() }()
	require.Eventually(t, func() bool {
		_, _, _, err = c.Receive()
		return !Again(err)
	}, patience, poll)
	require.Equal(t, zmq.ETERM, zmq.AsErrno(err))
	c.Close(0)
	require.NoError(t, <-terminated)
}

func TestNoErrorIsNotAgain(t *testing.T) {
	require.False(t, Again(nil))
}
