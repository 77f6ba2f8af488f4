package chembus

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
	first.Echo(&peerMessage{Claims: byFirst}, now)
	second.Heard(&peerMessage{From: "first", Claims: byFirst}, now)
	first.Heard(&peerMessage{From: "second", Claims: bySecond}, now)
	second.Echo(&peerMessage{Claims: bySecond}, now)
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

// forward hands a claim to its own monitor and to others, in the order of the calls.
func forward(from *outbox, said []notice, at time.Time, others ...*outbox) {
	from.Echo(&peerMessage{Claims: said}, at)
	for _, o := range others {
		o.Heard(&peerMessage{From: fmt.Sprintf("%p", from), Claims: said}, at)
	}
}

// TestClaimantIsGone has the one that was first say nothing more, while two others wait.
func TestClaimantIsGone(t *testing.T) {
	_, second, byFirst, _ := twoMonitors(t)
	third := newTestOutbox(t, 10)
	third.Offer(silenceOf("3", "a", 80, 30))
	third.Heard(&peerMessage{From: "first", Claims: byFirst}, now.Add(time.Millisecond)) // a little later than the second
	_, _, next := second.Claim(second.Due(now), now)
	require.Equal(t, now.Add(claimPatience+claimMargin), next)
	_, bySecond := claimed(second, next.Add(-1))
	require.Empty(t, bySecond, "the third may take the first one's claim for one that counts")
	_, bySecond = claimed(second, next)
	require.Len(t, bySecond, 1)
	at := next.Add(time.Millisecond)
	_, byThird := claimed(third, at)
	require.Len(t, byThird, 1)
	forward(third, byThird, at, second)
	forward(second, bySecond, at, third)
	ready, _ := claimed(third, at)
	require.Equal(t, []string{"3"}, ready)
	ready, said := claimed(second, at)
	require.Empty(t, ready)
	require.Empty(t, said)
}

// TestClaimThatIsNotUsedInTime has the first one be stopped before it tells, and go on when another has claimed it.
func TestClaimThatIsNotUsedInTime(t *testing.T) {
	first, second, _, _ := twoMonitors(t)
	later := now.Add(claimPatience + claimMargin)
	_, said := claimed(second, later)
	require.Len(t, said, 1)
	forward(second, said, later, first)
	ready, _ := claimed(second, later)
	require.Equal(t, []string{"2"}, ready)
	ready, said = claimed(first, later)
	require.Empty(t, ready)
	require.Empty(t, said)
}

// TestOwnClaimIsNoObstacle has a component come back before its gap was told, and fall silent again.
func TestOwnClaimIsNoObstacle(t *testing.T) {
	first, second, _, _ := twoMonitors(t)
	first.Offer(over(silenceOf("1", "a", 100, 30)))
	first.Offer(silenceOf("3", "a", 200, 30))
	_, said := claimed(first, now)
	forward(first, said, now, second)
	ready, _ := claimed(first, now)
	require.Equal(t, []string{"3"}, ready)
}

// TestEndlessClaims has somebody claim everything all the time, while the judge finds ever new ids of one silence.
func TestEndlessClaims(t *testing.T) {
	o := newTestOutbox(t, 10)
	at := now
	for i := 0; at.Before(now.Add(claimLimit)); i++ {
		o.Offer(silenceOf(fmt.Sprint(i), "a", 100+float64(i)/100, 30))
		o.Heard(&peerMessage{From: "x", Claims: []notice{{Component: "a", Incident: "x"}}}, at)
		ready, said := claimed(o, at)
		require.Empty(t, ready)
		require.Empty(t, said)
		at = at.Add(100 * time.Millisecond)
	}
	ready, _ := claimed(o, at)
	require.Len(t, ready, 1)
	for i := range 2 * maxNotices {
		o.claims.Take("x", []notice{{Component: fmt.Sprint(i), Incident: "x"}}, now)
	}
	require.Equal(t, maxNotices, o.claims.holders.Len())
}

// TestWhatNeedsNoClaim is sent at once: a gap that says nothing of silence, and what was sent before.
func TestWhatNeedsNoClaim(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(silenceOf("sent", "b", 100, 30))
	send(o, 1, now)
	o.Offer(ofKind("disk_full", silenceOf("foreign", "a", 100, 30)))
	// These JSON cannot hold, or would change, or nobody would take.
	o.Offer(silenceOf("overflow", "c", 1.7e308, 1.7e308))
	o.Offer(silenceOf("bad\xff", "d", 100, 30))
	o.Offer(silenceOf("long", strings.Repeat("<", 12_000), 100, 30))
	late := now.Add(time.Hour)
	o.Heard(&peerMessage{From: "x", Claims: []notice{{Component: "b", Incident: "x"}}}, late)
	ready, said := claimed(o, late)
	require.Equal(t, []string{"sent", "foreign", "overflow", "bad\xff", "long"}, ready)
	require.Empty(t, said)
	for _, d := range o.Due(late) {
		o.Sent(d, 1, late)
	}
	_, err := json.Marshal(peerMessage{Claims: o.UnderWay()})
	require.NoError(t, err)
}

// TestClaimOfAMassIncident meets claims of its members: one that comes before it makes all of it void.
func TestClaimOfAMassIncident(t *testing.T) {
	a, b := newTestOutbox(t, 10), newTestOutbox(t, 10)
	a.Offer(silenceOf("1", "a", 100, 30))
	_, first := claimed(a, now)
	b.Offer(massOf("mass", 100, 30, 2, "a", "b"))
	_, mass := claimed(b, now)
	require.Len(t, mass, 2)
	a.Offer(silenceOf("3", "b", 100, 30))
	_, last := claimed(a, now)
	forward(a, first, now, b)
	forward(b, mass, now, a)
	forward(a, last, now, b)
	ready, _ := claimed(a, now)
	require.Equal(t, []string{"1", "3"}, ready)
	ready, _ = claimed(b, now)
	require.Empty(t, ready)
}

