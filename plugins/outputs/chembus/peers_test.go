package chembus

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// peerMonitor is an outbox with peers, which has joined a bus where so many others are.
type peerMonitor struct {
	*outbox
	*peers
}

func newPeerMonitor(t *testing.T, others int) *peerMonitor {
	t.Helper()
	m := &peerMonitor{newTestOutbox(t, 1000), newPeers(0)}
	m.present, m.others = true, others
	m.join(t)
	return m
}

// join has all others answer.
func (m *peerMonitor) join(t *testing.T) {
	t.Helper()
	m.hear(t, now, m.Talk(m.log)...)
	for i := range m.others {
		m.hear(t, now, peerMessage{Monitor: fmt.Sprint("other ", i), Complete: true})
	}
}

// hear takes messages as they come from the bus.
func (m *peerMonitor) hear(t *testing.T, at time.Time, messages ...peerMessage) {
	t.Helper()
	for _, said := range messages {
		payload, err := bus.Message{Signal: "x", Facts: said}.Encode()
		require.NoError(t, err)
		require.Less(t, len(payload), hearSize)
		m.peers.Hear(payload, m.outbox, at)
	}
}

// decide returns what to do with each gap that is due.
func (m *peerMonitor) decide(at time.Time) map[string]action {
	all := make(map[string]action)
	for _, d := range m.Due(at) {
		all[d.Incident] = m.Decide(d, at)
	}
	return all
}

// claim claims all that is due.
func (m *peerMonitor) claim(at time.Time) []peerMessage {
	return m.peers.Claim(m.Due(at), at)
}

// pass lets returned time pass.
func (m *peerMonitor) pass(from time.Time, seconds int) time.Time {
	m.returned.Step(from, longestStep)
	for range seconds {
		from = from.Add(time.Second)
		m.returned.Step(from, longestStep)
	}
	return from
}

func TestAloneNothingIsClaimed(t *testing.T) {
	m := newPeerMonitor(t, 0)
	m.Offer(silenceOf("1", "a", 100, 30))
	require.Equal(t, map[string]action{"1": publish}, m.decide(now))
}

// TestFirstClaimPublishes has two monitors claim the same failure under different ids at the same moment.
func TestFirstClaimPublishes(t *testing.T) {
	first, second := newPeerMonitor(t, 1), newPeerMonitor(t, 1)
	first.Offer(silenceOf("1", "a", 100, 30))
	second.Offer(silenceOf("2", "a", 90, 30))
	require.Equal(t, map[string]action{"1": claimFirst}, first.decide(now))
	require.Equal(t, map[string]action{"2": claimFirst}, second.decide(now))
	both := append(first.claim(now), second.claim(now)...)
	require.Equal(t, map[string]action{"1": wait}, first.decide(now), "it is on its way")
	first.hear(t, now, both...)
	second.hear(t, now, both...)
	require.Equal(t, map[string]action{"1": publish}, first.decide(now))
	require.Equal(t, map[string]action{"2": wait}, second.decide(now))

	// The other one publishes it if the first one does not, after 5 s during which the bus forwards.
	require.Equal(t, map[string]action{"2": wait}, second.decide(now.Add(time.Hour)))
	at := second.pass(now, 4)
	require.Equal(t, map[string]action{"2": wait}, second.decide(at))
	at = second.pass(at, 1)
	require.Equal(t, map[string]action{"2": claimFirst}, second.decide(at))
}

// TestPublishedBeforeIsNotHeldBack has the connection break before the ack: consumers may know that id.
func TestPublishedBeforeIsNotHeldBack(t *testing.T) {
	m, other := newPeerMonitor(t, 1), newPeerMonitor(t, 1)
	m.Offer(silenceOf("1", "a", 100, 30))
	other.Offer(silenceOf("2", "a", 90, 30))
	m.hear(t, now, append(m.claim(now), other.claim(now)...)...)
	require.Equal(t, map[string]action{"1": publish}, m.decide(now))
	send(m.outbox, 1, now)
	m.Lost()
	require.Equal(t, map[string]action{"1": claimFirst}, m.decide(now))
	m.hear(t, now, append(other.claim(now), m.claim(now)...)...)
	require.Equal(t, map[string]action{"1": publish}, m.decide(now))
}

