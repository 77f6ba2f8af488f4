package chembus

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// findAll has all outputs find a silence at the same moment, each under an id of its own and with another last beat.
func findAll(t *testing.T, outputs []*connected, zooid string) {
	t.Helper()
	var wg sync.WaitGroup
	for n, v := range outputs {
		wg.Go(func() {
			_ = v.Write([]telegraf.Metric{gapMetric(fmt.Sprintf("%s of %d", zooid, n), map[string]any{
				"zooid": zooid, "last_seen": 1795446800.0 + float64(n),
			})})
		})
	}
	wg.Wait()
	for _, v := range outputs {
		require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond)
	}
}

// TestTwoOutputs has two outputs on a real bus find silences one after the other and at the same moment. Whatever they say is
// a message that a recorder of everything can read.
func TestTwoOutputs(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	recorder, err := consumer.New(consumer.Config{XPub: b.XPub()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, recorder.Close()) })
	c := listen(t, b)
	outputs := []*connected{connect(t, b.XSub())}
	outputs[0].write(t, gapMetric("first", map[string]any{"zooid": "a"}))
	received(t, c, "first")
	require.Eventually(t, func() bool { return outputs[0].pending() == 0 }, patience, time.Millisecond)

	// One that starts later has missed the last beat, and what was published.
	outputs = append(outputs, connect(t, b.XSub()))
	outputs[1].write(t, gapMetric("other id", map[string]any{"zooid": "a", "last_seen": 1795446800.0}))
	require.Eventually(t, func() bool { return outputs[1].counted().Known == 1 }, patience, time.Millisecond)
	const rounds = 50
	for i := range rounds {
		findAll(t, outputs, fmt.Sprint("z", i))
	}
	outputs[1].write(t, gapMetric("last", map[string]any{"zooid": "last"}))
	received(t, c, "last")
	handled := make(map[string]int)
	for _, m := range c.Received() {
		handled[m.Facts["zooid"].(string)]++
	}
	require.Len(t, handled, rounds+2)
	require.Len(t, c.Received(), rounds+2, "%v", handled)
	for _, v := range outputs {
		require.Empty(t, v.warnings())
	}
}

// TestPeersAfterAnOutage has a monitor not hear what the other one publishes.
func TestPeersAfterAnOutage(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	c := listen(t, b)
	s := newStepper(t, b.XSub())
	s.until(t, "the subscriber shows", s.listened)
	first := connect(t, b.XSub())
	for _, zooid := range []string{"a", "b"} {
		require.NoError(t, b.Kill())
		s.until(t, "the bus is seen to be away", func() bool { return !s.listened() })
		require.NoError(t, b.Restart())
		first.write(t, gapMetric("first "+zooid, map[string]any{"zooid": zooid}))
		received(t, c, "first "+zooid)
		require.Eventually(t, func() bool { return first.pending() == 0 }, patience, time.Millisecond)
		require.NoError(t, s.Write([]telegraf.Metric{gapMetric("second "+zooid, map[string]any{"zooid": zooid})}))
		s.until(t, "it is known", func() bool { return s.pending() == 0 })
	}
	require.Len(t, c.Received(), 2)
}

// TestQuestionIsLostWithTheConnection has the connection to publish break, and no other: the others are asked anew.
func TestQuestionIsLostWithTheConnection(t *testing.T) {
	b := startBus(t)
	connect(t, b.XSub())
	s := newStepper(t, b.XSub())
	p := s.publisher.peers
	s.until(t, "the other one has answered", func() bool { return len(p.answers) > 0 })
	asked := p.asked
	s.publisher.out.OnLoss()
	s.until(t, "the other one has answered again", func() bool { return len(p.answers) > 0 })
	require.Greater(t, p.asked, asked)
}

// TestHostilePeer sends what no monitor sends, in all forms and sizes.
func TestHostilePeer(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	v := connect(t, b.XSub())
	v.write(t, gapMetric("before", nil))
	received(t, c, "before")
	hostile, err := colony.NewPublisher(b.XSub())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, hostile.Close()) })
	topic := []byte(peersPrefix + topic)
	for _, frames := range [][][]byte{
		{topic}, {topic, nil}, {topic, nil, nil}, {topic, []byte("{")}, {topic, []byte("\xff")},
		{append(topic, 'x'), []byte(`{"facts":{"monitor":"x","log":[{"component":"of after","incident":"x","until":9e9}]}}`)},
		{topic, []byte(`{"facts":{"monitor":"x","log":[{"component":"of after","incident":"x","until":"9e9"}]}}`)},
		{topic, []byte(strings.Repeat("[", 50_000))},
	} {
		for range 2 * burst {
			require.NoError(t, hostile.Send(frames...))
		}
	}
	for _, payload := range []string{strings.Repeat("[", hearSize-100), strings.Repeat(" ", 2*hearSize)} {
		require.NoError(t, hostile.Send(topic, []byte(payload))) // the second costs the connection
	}
	v.write(t, gapMetric("after", nil))
	require.Equal(t, []string{"before", "after"}, received(t, c, "after"))
	require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond)
	require.Zero(t, v.counted().Known)
}

// TestFloodOfAnotherMonitor keeps the topic of the monitors full: a gap goes out, and is acked.
func TestFloodOfAnotherMonitor(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	v := connect(t, b.XSub())
	hostile, err := colony.NewPublisher(b.XSub())
	require.NoError(t, err)
	stop, stopped := make(chan struct{}), make(chan struct{})
	payloads := [][]byte{
		[]byte(`{"facts":{"monitor":"x","ask":true,"log":[` + strings.Repeat("{},", 15_000) + "{}]}}"),
		[]byte(strings.Repeat(" ", hearSize+1)), // which costs the connection
	}
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				_ = hostile.Send([]byte(peersPrefix+topic), payloads[i%len(payloads)])
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped; require.NoError(t, hostile.Close()) })
	v.write(t, gapMetric("a", nil))
	require.Eventually(t, func() bool { return v.pending() == 0 }, 4*patience, time.Millisecond, "it is acked")
	received(t, c, "a")
}
