package chembus

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const timeout = 5 * time.Second

var now = time.Unix(1_000_000, 0)

func level(incident string, open bool, missing float64) *gap {
	zooid := "of " + incident
	return &gap{incident: incident, open: open, kind: "heartbeat_missing", zooid: zooid, component: zooid, lastSeen: 1000, missing: missing}
}

func newTestOutbox(t *testing.T, maxPending int) *outbox {
	t.Helper()
	o, err := newOutbox(maxPending, timeout)
	require.NoError(t, err)
	return o
}

// send sends what is due and returns it.
func send(o *outbox, probe uint64, at time.Time) []gap {
	var sent []gap
	for _, d := range o.Due(at) {
		sent = append(sent, d.gap)
		o.Sent(d, probe, at)
	}
	return sent
}

// publishAll empties the outbox and returns what was in it.
func publishAll(o *outbox) []gap {
	sent := send(o, 1, now)
	o.Returned(1)
	return sent
}

func TestOutbox(t *testing.T) {
	for _, test := range []struct {
		name   string
		levels []*gap
		want   []gap
	}{
		{"nothing", nil, nil},
		{"in the order in which they came", []*gap{level("b", true, 1), level("c", true, 1), level("a", true, 1)},
			[]gap{*level("b", true, 1), *level("c", true, 1), *level("a", true, 1)}},
		{"a repeated level keeps its place and brings the silence of now",
			[]*gap{level("a", true, 31), level("b", true, 32), level("a", true, 41)},
			[]gap{*level("a", true, 41), *level("b", true, 32)}},
		{"closed before anybody could hear of it", []*gap{level("a", true, 31), level("b", true, 32), level("a", false, 41)},
			[]gap{*level("b", true, 32)}},
		{"closed without having been open", []*gap{level("a", false, 41)}, nil},
		{"said to be open by another monitor after it was closed",
			[]*gap{level("a", true, 31), level("a", false, 41), level("a", true, 42)}, []gap{*level("a", true, 42)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newTestOutbox(t, 10)
			for _, g := range test.levels {
				require.Nil(t, o.Offer(g))
			}
			require.Equal(t, len(test.want), o.Pending())
			require.Equal(t, test.want, publishAll(o))
			require.Zero(t, o.Pending())
		})
	}
}

func TestOutboxPublishesOnce(t *testing.T) {
	o := newTestOutbox(t, 10)
	for range 3 {
		o.Offer(level("a", true, 31))
		require.Len(t, publishAll(o), 1)
		for range 3 {
			o.Offer(level("a", true, 41))
			require.Empty(t, publishAll(o))
		}
		o.Offer(level("a", false, 51))
		o.Offer(level("a", true, 51))
		require.Empty(t, publishAll(o))
		require.Equal(t, counts{Published: 1, Confirmed: 1}, o.counts)
		o = newTestOutbox(t, 10) // another run, without a state file
	}
}

// TestOutboxTriesAgain follows an incident whose probes do not return: it is sent again after 5, 10, 20,
// 40 and then every 60 seconds, and a probe of any attempt confirms it.
func TestOutboxTriesAgain(t *testing.T) {
	o := newTestOutbox(t, 10)
	require.Zero(t, o.NextDeadline())
	o.Offer(level("a", true, 31))
	at := now
	for i, pause := range []time.Duration{5, 10, 20, 40, 60, 60} {
		require.Len(t, send(o, uint64(i+1), at), 1)
		require.Equal(t, at.Add(pause*time.Second), o.NextDeadline())
		require.Empty(t, o.Due(at.Add(pause*time.Second-1)))
		at = at.Add(pause * time.Second)
	}
	require.Len(t, o.Due(at), 1)
	require.Equal(t, 1, o.Pending())
	o.Returned(3)
	require.Equal(t, 1, o.Pending(), "that one was sent before the last attempt")
	o.Returned(6)
	require.Zero(t, o.Pending())
	require.Zero(t, o.NextDeadline())
	require.Equal(t, counts{Published: 1, Confirmed: 1, Repeated: 5}, o.counts)
}

func TestOutboxAfterALostConnection(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(level("a", true, 31))
	o.Offer(level("b", true, 31))
	require.Len(t, send(o, 1, now), 2)
	o.Disconnected()
	require.Len(t, send(o, 2, now), 2, "both may be lost")
	o.Returned(2)
	require.Zero(t, o.Pending())
	o.Disconnected()
	require.Empty(t, o.Due(now.Add(time.Hour)), "what was confirmed is not lost")
}

func TestOutboxGivesUpWhatIsOver(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(level("a", true, 31))
	require.Len(t, send(o, 1, now), 1)
	o.Offer(level("a", false, 41))
	require.Equal(t, 1, o.Pending(), "it may still be confirmed")
	require.Empty(t, o.Due(now.Add(timeout)))
	require.Zero(t, o.Pending())
	require.Zero(t, o.NextDeadline())
	require.EqualValues(t, 1, o.counts.Unheard)
}

func TestOutboxMakesRoom(t *testing.T) {
	o := newTestOutbox(t, 3)
	for _, incident := range []string{"a", "b", "c"} {
		require.Nil(t, o.Offer(level(incident, true, 1)))
	}
	require.Nil(t, o.Offer(level("a", true, 2)), "it has its place already")
	require.Equal(t, "a", o.Offer(level("d", true, 1)).incident)
	require.Equal(t, "b", o.Offer(level("e", true, 1)).incident)
	require.Equal(t, 3, o.Pending())

	send(o, 1, now)
	o.Offer(level("d", false, 2))
	require.Equal(t, "d", o.Offer(level("f", true, 1)).incident, "what is over goes first")
	require.EqualValues(t, 3, o.counts.Dropped)
	o.Returned(1)
	require.Equal(t, []gap{*level("f", true, 1)}, publishAll(o))

	o = newTestOutbox(t, 1)
	require.Nil(t, o.Offer(level("a", true, 1)))
	require.Equal(t, "a", o.Offer(level("b", true, 1)).incident)
	require.Equal(t, []gap{*level("b", true, 1)}, publishAll(o))
	require.Nil(t, o.Offer(level("a", true, 1)), "the level of what was dropped counts again")
	require.Equal(t, []gap{*level("a", true, 1)}, publishAll(o))
}

func TestOutboxRemembersWhatIsStillOpen(t *testing.T) {
	const maxPending = 10
	o := newTestOutbox(t, maxPending)
	o.Offer(level("open", true, 1))
	require.Len(t, publishAll(o), 1)
	for i := range 10 * rememberedFactor * maxPending {
		o.Offer(level(fmt.Sprint(i), true, 1))
		require.Len(t, publishAll(o), 1)
		o.Offer(level("open", true, 1)) // the next report
		require.Empty(t, publishAll(o))
	}
	require.LessOrEqual(t, o.confirmed.Len(), rememberedFactor*maxPending)
}

func TestOutboxRemembersAcrossRestarts(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(level("a", true, 1))
	o.Offer(level("b", true, 1))
	require.Len(t, publishAll(o), 2)
	o.Offer(level("c", true, 1))
	send(o, 2, now)

	restarted := newTestOutbox(t, 10)
	require.NoError(t, restarted.Restore(o.Memory()))
	for _, incident := range []string{"a", "b", "c"} {
		restarted.Offer(level(incident, true, 2))
	}
	require.Equal(t, []gap{*level("c", true, 2)}, publishAll(restarted), "it was not confirmed")
	require.EqualValues(t, 4, restarted.counts.Published)
	require.Error(t, restarted.Restore(&memory{Version: stateVersion + 1}))
}