// TestLateClaimIsVoid has a claim come back late, or be used late, or be out of order.
func TestLateClaimIsVoid(t *testing.T) {
	m := newPeerMonitor(t, 1)
	m.Offer(silenceOf("1", "a", 100, 30))
	want := func(v action, at time.Time) {
		t.Helper()
		require.Equal(t, map[string]action{"1": v}, m.decide(at))
	}
	m.decide(now)
	m.hear(t, now.Add(claimRoundTrip), m.claim(now)...)
	want(claimFirst, now)
	m.hear(t, now, m.claim(now)...)
	want(publish, now.Add(claimRoundTrip-1))
	want(claimFirst, now.Add(claimRoundTrip))
	said := m.claim(now)
	m.Missed()
	m.hear(t, now, said...)
	m.join(t)
	want(claimFirst, now)
	said = m.claim(now)
	m.hear(t, now, m.claim(now)...)
	want(publish, now)
	m.Missed()
	m.hear(t, now, said...)
	m.join(t)
	want(claimFirst, now)
}

// TestNothingWaitsForEver has another monitor claim everything all the time.
func TestNothingWaitsForEver(t *testing.T) {
	m, other := newPeerMonitor(t, 1), newPeerMonitor(t, 1)
	m.Offer(silenceOf("1", "a", 100, 30))
	other.Offer(silenceOf("2", "a", 100, 30))
	at := now
	for m.returned.Elapsed < longestWait {
		m.hear(t, at, other.claim(at)...)
		require.Equal(t, map[string]action{"1": wait}, m.decide(at))
		at = m.pass(at, 1)
	}
	require.Equal(t, map[string]action{"1": publish}, m.decide(at))
}

// TestWhatNeedsNoClaim is a gap that says nothing of silence.
func TestWhatNeedsNoClaim(t *testing.T) {
	m := newPeerMonitor(t, 1)
	m.Offer(ofKind("disk_full", silenceOf("foreign", "a", 100, 30)))
	require.Equal(t, map[string]action{"foreign": publish}, m.decide(now))
}

// TestClaimOfAnOutage meets claims of its members: one that comes before it makes all of it wait.
func TestClaimOfAnOutage(t *testing.T) {
	a, b := newPeerMonitor(t, 1), newPeerMonitor(t, 1)
	a.Offer(silenceOf("1", "a", 100, 30))
	b.Offer(massOf("outage", 100, 30, 2, "a", "b"))
	a.decide(now)
	b.decide(now)
	all := append(a.claim(now), b.claim(now)...)
	a.hear(t, now, all...)
	b.hear(t, now, all...)
	require.Equal(t, map[string]action{"1": publish}, a.decide(now))
	require.Equal(t, map[string]action{"outage": wait}, b.decide(now))
	require.Equal(t, map[string]action{"outage": claimFirst}, b.decide(b.pass(now, 5)))
}

// TestLongMessages claims, and sends the log of, so much that it takes several messages, of names that JSON makes long.
func TestLongMessages(t *testing.T) {
	m, other := newPeerMonitor(t, 1), newPeerMonitor(t, 1)
	longest := strings.Repeat("\x01", maxName-10)
	var members []string
	for i := range 150 {
		m.Offer(silenceOf(fmt.Sprint("incident ", i), longest+fmt.Sprint(i), 100, 30))
		members = append(members, fmt.Sprint(longest, "of ", i))
	}
	m.Offer(massOf("outage", 200, 30, 150, members...))
	m.decide(now)
	claims := m.claim(now)
	require.Greater(t, len(claims), 2)
	m.hear(t, now, claims...)
	for _, v := range m.decide(now) {
		require.Equal(t, publish, v)
	}
	publishAll(m.outbox)
	whole := m.wholeLog(m.log)
	require.Greater(t, len(whole), 2)
	other.hear(t, now, whole...)
	require.Equal(t, m.log.silences.Values(), other.log.silences.Values())
}

