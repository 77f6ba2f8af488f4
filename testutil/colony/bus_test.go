package colony_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// patience is how long a test waits for a condition; a busy machine may be slow.
const patience = 2 * time.Minute

func startBus(t testing.TB) *colony.Bus {
	t.Helper()
	bus, err := colony.NewBus(colony.BusConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, bus.Close()) })
	return bus
}

func connect(t testing.TB, bus *colony.Bus) *colony.Publisher {
	t.Helper()
	p, err := colony.NewPublisher(bus.XSub())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func listen(t testing.TB, bus *colony.Bus, topic string) *consumer.Consumer {
	t.Helper()
	c, err := consumer.New(consumer.Config{XPub: bus.XPub(), Topic: topic})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// numbered returns the payload of the n-th message of a test.
func numbered(n int) []byte { return fmt.Appendf(nil, `{"signal":"S","ts":%d}`, n) }

func atLeast(n int) func([]consumer.Message) bool {
	return func(received []consumer.Message) bool { return len(received) >= n }
}

func TestBusForwardsAllFrames(t *testing.T) {
	bus := startBus(t)
	ctx, err := zmq.NewContext()
	require.NoError(t, err)
	sub, err := ctx.NewSocket(zmq.SUB)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, sub.Close())
		require.NoError(t, ctx.Term())
	})
	require.NoError(t, sub.SetLinger(0))
	require.NoError(t, sub.SetRcvtimeo(patience))
	require.NoError(t, sub.SetSubscribe("S"))
	require.NoError(t, sub.Connect(bus.XPub()))
	p := connect(t, bus)
	require.NoError(t, p.WaitSubscribed(limit(t), "S"))

	messages := [][][]byte{
		{[]byte("S"), []byte("payload")},
		{[]byte("S")},
		{[]byte("S"), {}, []byte("\x00\xff"), {}},
		{[]byte("SX"), make([]byte, 1<<20)},
	}
	for _, m := range messages {
		require.NoError(t, p.Send(m...))
	}
	for _, want := range messages {
		got, err := sub.RecvMessageBytes(0)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestPauseQueuesBothWays(t *testing.T) {
	bus := startBus(t)
	c := listen(t, bus, "S")
	p := connect(t, bus)
	require.NoError(t, p.WaitSubscribed(limit(t), "S"))

	require.NoError(t, bus.Pause())
	listen(t, bus, "LATER")
	const queued = 500
	for n := range queued {
		require.NoError(t, p.Send([]byte("S"), numbered(n)))
	}
	// While the bus is paused this times out however slow the machine is.
	short, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.WaitSubscribed(short, "LATER"), context.DeadlineExceeded)
	require.Empty(t, c.Received())

	resumed := time.Now()
	require.NoError(t, bus.Resume())
	require.NoError(t, c.Wait(limit(t), atLeast(queued)))
	for n, m := range c.Received() {
		require.Equal(t, numbered(n), m.Payload)
		require.False(t, m.Received.Before(resumed))
	}
	require.NoError(t, p.WaitSubscribed(limit(t), "LATER"))
}

func TestSubscriberRecoversFromRestart(t *testing.T) {
	bus := startBus(t)
	c := listen(t, bus, "S")
	p := connect(t, bus)
	xsub, xpub := bus.XSub(), bus.XPub()
	for life := range 3 {
		require.NoError(t, p.WaitSubscribed(limit(t), "S"))
		require.NoError(t, p.Send([]byte("S"), numbered(life)))
		require.NoError(t, c.Wait(limit(t), atLeast(life+1)))

		require.NoError(t, bus.Kill())
		require.Eventually(t, func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			return p.WaitSubscribed(ctx, "S") != nil
		}, patience, time.Millisecond, "the publisher loses its subscriptions with the connection")
		require.NoError(t, bus.Restart())
		require.Equal(t, xsub, bus.XSub())
		require.Equal(t, xpub, bus.XPub())
	}
}

