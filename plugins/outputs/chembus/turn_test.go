package chembus

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// TestSlowClaimIsOver has the claim of a slow monitor come first: it publishes nothing, and the other one does not wait.
func TestSlowClaimIsOver(t *testing.T) {
	slow, other := twoClaims(t)
	over := slow.publishes(t, now.Add(claimRoundTrip))
	other.hear(t, now, over...)
	other.claims(t, now, "2")
}

// TestLateDone comes when its claim is over, and another monitor has its turn.
func TestLateDone(t *testing.T) {
	m := newPeerMonitor(t, 2)
	m.hear(t, now, peerMessage{Monitor: "x", Claims: []string{"x"}})
	at := m.pass(now, 5)
	m.hear(t, at, peerMessage{Monitor: "y", Claims: []string{"y"}}, peerMessage{Monitor: "x", Done: true})
	m.Offer(silenceOf("1", "a", 100, 30))
	m.waits(t, at)
	m.hear(t, at, peerMessage{Monitor: "y", Done: true})
	m.claims(t, at, "1")
}

// TestDoneEndsWhatCameLater ends a turn, and the claims of those who waited for that, but none of before.
func TestDoneEndsWhatCameLater(t *testing.T) {
	m := newPeerMonitor(t, 2)
	m.Offer(silenceOf("1", "a", 100, 30))
	m.hear(t, now, peerMessage{Monitor: "x", Claims: []string{"x"}}, peerMessage{Monitor: "y", Claims: []string{"y"}})
	m.hear(t, now, peerMessage{Monitor: "stranger", Done: true}, peerMessage{Monitor: "y", Done: true})
	m.waits(t, now)
	m.hear(t, now, peerMessage{Monitor: "y", Claims: []string{"y"}}, peerMessage{Monitor: "x", Done: true})
	m.claims(t, now, "1")
}

// TestPeerDiesInItsTurn has the other monitor be seen to be gone before its gap comes.
func TestPeerDiesInItsTurn(t *testing.T) {
	m := newPeerMonitor(t, 1)
	m.Follow(true, 1)
	m.hear(t, now, peerMessage{Monitor: "x", Claims: []string{"x"}})
	m.Follow(true, 0)
	m.Offer(silenceOf("1", "a", 100, 30))
	m.waits(t, now)
	at := m.pass(now, 5)
	m.Follow(true, 0)
	m.publishes(t, at, "1")
}

// TestTwoAnswersOfOne has one of two other monitors answer twice: it has asked, too. The other one is still on its way.
func TestTwoAnswersOfOne(t *testing.T) {
	m := &peerMonitor{newTestOutbox(t, 10), newPeers()}
	m.present, m.others, m.before = true, 1, 2
	m.Offer(silenceOf("1", "a", 100, 30))
	m.hear(t, now, m.publishes(t, now)...)
	m.hear(t, now, peerMessage{Monitor: "x", Ask: true, Complete: true}, peerMessage{Monitor: "x", Complete: true})
	for _, said := range m.publishes(t, now) {
		require.Empty(t, said.Claims)
	}
	m.hear(t, now, peerMessage{Monitor: "y", Complete: true})
	m.claims(t, now, "1")
}

// TestProbeThatCouldNotBeSent is sent as soon as the bus takes more: gaps that wait for other monitors, or for acks, need it.
func TestProbeThatCouldNotBeSent(t *testing.T) {
	s := newSimulation(t, 1, 2)
	s.run(10 * time.Second)
	m := s.monitors[0]
	send, probes := m.publisher.send, 0
	m.publisher.send = func(message bus.Message) error {
		if message.Signal == m.publisher.topics.probe {
			if probes++; probes%2 == 1 {
				return syscall.EAGAIN
			}
		}
		return send(message)
	}
	s.deliver(simMessage{from: nil, topic: peersPrefix + topic, payload: `{"signal":"telegraf-chembus.peers.CAPABILITY_GAP","facts":{"monitor":"x","claims":["x"]}}`})
	m.write(silenceOf("1", "z", 100, 30))
	s.run(20 * time.Second)
	require.Equal(t, []string{"1"}, s.handled["z"])
	require.Zero(t, m.pending())
	require.Zero(t, m.outbox.counts.Repeated)
}

// TestConsumerComesBackLate has all monitors wait for a consumer, for long.
func TestConsumerComesBackLate(t *testing.T) {
	for seed := range uint64(20) {
		s := newSimulation(t, seed, 3)
		const found = 10 * time.Second
		for i, m := range s.monitors {
			g := silenceOf(fmt.Sprint(i), "z", 100-float64(i), 30)
			s.at(found, func() { m.levels["z"] = g; m.write(s.levelNow(g)) })
		}
		s.at(found+simStep, func() { s.away = s.now.Add(10 * time.Minute) })
		s.run(15 * time.Minute)
		require.Len(t, s.handled["z"], 1, "seed %d", seed)
	}
}

// TestClaimThatIsLost has the bus drop a claim, and no connection break: neither its gap nor those after it wait for a claim
// that never comes back.
func TestClaimThatIsLost(t *testing.T) {
	m := newPeerMonitor(t, 1)
	m.Offer(silenceOf("1", "a", 100, 30))
	lost := m.claims(t, now, "1")
	at := m.pass(now, 4)
	m.waits(t, at)
	at = m.pass(at, 1)
	claim := m.claims(t, at, "1")
	m.hear(t, at, append(lost, claim...)...) // the other one was only late
	m.hear(t, at, m.publishes(t, at, "1")...)
	m.Offer(silenceOf("2", "b", 100, 30))
	m.claims(t, at, "2")
}

// TestStrangerOnTheTopicOfTheMonitors claims, asks and says that it is done every second, for ever.
func TestStrangerOnTheTopicOfTheMonitors(t *testing.T) {
	s := newSimulation(t, 1, 3)
	for i := range 100 {
		s.at(time.Duration(i)*time.Second, func() {
			for _, facts := range []string{`"claims":["x"]`, `"ask":true`, `"done":true`, `"claims":["x"]`, `"claims":"x"`, `"done":1`, `"number":-1`} {
				s.deliver(simMessage{topic: peersPrefix + topic, payload: fmt.Sprintf(
					`{"signal":%q,"facts":{"monitor":"stranger",%s}}`, peersPrefix+topic, facts)})
			}
		})
	}
	s.fails("z", 10*time.Second)
	s.run(10*time.Second + longestWait + 15*time.Second)
	require.NotEmpty(t, s.handled["z"])
	require.Less(t, s.private, 35*(7+3*3+3), "of three monitors: an answer, a probe and a claim each second")
	s.run(2 * time.Minute)
	for _, m := range s.monitors {
		require.Zero(t, m.pending())
	}
}

// TestSlowMonitor hears and is heard late: the others do not wait for it.
func TestSlowMonitor(t *testing.T) {
	s := newSimulation(t, 1, 3)
	s.monitors[0].slow = claimRoundTrip
	for i := range 10 {
		s.fails(fmt.Sprint("z", i), time.Duration(10+i)*time.Second)
	}
	s.run(2 * time.Minute)
	for i := range 10 {
		require.Len(t, s.handled[fmt.Sprint("z", i)], 1)
	}
}