// TestJoining asks those who are there, and waits for them.
func TestJoining(t *testing.T) {
	p := newPeers(0)
	m := &peerMonitor{newTestOutbox(t, 10), p}
	m.Offer(silenceOf("1", "a", 100, 30))
	want := func(v action) {
		t.Helper()
		require.Equal(t, map[string]action{"1": v}, m.decide(now))
	}
	ask := func() []peerMessage {
		t.Helper()
		said := m.Talk(m.log)
		require.Len(t, said, 1)
		require.True(t, said[0].Ask)
		return said
	}
	m.present, m.others = true, 0
	require.Empty(t, m.Talk(m.log), "nobody is there")
	m.present, m.others = true, 2
	asked := ask()
	want(wait)
	require.Empty(t, m.Talk(m.log), "the bus may stand still")
	m.pass(now, 1)
	ask() // the first may have been lost
	both := []peerMessage{{Monitor: "x", Complete: true}, {Monitor: "y", Complete: true}}
	m.hear(t, now, both...)
	want(wait) // they may have been on their way before this monitor heard
	m.hear(t, now, asked...)
	want(wait)
	m.hear(t, now, both...)
	want(claimFirst)

	m.Missed()
	m.hear(t, now, asked...)
	m.hear(t, now, both...)
	want(wait)
	m.Missed()
	m.hear(t, now, ask()...)
	m.hear(t, now, both[0], peerMessage{Monitor: "y"})
	want(wait)
	m.pass(now.Add(time.Second), 5)
	want(claimFirst)
}

// TestWaitsForThoseWhoWereThere has a monitor come back to the bus before the others.
func TestWaitsForThoseWhoWereThere(t *testing.T) {
	p := newPeers(1)
	m := &peerMonitor{newTestOutbox(t, 10), p}
	m.Offer(silenceOf("1", "a", 100, 30))
	p.Follow(true, 0)
	require.Equal(t, map[string]action{"1": wait}, m.decide(now))
	p.Follow(true, 1)
	m.hear(t, now, p.Talk(m.log)...)
	m.hear(t, now, peerMessage{Monitor: "x", Complete: true})
	require.Equal(t, map[string]action{"1": claimFirst}, m.decide(now))

	m.Missed()
	p.Follow(true, 0)
	require.Equal(t, map[string]action{"1": wait}, m.decide(now))
	m.pass(now, 5)
	require.Equal(t, map[string]action{"1": claimFirst}, m.decide(now), "it has gone for good")
	p.Follow(true, 0)
	require.Equal(t, map[string]action{"1": publish}, m.decide(now))
}

// TestAnswer is given to all who ask.
func TestAnswer(t *testing.T) {
	m := newPeerMonitor(t, 1)
	learn(m.outbox, silence{Component: "a", Incident: "1", Until: 130})
	for range 3 {
		m.hear(t, now, peerMessage{Monitor: "x", Ask: true})
	}
	said := m.Talk(m.log)
	require.Len(t, said, 1)
	require.Equal(t, m.log.silences.Values(), said[0].Log)
	require.True(t, said[0].Complete)
	require.False(t, said[0].Ask)
	require.Empty(t, m.Talk(m.log))
}

func TestMessagesOfNoUse(t *testing.T) {
	m := newPeerMonitor(t, 0)
	for _, payload := range []string{
		"", "{", "null", "[]", `"x"`, `{"facts":{"ask":true}}`, `{"facts":{"monitor":1}}`, `{"facts":{"monitor":"x","log":{}}}`,
		`{"facts":{"monitor":"x","log":[{"until":"x"}]}}`, `{"facts":{"monitor":"x","log":[{"until":1e999}]}}`, strings.Repeat("[", 20_000),
		`{"facts":{"monitor":"x","log":[{"component":"","incident":"1","until":1}],"claims":[{"components":[""]}]}}`,
	} {
		m.peers.Hear([]byte(payload), m.outbox, now)
	}
	require.Zero(t, m.log.silences.Len())
	require.Zero(t, m.claims.Len())
	require.False(t, m.answer)
}

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
	s.until(t, "the other one has answered", func() bool { return p.answers > 0 })
	missed := p.missed
	s.publisher.out.OnLoss()
	s.until(t, "the other one has answered again", func() bool { return p.answers > 0 })
	require.Greater(t, p.missed, missed)
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
