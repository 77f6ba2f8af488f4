package chembus

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// twoVoices returns two on a bus that know each other, and a consumer that has heard one gap of them.
func twoVoices(t *testing.T) (*colony.Bus, *consumer.Consumer, []*voice) {
	t.Helper()
	b := startBus(t)
	c := listen(t, b)
	voices := []*voice{connect(t, b.XSub()), connect(t, b.XSub())}
	findBoth(t, voices, "both", 0)
	return b, c, voices
}

// findBoth has all voices find a silence at the same moment, each under an id of its own and with another last beat.
func findBoth(t *testing.T, voices []*voice, zooid string, apart float64) {
	t.Helper()
	var wg sync.WaitGroup
	for n, v := range voices {
		wg.Go(func() {
			_ = v.Write([]telegraf.Metric{gapMetric(fmt.Sprintf("%s of %d", zooid, n), map[string]any{
				"zooid": zooid, "last_seen": 1795446800.0 + apart*float64(n),
			})})
		})
	}
	wg.Wait()
	for _, v := range voices {
		require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond)
	}
}

// toldOnce requires that consumers were told of everything once, the last of which is of the given zooid.
func toldOnce(t *testing.T, c *consumer.Consumer, speaker *voice, gaps int) {
	t.Helper()
	speaker.write(t, gapMetric("last", map[string]any{"zooid": "last"}))
	received(t, c, "last")
	told := make(map[string]int)
	for _, m := range c.Received() {
		told[m.Facts["zooid"].(string)]++
	}
	require.Len(t, told, gaps+1)
	require.Len(t, c.Received(), gaps+1, "%v", told)
}

// TestTwoVoicesAtTheSameMoment has two monitors find silences at once.
func TestTwoVoicesAtTheSameMoment(t *testing.T) {
	_, c, voices := twoVoices(t)
	const rounds = 100
	for i := range rounds {
		findBoth(t, voices, fmt.Sprint(i), 1)
	}
	toldOnce(t, c, voices[0], 1+rounds)
}

// TestTwoVoicesAndADeadClaim has both wait for a third one, which claimed the same and never tells.
func TestTwoVoicesAndADeadClaim(t *testing.T) {
	b, c, voices := twoVoices(t)
	dead, err := colony.NewPublisher(b.XSub())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dead.Close()) })
	for _, v := range voices {
		require.Eventually(t, func() bool {
			require.NoError(t, dead.Send([]byte(peerTopicPrefix+topic), []byte(`{"from":"dead","claims":[{"component":"z","incident":"x","until":1}]}`)))
			v.mu.Lock()
			defer v.mu.Unlock()
			return v.outbox.claims.holders.Contains("z")
		}, patience, 10*time.Millisecond)
	}
	findBoth(t, voices, "z", 1)
	toldOnce(t, c, voices[0], 2)
}

// TestConsumerLeavesAfterAClaim has the last consumer go before a claimed gap is told: whoever tells it to the next one
// has to claim it anew.
func TestConsumerLeavesAfterAClaim(t *testing.T) {
	b := startBus(t)
	first := listen(t, b)
	connect(t, b.XSub())
	s := newStepper(t, b.XSub())
	s.until(t, "another monitor is met", func() bool { return s.listened() && len(s.publisher.peers.heard) > 0 })
	require.NoError(t, s.Write([]telegraf.Metric{gapMetric("a", nil)}))
	d, _ := s.outbox.pending.Peek("a")
	s.until(t, "the gap is claimed", func() bool { return d.claimed })
	require.NoError(t, first.Close())
	require.Eventually(t, func() bool {
		require.NoError(t, s.publisher.listen(time.Now())) // and sends nothing
		return !s.listened()
	}, patience, time.Millisecond)
	require.False(t, d.claimed)
	require.Zero(t, d.holds)
	require.Zero(t, d.since)
	second := listen(t, b)
	s.until(t, "the gap is published", func() bool { return s.pending() == 0 })
	received(t, second, "a")
}

// TestNewcomerAwaitsWhatOthersKnow has the other monitor, which has told of a silence already, be slow to say so.
func TestNewcomerAwaitsWhatOthersKnow(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	first := newStepper(t, b.XSub())
	require.NoError(t, first.Write([]telegraf.Metric{gapMetric("first", map[string]any{"zooid": "a"})}))
	first.until(t, "the gap is published", func() bool { return first.pending() == 0 })
	newcomer := newStepper(t, b.XSub())
	require.NoError(t, newcomer.Write([]telegraf.Metric{gapMetric("other id", map[string]any{"zooid": "a"})}))
	newcomer.until(t, "it could publish, and waits", func() bool { return !newcomer.publisher.awaitedSince.IsZero() })
	require.Equal(t, 1, newcomer.pending())
	first.until(t, "the newcomer's question is heard and answered", func() bool { return !first.publisher.peers.answered.IsZero() })
	newcomer.until(t, "the silence is known", func() bool { return newcomer.pending() == 0 })
	require.Equal(t, []string{"first"}, received(t, c, "first"))
	require.EqualValues(t, 1, newcomer.standing().Known)
}

// TestEachGapAwaitsPeersAnew has nothing be pending any more while others are awaited.
func TestEachGapAwaitsPeersAnew(t *testing.T) {
	s := newStepper(t, startBus(t).XSub())
	s.publisher.awaitedSince = time.Now()
	_, err := s.publisher.publish(time.Now())
	require.NoError(t, err)
	require.Zero(t, s.publisher.awaitedSince)
}
