package chembus

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// peerMonitor is an outbox with peers, which has joined a bus where so many others are.
type peerMonitor struct {
	*outbox
	*peers
}

func newPeerMonitor(t *testing.T, others int) *peerMonitor {
	t.Helper()
	m := &peerMonitor{newTestOutbox(t, 1000), newPeers()}
	m.present, m.others = true, others
	m.join(t)
	return m
}

// join has all others answer.
func (m *peerMonitor) join(t *testing.T) {
	t.Helper()
	m.hear(t, now, m.Talk(m.outbox, nil, now)...)
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

// turn publishes what may be published, and returns that and what is said to the others.
func (m *peerMonitor) turn(at time.Time) (published []string, said []peerMessage) {
	var waiting []*delivery
	for _, d := range m.Due(at) {
		if !m.Allows(d, at) {
			waiting = append(waiting, d)
			continue
		}
		m.Sent(d, 1, at)
		published = append(published, d.Incident)
	}
	return published, m.Talk(m.outbox, waiting, at)
}

// publishes requires that this is published now.
func (m *peerMonitor) publishes(t *testing.T, at time.Time, incidents ...string) (said []peerMessage) {
	t.Helper()
	published, said := m.turn(at)
	require.Equal(t, incidents, published)
	return said
}

// waits requires that nothing is published or claimed now.
func (m *peerMonitor) waits(t *testing.T, at time.Time) {
	t.Helper()
	require.Empty(t, m.publishes(t, at))
}

// claims requires that these incidents are claimed now.
func (m *peerMonitor) claims(t *testing.T, at time.Time, incidents ...string) []peerMessage {
	t.Helper()
	said := m.publishes(t, at)
	require.Len(t, said, 1)
	require.Equal(t, incidents, said[0].Claims)
	return said
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
	require.Empty(t, m.publishes(t, now, "1"))
}

// twoClaims has two monitors find the same failure under different ids, and claim at the same moment.
func twoClaims(t *testing.T) (first, second *peerMonitor) {
	t.Helper()
	first, second = newPeerMonitor(t, 1), newPeerMonitor(t, 1)
	first.Offer(silenceOf("1", "a", 100, 30))
	second.Offer(silenceOf("2", "a", 90, 30))
	both := append(first.claims(t, now, "1"), second.claims(t, now, "2")...)
	first.waits(t, now) // it is on its way
	first.hear(t, now, both...)
	second.hear(t, now, both...)
	second.waits(t, now)
	return first, second
}

func TestFirstClaimPublishes(t *testing.T) {
	first, second := twoClaims(t)
	done := first.publishes(t, now, "1")
	require.Len(t, done, 1)
	require.True(t, done[0].Done)

	// What the other one still has to publish it claims at once, and so does whoever finds something then.
	first.hear(t, now, done...)
	second.hear(t, now, done...)
	first.Offer(silenceOf("3", "b", 100, 30))
	claims := append(second.claims(t, now, "2"), first.claims(t, now, "3")...)
	first.hear(t, now, claims...)
	second.hear(t, now, claims...)
	second.publishes(t, now, "2")
	first.waits(t, now)
}

// TestClaimOfAMonitorThatDied is not followed by its gap: it is over after 5 s during which the bus forwards.
func TestClaimOfAMonitorThatDied(t *testing.T) {
	_, second := twoClaims(t)
	second.waits(t, now.Add(time.Hour))
	at := second.pass(now, 4)
	second.waits(t, at)
	second.claims(t, second.pass(at, 1), "2")
}

// TestClaimThatIsNotNeeded comes back after others have published the gap: it holds nobody back any longer.
func TestClaimThatIsNotNeeded(t *testing.T) {
	m := newPeerMonitor(t, 1)
	m.Offer(silenceOf("1", "a", 100, 30))
	claim := m.claims(t, now, "1")
	learn(m.outbox, silence{Component: "a", Incident: "theirs", Until: 130})
	m.hear(t, now, claim...)
	done := m.publishes(t, now)
	require.Len(t, done, 1)
	require.True(t, done[0].Done)
	m.waits(t, now)
}

// TestPublishedBeforeIsNotHeldBack has the connection break before the ack: consumers may know that id.
func TestPublishedBeforeIsNotHeldBack(t *testing.T) {
	first, second := twoClaims(t)
	first.publishes(t, now, "1")
	first.Lost()
	first.hear(t, now, append(second.claims(t, second.pass(now, 5), "2"), first.claims(t, now, "1")...)...)
	require.Empty(t, first.publishes(t, now, "1"), "it is not done: the other one was first")
}

// TestPublishedBeforeComesFirst has a monitor join when another one has sent a gap that consumers may know, without an ack.
func TestPublishedBeforeComesFirst(t *testing.T) {
	first, joins := newPeerMonitor(t, 1), newPeerMonitor(t, 1)
	first.Offer(silenceOf("1", "a", 100, 30))
	send(first.outbox, 1, now)
	first.Lost()
	joins.Offer(silenceOf("2", "a", 90, 30))
	joins.Missed()
	question := joins.publishes(t, now)
	first.hear(t, now, question...)
	joins.hear(t, now, question...)
	joins.hear(t, now, first.Talk(first.outbox, nil, now)...)
	joins.waits(t, now)
	claim := first.claims(t, now, "1")
	first.hear(t, now, claim...)
	joins.hear(t, now, claim...)
	joins.hear(t, now, first.publishes(t, now, "1")...)
	joins.claims(t, now, "2")
}

// TestLateClaimIsVoid has a claim come back late, or be used late, or be from before messages of others were missed.
func TestLateClaimIsVoid(t *testing.T) {
	m := newPeerMonitor(t, 1)
	m.Offer(silenceOf("1", "a", 100, 30))
	late := now.Add(claimRoundTrip)
	m.hear(t, late, m.claims(t, now, "1")...)
	m.hear(t, late, m.publishes(t, late)...)
	m.hear(t, late, m.claims(t, late, "1")...)
	m.hear(t, late, m.publishes(t, late.Add(claimRoundTrip))...)
	m.Missed()
	m.join(t)
	said := m.claims(t, now, "1")
	m.Missed()
	m.hear(t, now, said...)
	m.join(t)
	m.hear(t, now, m.claims(t, now, "1")...)
	require.Len(t, m.publishes(t, now.Add(claimRoundTrip-1), "1"), 1)
}

// TestNothingWaitsForEver has another monitor claim all the time.
func TestNothingWaitsForEver(t *testing.T) {
	m := newPeerMonitor(t, 1)
	m.Offer(silenceOf("1", "a", 100, 30))
	at := now
	for m.returned.Elapsed < longestWait {
		m.hear(t, at, peerMessage{Monitor: "x", Claims: []string{"2"}})
		m.waits(t, at)
		at = m.pass(at, 1)
	}
	m.publishes(t, at, "1")
}

// TestWhatNeedsNoClaim is a gap that says nothing of silence.
func TestWhatNeedsNoClaim(t *testing.T) {
	m := newPeerMonitor(t, 1)
	m.Offer(ofKind("disk_full", silenceOf("foreign", "a", 100, 30)))
	require.Empty(t, m.publishes(t, now, "foreign"))
}

// TestLongMessages claims, and sends the log of, so much that it takes several messages, of names that JSON makes long.
func TestLongMessages(t *testing.T) {
	m, other := newPeerMonitor(t, 1), newPeerMonitor(t, 1)
	longest := strings.Repeat("\x01", maxName-10)
	for i := range 150 {
		m.Offer(silenceOf(fmt.Sprint(longest, i), longest+fmt.Sprint(i), 100, 30))
	}
	published, claim := m.turn(now)
	require.Empty(t, published)
	require.Len(t, claim, 1)
	require.Len(t, claim[0].Claims, maxEntries)
	m.hear(t, now, claim...)
	published, _ = m.turn(now)
	require.Len(t, published, 150)
	ack(m.outbox, 1)
	m.answer = true
	whole := m.wholeLog(m.outbox, now)
	require.Greater(t, len(whole), 1)
	other.hear(t, now, whole...)
	require.Equal(t, m.log.silences.Values(), other.log.silences.Values())
}

// TestJoining asks those who are there, and waits for them.
func TestJoining(t *testing.T) {
	m := &peerMonitor{newTestOutbox(t, 10), newPeers()}
	m.Offer(silenceOf("1", "a", 100, 30))
	ask := func() []peerMessage {
		t.Helper()
		said := m.publishes(t, now)
		require.Len(t, said, 1)
		require.True(t, said[0].Ask)
		return said
	}
	m.present, m.others = true, 2
	asked := ask()
	m.waits(t, now)
	both := []peerMessage{{Monitor: "x", Complete: true}, {Monitor: "y", Complete: true}}
	m.hear(t, now, both...)
	m.waits(t, now) // they may have been on their way before this monitor heard
	m.hear(t, now, asked...)
	m.waits(t, now)
	m.hear(t, now, both...)
	m.claims(t, now, "1")

	m.Missed()
	again := ask()
	m.hear(t, now, asked...)
	m.hear(t, now, both...)
	m.waits(t, now)
	m.hear(t, now, again...)
	m.hear(t, now, both[0], peerMessage{Monitor: "y"})
	m.waits(t, now)
	m.claims(t, m.pass(now.Add(time.Second), 5), "1")

	m = &peerMonitor{newTestOutbox(t, 10), newPeers()}
	m.present = true
	m.waits(t, now) // nobody is there
}

// TestWaitsForThoseWhoWereThere has a monitor come back to the bus before the others.
func TestWaitsForThoseWhoWereThere(t *testing.T) {
	m := &peerMonitor{newTestOutbox(t, 10), newPeers()}
	m.before = 1
	m.Offer(silenceOf("1", "a", 100, 30))
	m.Follow(true, 0)
	m.waits(t, now)
	m.Follow(true, 1)
	m.join(t)
	m.claims(t, now, "1")

	m.Missed()
	m.Follow(true, 0)
	m.waits(t, now)
	m.claims(t, m.pass(now, 5), "1") // it has gone for good
	m.Follow(true, 0)
	m.publishes(t, now, "1")
}

// TestAnswer is given to all who ask.
func TestAnswer(t *testing.T) {
	m := newPeerMonitor(t, 1)
	learn(m.outbox, silence{Component: "a", Incident: "1", Until: 130})
	for range 3 {
		m.hear(t, now, peerMessage{Monitor: "x", Ask: true})
	}
	said := m.Talk(m.outbox, nil, now)
	require.Len(t, said, 1)
	require.Equal(t, m.log.silences.Values(), said[0].Log)
	require.True(t, said[0].Complete)
	require.False(t, said[0].Ask)
	m.hear(t, now, peerMessage{Monitor: "x", Ask: true})
	require.Empty(t, m.Talk(m.outbox, nil, now.Add(answerInterval-1)))
	require.Len(t, m.Talk(m.outbox, nil, now.Add(answerInterval)), 1)
	require.Empty(t, m.Talk(m.outbox, nil, now.Add(2*answerInterval)))
}

func TestMessagesOfNoUse(t *testing.T) {
	m := newPeerMonitor(t, 0)
	for _, payload := range []string{
		"", "{", "null", "[]", `"x"`, `{"facts":{"ask":true}}`, `{"facts":{"monitor":1}}`, `{"facts":{"monitor":"x","log":{}}}`,
		`{"facts":{"monitor":"x","log":[{"until":"x"}]}}`, `{"facts":{"monitor":"x","log":[{"until":1e999}]}}`, strings.Repeat("[", 20_000),
		`{"facts":{"monitor":"x","log":[{"component":"","incident":"1","until":1}]}}`, `{"facts":{"monitor":"x","claims":[{}]}}`,
		`{"facts":{"monitor":"","claims":["1"]}}`,
	} {
		require.False(t, m.peers.Hear([]byte(payload), m.outbox, now))
	}
	require.Zero(t, m.log.silences.Len())
	require.Empty(t, m.held)
	require.False(t, m.answer)
}
