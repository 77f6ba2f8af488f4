package chembus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// stepper is a plugin whose publisher goes step by step, so that the test knows what it knows.
type stepper struct {
	*ChemBus
	publisher *publisher
}

func newStepper(t *testing.T, endpoint string) *stepper {
	t.Helper()
	return newStepperOf(t, endpoint, func(*ChemBus) {})
}

// newStepperOf also sets options.
func newStepperOf(t *testing.T, endpoint string, configure func(*ChemBus)) *stepper {
	t.Helper()
	c, _ := standard()
	c.at(t, endpoint)
	configure(c)
	require.NoError(t, c.Init())
	p := c.publisher
	require.NoError(t, c.loop.Init())
	s := &stepper{ChemBus: c, publisher: p}
	require.NoError(t, p.Open())
	t.Cleanup(func() {
		c.loop.Start(closing{p}, func(error) {})
		done := make(chan error, 1)
		go func() {
			done <- c.loop.Stop(nil)
		}()
		returns(t, "Closing the context", done)
	})
	return s
}

// closing is a publisher in a loop that only closes it: first its connections, then their context, for which there is
// little time.
type closing struct{ *publisher }

func (closing) Open() error { return nil }

func (c closing) Step() error { return c.plugin.loop.Poll(patience) }

// until steps until the condition holds.
func (s *stepper) until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	watch := time.AfterFunc(patience, func() { panic("waiting in vain: " + what) })
	defer watch.Stop()
	for !condition() {
		// A step waits for something to happen, and after the last one nothing does.
		time.AfterFunc(time.Millisecond, s.loop.Wake)
		require.NoError(t, s.publisher.Step())
	}
}

func (s *stepper) listened() bool {
	return !s.publisher.listenedSince.IsZero()
}

// TestGapOfWhileTheBusIsAwayIsKept has the bus die and come back: to a subscriber that was there before
// goes exactly once what was found meanwhile.
func TestGapOfWhileTheBusIsAwayIsKept(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	s := newStepper(t, b.XSub())
	s.until(t, "the subscriber shows", s.listened)
	for _, incident := range []string{"first", "second"} {
		require.NoError(t, b.Kill())
		s.until(t, "the bus is seen to be away", func() bool { return !s.listened() })
		require.NoError(t, s.Write([]telegraf.Metric{gapMetric(incident, nil)}))
		_, err := s.publisher.sendAndSave(time.Now())
		require.NoError(t, err)
		require.Equal(t, 1, s.pending(), "sent to nobody")
		require.NoError(t, b.Restart())
		s.until(t, "the gap is published", func() bool { return s.pending() == 0 })
		received(t, c, incident)
	}
	require.Equal(t, []string{"first", "second"}, received(t, c, "second"))
}

// TestGapWaitsAfterTheLastSubscriberLeft has a subscriber go: nothing is sent to nobody.
func TestGapWaitsAfterTheLastSubscriberLeft(t *testing.T) {
	b := startBus(t)
	s := newStepper(t, b.XSub())
	first := listen(t, b)
	s.until(t, "the subscriber shows", s.listened)
	require.NoError(t, first.Close())
	s.until(t, "the subscriber is seen to leave", func() bool { return !s.listened() })
	require.NoError(t, s.Write([]telegraf.Metric{gapMetric("a", nil)}))
	second := listen(t, b)
	s.until(t, "the gap is published", func() bool { return s.pending() == 0 })
	require.Equal(t, []string{"a"}, received(t, second, "a"))
	require.Empty(t, first.Received())
}

// TestLostAckIsNotAwaited has the bus die between a gap and its probe: the gap is sent again when there is a bus, and
// not only when the ack is overdue.
func TestLostAckIsNotAwaited(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	s := newStepper(t, b.XSub())
	s.outbox.ackTimeout = forever
	s.until(t, "the subscriber shows", s.listened)
	require.NoError(t, b.Pause())
	require.NoError(t, s.Write([]telegraf.Metric{gapMetric("a", nil)}))
	s.until(t, "the gap is sent", func() bool { return s.counted().Published == 1 })
	require.NoError(t, b.Kill())
	require.NoError(t, b.Restart())
	s.until(t, "the gap is published", func() bool { return s.pending() == 0 })
	received(t, c, "a")
	require.EqualValues(t, 1, s.counted().Repeated)
}

// fullPipe returns a bus that stands still and a plugin from which ZeroMQ takes no more.
func fullPipe(t *testing.T) (*colony.Bus, *stepper) {
	t.Helper()
	b := startBus(t)
	// Subscribed to by a prefix the topic is none of the consumer's: it drops the flood unread.
	c, err := consumer.New(consumer.Config{XPub: b.XPub(), Topic: topic[:3]})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	s := newStepper(t, b.XSub())
	s.until(t, "the subscriber shows, and others could be heard", func() bool {
		return s.listened() && s.publisher.peers.present
	})
	require.NoError(t, b.Pause())
	require.NoError(t, s.Write(flood()))
	wait, err := s.publisher.sendAndSave(time.Now().Add(settle))
	require.NoError(t, err)
	require.Equal(t, tick, wait)
	require.Less(t, s.counted().Published, uint64(floodSize))
	return b, s
}

// Gaps that nobody listens to would keep the publisher awake for as long.
func TestGapsWithoutAConsumerDoNotKeepAwake(t *testing.T) {
	s := newStepper(t, startBus(t).XSub())
	require.NoError(t, s.Write(flood()))
	wait, err := s.publisher.sendAndSave(time.Now())
	require.NoError(t, err)
	require.Equal(t, idleTick, wait)
}

func TestFullPipe(t *testing.T) {
	b, s := fullPipe(t)
	require.NoError(t, b.Resume())
	s.until(t, "all are published", func() bool { return s.pending() == 0 })
}

// TestLingerEnds closes the socket when its deadline is just over, or not yet: the context can be closed.
func TestLingerEnds(t *testing.T) {
	for _, linger := range []time.Duration{-time.Millisecond, 0, 10 * time.Millisecond} {
		t.Run(linger.String(), func(t *testing.T) {
			_, s := fullPipe(t)
			s.deadline = time.Now().Add(linger)
		})
	}
}
