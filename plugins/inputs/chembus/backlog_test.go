package chembus

import (
	"testing"

	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// probeReturns has the probe come back that was sent at the given time.
func (s testCollector) probeReturns(when, sent float64) {
	payload, err := s.probePayload(at(sent))
	if err != nil {
		panic(err)
	}
	s.Receive(frames(testProbe, string(payload)), at(when))
}

// TestWhatWaitedIsNoEvidence has more come than is received.
func TestWhatWaitedIsNoEvidence(t *testing.T) {
	s := newTestCollector()
	for now := 0.0; now <= 10; now++ {
		s.clock.Backlog(false, at(now))
		s.probeReturns(now, now)
	}
	require.Equal(t, secs(10), s.clock.observed)

	// It is always behind, by a second.
	for now := 11.0; now <= 30; now++ {
		s.clock.Backlog(true, at(now))
		s.probeReturns(now, now-1)
	}
	require.Equal(t, secs(30), s.clock.observed)

	// What comes now was sent long ago.
	for now := 31.0; now <= 60; now++ {
		s.clock.Backlog(true, at(now))
		s.probeReturns(now, 29+(now-30)/10)
		s.beat(now, "a", wall(29+(now-30)/10))
	}
	require.True(t, s.clock.Behind(at(60)))
	require.False(t, s.clock.Observable(at(60)))
	require.LessOrEqual(t, s.clock.observed, secs(34))
	require.True(t, s.ticks.due, "ticks go on")

	s.clock.Backlog(false, at(61))
	s.beat(61, "a", wall(61))
	require.False(t, s.clock.Behind(at(61)))
	require.True(t, s.clock.Observable(at(61)))
	require.LessOrEqual(t, s.clock.observed, secs(34), "that time is not counted as silence")
}

// TestBacklogWithoutAProbe has nothing but the backlog itself tell.
func TestBacklogWithoutAProbe(t *testing.T) {
	s := newTestCollector()
	for now := 0.0; now <= 60; now++ {
		s.clock.Backlog(now > 10, at(now))
		s.Evidence(at(now))
	}
	require.Equal(t, secs(14), s.clock.observed, "11 s, and blind_after")
	// A short one is none, from 63 s on.
	for now := 61.0; now <= 70; now++ {
		s.clock.Backlog(int(now)%3 != 0, at(now))
		s.Evidence(at(now))
	}
	require.Equal(t, secs(14+7), s.clock.observed)
}

// TestBacklogOnABusWithFewProbes has the last probe be old when messages begin to wait, at which one goes out.
func TestBacklogOnABusWithFewProbes(t *testing.T) {
	s := newTestCollector()
	s.probeReturns(0.5, 0.4)
	for now := 1.0; now <= 9; now++ {
		s.clock.Backlog(false, at(now))
		s.Evidence(at(now))
	}
	for now := 9.5; now <= 12.9; now += 0.1 {
		s.clock.Backlog(true, at(now))
		if now > 11.9 {
			s.probeReturns(now, 9.5) // it waited for 2.5 s
		}
		s.beat(now, "a", wall(now))
		require.False(t, s.clock.Behind(at(now)), "the probe says that what comes now waited for less")
	}
}

// TestSocketThatMayHaveBeenFullIsABacklog has the socket be emptied, but more wait before it.
func TestSocketThatMayHaveBeenFullIsABacklog(t *testing.T) {
	require.False(t, (&hearing{received: bus.ReceiveHighWaterMark/2 - 1}).backlog())
	require.True(t, (&hearing{received: bus.ReceiveHighWaterMark / 2}).backlog())
	require.True(t, (&hearing{more: true}).backlog())
}