func TestRestartWaitsForThePort(t *testing.T) {
	bus := startBus(t)
	c := listen(t, bus, "S")
	require.NoError(t, bus.Kill())
	var squatter net.Listener
	require.Eventually(t, func() bool {
		var err error
		squatter, err = net.Listen("tcp", strings.TrimPrefix(bus.XPub(), "tcp://"))
		return err == nil
	}, patience, time.Millisecond)

	restarted := make(chan error, 1)
	go func() { restarted <- bus.Restart() }()
	select {
	case err := <-restarted:
		t.Fatalf("restarted on a busy port: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	require.NoError(t, squatter.Close())
	require.NoError(t, <-restarted)
	p := connect(t, bus)
	require.NoError(t, p.WaitSubscribed(limit(t), "S"))
	require.NoError(t, p.Send([]byte("S"), numbered(0)))
	require.NoError(t, c.Wait(limit(t), atLeast(1)))
}

func TestBusCommandsInTheWrongState(t *testing.T) {
	bus, err := colony.NewBus(colony.BusConfig{})
	require.NoError(t, err)
	require.ErrorContains(t, bus.Restart(), "it is running")
	require.NoError(t, bus.Resume())
	require.NoError(t, bus.Kill())
	require.ErrorContains(t, bus.Kill(), "already killed")
	require.ErrorContains(t, bus.Pause(), "restart it first")
	require.NoError(t, bus.Close())
	require.NoError(t, bus.Close())
	require.ErrorContains(t, bus.Pause(), "closed")
}

func TestPortInUse(t *testing.T) {
	bus := startBus(t)
	_, err := colony.NewBus(colony.BusConfig{XSub: bus.XSub()})
	require.ErrorIs(t, err, zmq.EADDRINUSE)
	require.ErrorContains(t, err, bus.XSub())
}

// BenchmarkBus measures the throughput of a bus.
func BenchmarkBus(b *testing.B) {
	bus := startBus(b)
	ctx, err := zmq.NewContext()
	require.NoError(b, err)
	sub, err := ctx.NewSocket(zmq.SUB)
	require.NoError(b, err)
	require.NoError(b, sub.SetLinger(0))
	require.NoError(b, sub.SetSubscribe(colony.Topic))
	require.NoError(b, sub.Connect(bus.XPub()))
	p := connect(b, bus)
	require.NoError(b, p.WaitSubscribed(limit(b), colony.Topic))

	flooding, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := colony.Flood(flooding, p, colony.FloodConfig{Names: 1000})
		ended <- err
	}()
	for b.Loop() {
		_, err := sub.RecvMessageBytes(0)
		require.NoError(b, err)
	}
	stop()
	require.NoError(b, <-ended)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	require.NoError(b, sub.Close())
	require.NoError(b, ctx.Term())
}

// TestOnForward reads the forwarded messages without a subscription, also after a restart of the bus.
func TestOnForward(t *testing.T) {
	limited := limit(t)
	seen := make(chan string, 10_000)
	bus, err := colony.NewBus(colony.BusConfig{OnForward: func(frames [][]byte) {
		seen <- fmt.Sprintf("%q", frames)
	}})
	require.NoError(t, err)
	p := connect(t, bus)
	c := listen(t, bus, "S")
	require.NoError(t, p.WaitSubscribed(limit(t), "S"))
	require.NoError(t, p.Send([]byte("other"), []byte("{}")))
	for n := range 3 {
		require.NoError(t, p.Send([]byte("S"), numbered(n)))
	}
	require.NoError(t, c.Wait(limit(t), atLeast(3)))
	require.NoError(t, bus.Kill())
	require.NoError(t, bus.Restart())
	for len(c.Received()) < 4 { // until publisher and consumer are connected again
		require.NoError(t, limited.Err())
		require.NoError(t, p.Send([]byte("S"), numbered(3)))
		<-time.After(10 * time.Millisecond)
	}
	require.NoError(t, bus.Close())
	close(seen)
	var all []string
	for frames := range seen {
		all = append(all, frames)
	}
	require.GreaterOrEqual(t, len(all), 4)
	for n, frames := range all { // no subscriptions, and no messages without a subscriber
		require.Equal(t, fmt.Sprintf("%q", [][]byte{[]byte("S"), numbered(min(n, 3))}), frames)
	}
}