// TestClaimsOfMany has so many be claimed that it takes several messages: each holds all of a gap.
func TestClaimsOfMany(t *testing.T) {
	o := newTestOutbox(t, 1000)
	var members []string
	for i := range 100 {
		members = append(members, fmt.Sprintf("component_of_a_mass_%03d_%s", i, strings.Repeat("\x01", 50)))
	}
	for i := range 200 {
		o.Offer(silenceOf(fmt.Sprint(i), fmt.Sprintf("component_%03d", i), 100, 30))
		if i == 100 {
			o.Offer(massOf("mass", 100, 30, 100, members...))
		}
	}
	_, claim, _ := o.Claim(o.Due(now), now)
	require.Len(t, claim, 201)
	batches := claimBatches(claim)
	require.Greater(t, len(batches), 2)
	require.Equal(t, claim, slices.Concat(batches...))
	for _, batch := range batches {
		m := peerMessage{From: strings.Repeat("x", 36)}
		for _, d := range batch {
			m.Claims = append(m.Claims, d.claim()...)
		}
		payload, err := json.Marshal(m)
		require.NoError(t, err)
		require.Less(t, len(payload), receiveSize)
	}
}

// TestNewcomerIsToldWhatIsUnderWay has one monitor have sent a gap, or be about to, when another asks what it knows.
func TestNewcomerIsToldWhatIsUnderWay(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(silenceOf("sent", "a", 100, 30))
	send(o, 1, now)
	o.Offer(silenceOf("claimed", "b", 100, 30))
	o.Offer(silenceOf("waits", "c", 100, 30))
	for _, d := range o.Due(now) {
		if d.incident == "claimed" {
			d.holds = now.Add(claimPatience)
		}
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

}

// TestClaimsAfterAnOutage has the bus die between claims and telling: nothing counts that was said before.
func TestClaimsAfterAnOutage(t *testing.T) {
	first, second, _, _ := twoMonitors(t)
	for _, o := range []*outbox{first, second} {
		o.Disconnected()
		ready, said := claimed(o, now)
		require.Empty(t, ready)
		require.Len(t, said, 1)
	}
}

// TestClaimThatComesBackLate was made before the last consumer left, and comes back while nobody listens.
func TestClaimThatComesBackLate(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(silenceOf("1", "a", 100, 30))
	_, said := claimed(o, now)
	o.Unclaim()
	o.Echo(&peerMessage{Claims: said}, now)
	o.Unclaim()
	ready, said := claimed(o, now)
	require.Empty(t, ready)
	require.Len(t, said, 1)
}

// TestSilenceAfterOneWithoutProof has a new silence be found long after one was sent of which there is no proof yet.
func TestSilenceAfterOneWithoutProof(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(silenceOf("1", "a", 100, 30))
	_, said := claimed(o, now)
	o.Echo(&peerMessage{Claims: said}, now)
	send(o, 1, now)
	later := now.Add(2 * claimLimit)
	o.Offer(silenceOf("2", "a", 200, 30))
	_, said = claimed(o, later)
	require.Len(t, said, 1)
}

// TestOldNewsSettleNoClaim has a third one say what it told of a component before two others found it silent again.
func TestOldNewsSettleNoClaim(t *testing.T) {
	first, second, _, _ := twoMonitors(t)
	for _, o := range []*outbox{first, second} {
		o.Heard(&peerMessage{From: "third", All: true, Told: []notice{{Component: "a", Incident: "old", Until: 50}}}, now)
	}
	ready, said := claimed(second, now)
	require.Empty(t, ready)
	require.Empty(t, said)
	ready, _ = claimed(first, now)
	require.Equal(t, []string{"1"}, ready)
}

// TestTellerSettlesWithTheOthers has the winner have its proof before it hears the other one's claim, which is void.
func TestTellerSettlesWithTheOthers(t *testing.T) {
	first, second := newTestOutbox(t, 10), newTestOutbox(t, 10)
	first.Offer(silenceOf("1", "a", 100, 30))
	second.Offer(silenceOf("2", "a", 90, 30))
	_, byFirst := claimed(first, now)
	_, bySecond := claimed(second, now)
	forward(first, byFirst, now, second)
	publishAll(first)
	forward(second, bySecond, now, first)
	told, _ := first.notices.TakeNews()
	first.Echo(&peerMessage{Told: told}, now)
	second.Heard(&peerMessage{From: "first", Told: told}, now)
	first.Offer(over(silenceOf("1", "a", 100, 30)))
	first.Offer(silenceOf("3", "a", 200, 30))
	_, said := claimed(first, now)
	require.Len(t, said, 1)
}

// TestNewsBesideWhatWasTold is an answer that holds what was told of a component before, and the claim of what is news.
func TestNewsBesideWhatWasTold(t *testing.T) {
	newcomer := newTestOutbox(t, 10)
	newcomer.Offer(silenceOf("x", "a", 190, 30))
	newcomer.Heard(&peerMessage{
		From:   "other",
		Told:   []notice{{Component: "a", Incident: "old", Until: 130}},
		Claims: []notice{{Component: "a", Incident: "new", Until: 230}},
	}, now)
	_, said := claimed(newcomer, now)
	require.Empty(t, said)
}
