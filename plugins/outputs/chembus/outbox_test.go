package chembus

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const timeout = 5 * time.Second

var now = time.Unix(1_000_000, 0)

func level(incident string, open bool, missing float64) *gap {
	g := silenceOf(incident, "of "+incident, 1000, missing)
	g.Open = open
	return g
}

func newTestOutbox(t *testing.T, maxPending int) *outbox {
	t.Helper()
	return newOutbox(maxPending, timeout)
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

// ack has a probe come back, and nobody leave.
func ack(o *outbox, probe uint64) {
	o.Returned(probe, now)
	o.Due(now.Add(ackGrace))
}

// publishAll empties the outbox and returns what was in it.
func publishAll(o *outbox) []gap {
	sent := send(o, 1, now)
	ack(o, 1)
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
			require.Equal(t, len(test.want), o.pending.Len())
			require.Equal(t, test.want, publishAll(o))
			require.Zero(t, o.pending.Len())
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
		require.Equal(t, counts{Published: 1, Acked: 1}, o.counts)
		o = newTestOutbox(t, 10) // another run, without a state file
	}
}

// TestOutboxTriesAgain follows an incident whose probes do not return: it is sent again after 5, 10, 20,
// 40 and then every 60 seconds, and a probe of any attempt confirms it.
func TestOutboxTriesAgain(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(level("a", true, 31))
	at := now
	for i, pause := range []time.Duration{5, 10, 20, 40, 60, 60} {
		require.Len(t, send(o, uint64(i+1), at), 1)
		require.Empty(t, o.Due(at.Add(pause*time.Second-1)))
		at = at.Add(pause * time.Second)
	}
	require.Len(t, o.Due(at), 1)
	require.Equal(t, 1, o.pending.Len())
	ack(o, 3)
	require.Equal(t, 1, o.pending.Len(), "that one was sent before the last attempt")
	ack(o, 6)
	require.Zero(t, o.pending.Len())
	require.Equal(t, counts{Published: 1, Acked: 1, Repeated: 5}, o.counts)
}

func TestOutboxAfterALostConnection(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(level("a", true, 31))
	o.Offer(level("b", true, 31))
	require.Len(t, send(o, 1, now), 2)
	o.Lost()
	require.Len(t, send(o, 2, now), 2, "both may be lost")
	ack(o, 2)
	require.Zero(t, o.pending.Len())
	o.Lost()
	require.Empty(t, o.Due(now.Add(time.Hour)), "what was acked is not lost")
}

func TestOutboxGivesUpWhatIsOver(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(level("a", true, 31))
	require.Len(t, send(o, 1, now), 1)
	o.Offer(level("a", false, 41))
	require.Equal(t, 1, o.pending.Len(), "the ack may still come")
	require.Empty(t, o.Due(now.Add(timeout)))
	require.Zero(t, o.pending.Len())
	require.EqualValues(t, 1, o.counts.Expired)

	o.Offer(level("b", true, 31))
	o.Offer(level("b", false, 41))
	require.Zero(t, o.pending.Len(), "nobody has heard of it")
	require.EqualValues(t, 2, o.counts.Expired)
}

func TestOutboxMakesRoom(t *testing.T) {
	o := newTestOutbox(t, 3)
	for _, incident := range []string{"a", "b", "c"} {
		require.Nil(t, o.Offer(level(incident, true, 1)))
	}
	require.Nil(t, o.Offer(level("a", true, 2)), "it has its place already")
	require.Equal(t, "a", o.Offer(level("d", true, 1)).Incident)
	require.Equal(t, "b", o.Offer(level("e", true, 1)).Incident)
	require.Equal(t, 3, o.pending.Len())

	require.EqualValues(t, 2, o.counts.Dropped)
	require.Equal(t, []gap{*level("c", true, 1), *level("d", true, 1), *level("e", true, 1)}, publishAll(o))

	o = newTestOutbox(t, 1)
	require.Nil(t, o.Offer(level("a", true, 1)))
	require.Equal(t, "a", o.Offer(level("b", true, 1)).Incident)
	require.Equal(t, []gap{*level("b", true, 1)}, publishAll(o))
	require.Nil(t, o.Offer(level("a", true, 1)), "the level of what was dropped counts again")
	require.Equal(t, []gap{*level("a", true, 1)}, publishAll(o))
}

func TestOutboxRemembersWhatIsStillOpen(t *testing.T) {
	const maxPending = 10
	o := newTestOutbox(t, maxPending)
	o.Offer(level("open", true, 1))
	require.Len(t, publishAll(o), 1)
	for i := range 10 * incidentsPerPending * maxPending {
		o.Offer(level(fmt.Sprint(i), true, 1))
		require.Len(t, publishAll(o), 1)
		o.Offer(level("open", true, 1)) // the next report
		require.Empty(t, publishAll(o))
	}
	require.LessOrEqual(t, o.log.incidents.Len(), incidentsPerPending*maxPending)
}

