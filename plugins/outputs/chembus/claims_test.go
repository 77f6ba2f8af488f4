package chembus

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
)

// claimed asks which gaps can be sent and claims the others, as the publisher does. It returns the incidents that can
// be sent, and what is said to claim the others.
func claimed(o *outbox, now time.Time) (ready []string, said []notice) {
	sendable, claim, _ := o.Claim(o.Due(now), now)
	for _, d := range sendable {
		ready = append(ready, d.incident)
	}
	for _, d := range claim {
		d.claimed = true
		said = append(said, d.notices()...)
	}
	return ready, said
}

// twoMonitors returns the outboxes of two, which find the same silence under different ids, and what they claim.
func twoMonitors(t *testing.T) (first, second *outbox, byFirst, bySecond []notice) {
	t.Helper()
	first, second = newTestOutbox(t, 10), newTestOutbox(t, 10)
	first.Offer(silenceOf("1", "a", 100, 30))
	second.Offer(silenceOf("2", "a", 90, 30))
	ready, byFirst := claimed(first, now)
	require.Empty(t, ready, "the other has to be told first")
	_, bySecond = claimed(second, now)
	ready, again := claimed(second, now)
	require.Empty(t, ready)
	require.Empty(t, again, "once is enough")
	// The bus gives both of them to both, that of the first one first.
	first.Claimed(byFirst, now)
	second.Heard(&peerMessage{From: "first", Claims: byFirst}, now)
	first.Heard(&peerMessage{From: "second", Claims: bySecond}, now)
	second.Claimed(bySecond, now)
	return first, second, byFirst, bySecond
}

func TestFirstClaimTells(t *testing.T) {
	first, second, _, _ := twoMonitors(t)
	ready, _ := claimed(first, now)
	require.Equal(t, []string{"1"}, ready)
	ready, said := claimed(second, now.Add(claimPatience-1))
	require.Empty(t, ready)
	require.Empty(t, said, "the other's counts")

	require.Len(t, publishAll(first), 1)
	told, _ := first.notices.TakeNews()
	second.Heard(&peerMessage{From: "first", Told: told}, now)
	require.Zero(t, second.Pending())
	require.EqualValues(t, 1, second.counts.Known)
	// It is back and silent again: whoever finds that need not wait for what the other told before.
	second.Offer(over(silenceOf("2", "a", 90, 30)))
	second.Offer(silenceOf("3", "a", 200, 30))
	_, said = claimed(second, now.Add(1))
	require.Len(t, said, 1)
}

// TestClaimantIsGone has the one that was first say nothing more.
func TestClaimantIsGone(t *testing.T) {
	_, second, _, bySecond := twoMonitors(t)
	_, _, next := second.Claim(second.Due(now), now)
	require.Equal(t, now.Add(claimPatience), next)
	ready, _ := claimed(second, next)
	require.Equal(t, []string{"2"}, ready)

	// What was claimed long ago is of no more account either.
	second.Offer(over(silenceOf("2", "a", 90, 30)))
	second.Offer(silenceOf("4", "a", 300, 30))
	_, said := claimed(second, next)
	require.Len(t, said, 1)
	second.Claimed(bySecond, next)
	ready, _ = claimed(second, next)
	require.Empty(t, ready, "that was the claim of another incident")
	second.Claimed(said, next)
	ready, _ = claimed(second, next)
	require.Equal(t, []string{"4"}, ready)
}

// TestEndlessClaims has somebody claim everything all the time.
func TestEndlessClaims(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(silenceOf("1", "a", 100, 30))
	for at := now; at.Before(now.Add(claimPatience)); at = at.Add(100 * time.Millisecond) {
		o.Heard(&peerMessage{Claims: []notice{{Component: "a", Incident: "x"}}}, at)
		ready, said := claimed(o, at)
		require.Empty(t, ready)
		require.Empty(t, said)
	}
	ready, _ := claimed(o, now.Add(claimPatience))
	require.Equal(t, []string{"1"}, ready)
	for i := range 2 * maxNotices {
		o.claims.Take([]notice{{Component: fmt.Sprint(i), Incident: "x"}}, now)
	}
	require.Equal(t, maxNotices, o.claims.theirs.Len())
}

// TestWhatNeedsNoClaim is sent at once: a gap that says nothing of silence, and what was sent before.
func TestWhatNeedsNoClaim(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(ofKind("disk_full", silenceOf("foreign", "a", 100, 30)))
	o.Offer(silenceOf("sent", "b", 100, 30))
	send(o, 1, now)
	late := now.Add(time.Hour)
	o.Heard(&peerMessage{Claims: []notice{{Component: "b", Incident: "x"}}}, late)
	ready, said := claimed(o, late)
	require.Equal(t, []string{"foreign", "sent"}, ready)
	require.Empty(t, said)
}

// TestClaimOfAMassIncident meets claims of one of its members.
func TestClaimOfAMassIncident(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(massOf("mass", 100, 30, 2, "a", "b"))
	_, said := claimed(o, now)
	require.Equal(t, []string{"a", "b"}, []string{said[0].Component, said[1].Component})
	o.Heard(&peerMessage{Claims: []notice{{Component: "b", Incident: "x"}}}, now)
	o.Claimed(said, now)
	ready, _ := claimed(o, now)
	require.Empty(t, ready)
}

// TestNewcomerIsToldWhatIsUnderWay has one monitor have sent a gap, or be about to, when another asks what it knows.
func TestNewcomerIsToldWhatIsUnderWay(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(silenceOf("sent", "a", 100, 30))
	send(o, 1, now)
	o.Offer(silenceOf("claimed", "b", 100, 30))
	o.Offer(silenceOf("waits", "c", 100, 30))
	for _, d := range o.Due(now) {
		d.mine = d.incident == "claimed"
	}
	p := newPeers()
	messages, _ := p.Say(true, &o.notices, o.UnderWay, now)
	newcomer := newTestOutbox(t, 10)
	for _, zooid := range []string{"a", "b", "c"} {
		newcomer.Offer(silenceOf("later "+zooid, zooid, 90, 30))
	}
	newcomer.Heard(&messages[0], now)
	_, said := claimed(newcomer, now)
	require.Len(t, said, 1)
	require.Equal(t, "c", said[0].Component)

	// After an outage nothing counts that was said before.
	o.Disconnected()
	_, said = claimed(o, now)
	require.Len(t, said, 2)
}

// TestTwoVoicesAtTheSameMoment has two monitors find the same silence at once, under different ids.
func TestTwoVoicesAtTheSameMoment(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	voices := []*voice{connect(t, b.XSub()), connect(t, b.XSub())}
	for _, v := range voices {
		v.write(t, gapMetric("both", map[string]any{"zooid": "both"})) // so that they have met
	}
	for _, v := range voices {
		require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond)
	}
	const rounds = 100
	for i := range rounds {
		var found []chan struct{}
		for n, v := range voices {
			done := make(chan struct{})
			found = append(found, done)
			go func() {
				defer close(done)
				_ = v.Write([]telegraf.Metric{gapMetric(fmt.Sprint(i, " of ", n), map[string]any{"zooid": fmt.Sprint(i), "last_seen": 1795446800.0 + float64(n)})})
			}()
		}
		for n, v := range voices {
			<-found[n]
			require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond)
		}
	}
	told := make(map[string]int)
	for _, m := range c.Received() {
		told[m.Facts["zooid"].(string)]++
	}
	require.Len(t, told, 1+rounds)
	require.Len(t, c.Received(), 1+rounds, "%v", told)
}