func TestOutboxForgetsWhatIsOver(t *testing.T) {
	o := newTestOutbox(t, maxEnded)
	o.Offer(level("open", true, 1))
	require.Len(t, publishAll(o), 1)
	for i := range 2 * maxEnded {
		o.Offer(level(fmt.Sprint(i), true, 1))
		require.Len(t, publishAll(o), 1)
		o.Offer(level(fmt.Sprint(i), false, 1))
	}
	require.Equal(t, maxEnded+1, o.log.incidents.Len())
	o.Offer(level("open", true, 1))
	require.Empty(t, publishAll(o), "consumers know it, and it is not over")
}

func TestOutboxRemembersAcrossRestarts(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(level("a", true, 1))
	o.Offer(level("b", true, 1))
	require.Len(t, publishAll(o), 2)
	o.Offer(level("c", true, 1))
	send(o, 2, now)

	restarted := newTestOutbox(t, 10)
	require.NoError(t, restarted.Restore(saved(t, o)))
	for _, incident := range []string{"a", "b", "c"} {
		restarted.Offer(level(incident, true, 2))
	}
	require.Equal(t, []gap{*level("c", true, 2)}, publishAll(restarted), "it had no ack")
	require.EqualValues(t, 4, restarted.counts.Published)
	require.Error(t, restarted.Restore(&savedState{Version: stateVersion + 1}))
}

// saved returns the state of an outbox as the file holds it.
func saved(t *testing.T, o *outbox) *savedState {
	t.Helper()
	content, err := json.Marshal(o.State())
	require.NoError(t, err)
	var s savedState
	require.NoError(t, json.Unmarshal(content, &s))
	return &s
}

// TestStateOfVersion1 takes over what a former version has saved.
func TestStateOfVersion1(t *testing.T) {
	var s savedState
	require.NoError(t, json.Unmarshal([]byte(`{"version":1,"confirmed":["a","b"],
		"notices":[{"component":"z","incident":"b","until":130}],
		"counts":{"published":4,"confirmed":3,"repeated":2,"dropped":1,"unheard":5,"known":6,"pending":7}}`), &s))
	o := newTestOutbox(t, 10)
	require.NoError(t, o.Restore(&s))
	o.Offer(level("a", true, 1))
	o.Offer(silenceOf("x", "z", 120, 30))
	require.Zero(t, o.pending.Len())
	require.Equal(t, counts{Published: 4, Acked: 3, Repeated: 2, Dropped: 1, Expired: 5, Known: 7}, o.counts)
	content, err := json.Marshal(o.State())
	require.NoError(t, err)
	require.NotContains(t, string(content), "confirmed")
	require.NotContains(t, string(content), "unheard")
}

// TestListenerLeavesBeforeTheAck has the last consumer leave when a gap was sent: it is sent again under the same id, also
// if the bus has given back both the gap and its probe within half a second before.
func TestListenerLeavesBeforeTheAck(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(level("a", true, 31))
	send(o, 1, now)
	o.log.Add(level("a", true, 31)) // heard
	o.Returned(1, now)
	require.Empty(t, o.Due(now.Add(500*time.Millisecond-1)))
	require.Equal(t, 1, o.pending.Len())
	o.Lost()
	require.Len(t, send(o, 2, now.Add(ackGrace)), 1)
	ack(o, 2)
	require.Equal(t, counts{Published: 1, Acked: 1, Repeated: 1}, o.counts)
}

// TestLostGapIsSentAgainWhoeverHasHeardIt has the last consumer leave before the ack, or the bus die: another monitor may have
// heard the gap, and the consumers not. That ends before consumers forget its id.
func TestLostGapIsSentAgainWhoeverHasHeardIt(t *testing.T) {
	m := newPeerMonitor(t, 1)
	m.Offer(silenceOf("1", "a", 100, 30))
	send(m.outbox, 1, now)
	m.Lost()
	hear := func(incident string, at time.Time) {
		m.hear(t, at, peerMessage{Monitor: "x", Log: []silence{{Component: "a", Incident: incident, Until: 130}}})
		m.DropCovered()
	}
	hear("1", now.Add(40*time.Second-1))
	require.Equal(t, 1, m.pending.Len())
	require.Len(t, send(m.outbox, 2, now.Add(40*time.Second-1)), 1)
	m.Lost()
	hear("1", now.Add(80*time.Second))
	require.Zero(t, m.pending.Len())

	m = newPeerMonitor(t, 1)
	m.Offer(silenceOf("1", "a", 100, 30))
	send(m.outbox, 1, now)
	m.Lost()
	hear("2", now)
	require.Zero(t, m.pending.Len(), "consumers know it by that id")
}
