package chembus

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
)

// silenceOf is the level of a gap of a component that beat last at lastSeen and is missing since.
func silenceOf(incident, zooid string, lastSeen, missing float64) *gap {
	return &gap{
		Level: livenessgap.Level{Incident: incident, Open: true, Kind: gaptype.Missing, LastSeen: lastSeen, Missing: missing},
		zooid: zooid, component: zooid,
	}
}

func massOf(incident string, lastSeen, missing float64, count int64, members ...string) *gap {
	g := silenceOf(incident, members[0], lastSeen, missing)
	g.Kind, g.Members, g.Count = "heartbeat_mass_missing", members, count
	return g
}

func over(g *gap) *gap {
	ended := *g
	ended.Open = false
	return &ended
}

func ofKind(kind string, g *gap) *gap {
	other := *g
	other.Kind = kind
	return &other
}

// TestWhatConsumersKnowIsNotPublishedAgain publishes some gaps and then offers another.
func TestWhatConsumersKnowIsNotPublishedAgain(t *testing.T) {
	first := silenceOf("1", "a", 100, 30) // silent until 130
	another := silenceOf("2", "a", 140, 30)
	for _, test := range []struct {
		name      string
		published []*gap
		offer     *gap
		known     bool
	}{
		{"under another id, by one who missed its last beats", []*gap{first}, silenceOf("x", "a", 90, 30), true},
		{"under another id, by one who heard a beat more", []*gap{first}, silenceOf("x", "a", 110, 30), true},
		{"by one who heard beats while the first one was down", []*gap{{
			Level: silenceOf("1", "a", 100, 30).Level, zooid: "a", component: "a", at: 150,
		}}, silenceOf("x", "a", 145, 30), true},
		{"that it was never seen", []*gap{first}, ofKind("heartbeat_never_seen", silenceOf("x", "a", 0, 60)), true},
		{"that it flaps, by who counts the last silence", []*gap{first}, ofKind("heartbeat_flapping", silenceOf("x", "a", 100, 30)), true},
		{"it has beaten since", []*gap{first}, another, false},
		{"another component", []*gap{first}, silenceOf("x", "b", 90, 30), false},
		{"another one of that name", []*gap{first}, &gap{
			Level: silenceOf("x", "a", 100, 0).Level, zooid: "a", component: "a/elsewhere",
		}, false},
		{"another kind of trouble", []*gap{first}, ofKind("latency_high", silenceOf("x", "a", 90, 30)), false},
		{"another kind of trouble before", []*gap{ofKind("latency_high", first)}, silenceOf("x", "a", 90, 30), false},
		{"it was back, and its clock was set back", []*gap{first, over(first)}, silenceOf("x", "a", 90, 30), false},
		{"it was back according to another incident", []*gap{first, over(silenceOf("x", "a", 90, 30))}, silenceOf("y", "a", 90, 30), false},
		{"never seen, after it was", []*gap{first, over(first)}, ofKind("heartbeat_never_seen", silenceOf("x", "a", 0, 60)), false},
		{"the second time", []*gap{first, over(first), another}, silenceOf("x", "a", 139, 30), true},
		{"of many who are all known", []*gap{first, silenceOf("2", "b", 101, 30)}, massOf("x", 100, 30, 2, "a", "b"), true},
		{"of many, one of whom is not known", []*gap{first}, massOf("x", 100, 30, 2, "a", "b"), false},
		{"of many who are not all named", []*gap{first, silenceOf("2", "b", 101, 30)}, massOf("x", 100, 30, 3, "a", "b"), false},
		{"one of many", []*gap{massOf("1", 100, 30, 2, "a", "b")}, silenceOf("x", "b", 103, 30), true},
		{"one of many who are back", []*gap{massOf("1", 100, 30, 2, "a", "b"), over(massOf("1", 100, 90, 0, "a"))}, silenceOf("x", "b", 103, 30), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newTestOutbox(t, 10)
			for _, g := range test.published {
				o.Offer(g)
				publishAll(o)
			}
			require.Zero(t, o.counts.Known)
			o.Offer(test.offer)
			require.Equal(t, test.known, o.pending.Len() == 0)
			require.Equal(t, test.known, o.counts.Known == 1)
			o.Offer(test.offer)
			require.Equal(t, test.known, o.counts.Known == 1, "counted once")
		})
	}
}

// TestSecondIDOfOneSilence offers the silence of a component under another id while the first is on its way, as a processor
// does that was killed and has forgotten.
func TestSecondIDOfOneSilence(t *testing.T) {
	first, second := silenceOf("1", "a", 100, 30), silenceOf("2", "a", 110, 30)
	afterwards := silenceOf("2", "a", 140, 30) // it has beaten since
	ids := func(sent []gap) []string {
		var all []string
		for _, g := range sent {
			all = append(all, g.Incident)
		}
		return all
	}

	t.Run("not sent", func(t *testing.T) {
		o := newTestOutbox(t, 10)
		o.Offer(first)
		o.Offer(second)
		require.Equal(t, []string{"2"}, ids(publishAll(o)))
		require.EqualValues(t, 1, o.counts.Expired)
	})
	t.Run("another kind", func(t *testing.T) {
		o := newTestOutbox(t, 10)
		o.Offer(first)
		o.Offer(ofKind("heartbeat_flapping", second))
		o.Offer(ofKind("latency_high", silenceOf("3", "a", 100, 30)))
		require.Equal(t, []string{"1", "2", "3"}, ids(publishAll(o)))
	})
	t.Run("sent, and the same", func(t *testing.T) {
		o := newTestOutbox(t, 10)
		o.Offer(first)
		require.Equal(t, []string{"1"}, ids(send(o, 1, now)))
		o.Offer(second)
		require.Empty(t, send(o, 2, now))
		ack(o, 1)
		o.Offer(second)
		require.Zero(t, o.pending.Len())
		require.EqualValues(t, 1, o.counts.Known)
	})
	t.Run("sent, and another", func(t *testing.T) {
		o := newTestOutbox(t, 10)
		o.Offer(first)
		send(o, 1, now)
		o.Offer(afterwards)
		require.Equal(t, []string{"2"}, ids(send(o, 2, now)), "by which the first is over")
		require.Empty(t, send(o, 3, now.Add(timeout-1)))
		require.Equal(t, []string{"2"}, ids(send(o, 3, now.Add(timeout))))
	})
	t.Run("sent, and a third", func(t *testing.T) {
		o := newTestOutbox(t, 10)
		o.Offer(first)
		send(o, 1, now)
		o.Offer(second)
		o.Offer(silenceOf("3", "a", 111, 30))
		require.Empty(t, send(o, 2, now))
		ack(o, 1)
		require.Zero(t, o.pending.Len())
	})
	t.Run("sent, and over under the second", func(t *testing.T) {
		o := newTestOutbox(t, 10)
		o.Offer(first)
		send(o, 1, now)
		o.Offer(second)
		o.Lost()
		o.Offer(over(second))
		require.Empty(t, send(o, 2, now))
		require.Zero(t, o.pending.Len())
	})
	t.Run("sent, over, and open again", func(t *testing.T) {
		o := newTestOutbox(t, 10)
		o.Offer(first)
		send(o, 1, now)
		o.Offer(second)
		o.Offer(over(first))
		o.Offer(second)
		require.Equal(t, []string{"2"}, ids(send(o, 2, now)))
		o.Offer(first)
		require.Contains(t, ids(send(o, 3, now.Add(2*timeout))), "2", "it waits for nothing any more")
	})
	t.Run("sent, and over", func(t *testing.T) {
		o := newTestOutbox(t, 10)
		o.Offer(first)
		send(o, 1, now)
		o.Offer(over(first))
		o.Offer(afterwards)
		require.Equal(t, []string{"2"}, ids(send(o, 2, now)))
	})
	t.Run("sent, and lost", func(t *testing.T) {
		o := newTestOutbox(t, 10)
		o.Offer(first)
		send(o, 1, now)
		o.Offer(second)
		o.Lost()
		require.Equal(t, []string{"1"}, ids(send(o, 2, now)))
		ack(o, 2)
		require.Zero(t, o.pending.Len())
	})
}

// TestIncidentThatOutlastsTheSilence takes an incident for known, which then goes on to be more than consumers know.
func TestIncidentThatOutlastsTheSilence(t *testing.T) {
	o := newTestOutbox(t, 10)
	learn(o, silence{Component: "a", Incident: "theirs", Until: 130})
	o.Offer(massOf("mass", 100, 30, 1, "a"))
	require.Zero(t, o.pending.Len())
	o.Offer(massOf("mass", 100, 40, 2, "a", "b"))
	require.Equal(t, 1, o.pending.Len(), "b is not known to be silent")

	o = newTestOutbox(t, 10)
	flapping := ofKind("heartbeat_flapping", silenceOf("flapping", "a", 100, 30))
	learn(o, silence{Component: "a", Incident: "theirs", Until: 130})
	o.Offer(flapping)
	o.Offer(flapping)
	require.Zero(t, o.pending.Len())
	require.EqualValues(t, 1, o.counts.Known)
	o.Offer(over(silenceOf("mine", "a", 90, 30)))
	o.Offer(flapping)
	require.Equal(t, 1, o.pending.Len(), "it goes on, and what covered it is over")
}

// TestMemberOfAMassIncidentIsBack has one member come back and fall silent again, its clock set back, before the
// mass incident is over.
func TestMemberOfAMassIncidentIsBack(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(massOf("mass", 100, 30, 2, "a", "b"))
	publishAll(o)
	o.Offer(massOf("mass", 100, 40, 1, "b"))
	o.Offer(silenceOf("again", "a", 50, 30))
	require.Equal(t, 1, o.pending.Len())
	o.Offer(silenceOf("x", "b", 90, 30))
	require.Equal(t, 1, o.pending.Len(), "that one is known to be silent")
}

// TestEndOfAMassIncident has its anchor be in another incident by then.
func TestEndOfAMassIncident(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(massOf("mass", 100, 30, 2, "a", "b"))
	publishAll(o)
	o.Offer(massOf("mass", 100, 40, 1, "b"))
	o.Offer(silenceOf("newer", "a", 150, 30))
	publishAll(o)
	o.Offer(over(massOf("mass", 100, 60, 0, "a")))
	o.Offer(silenceOf("x", "a", 140, 30))
	require.Zero(t, o.pending.Len(), "the newer one is still open")
}

// TestNeverSeenAgain opens an incident twice whose id says nothing about when.
func TestNeverSeenAgain(t *testing.T) {
	g := ofKind("heartbeat_never_seen", silenceOf("1", "a", 0, 60))
	o := newTestOutbox(t, 10)
	for range 3 {
		o.Offer(g)
		require.Len(t, publishAll(o), 1)
		o.Offer(g)
		require.Empty(t, publishAll(o))
		o.Offer(over(g))
	}
	o.Offer(g)
	send(o, 1, now)
	o.Offer(over(g))
	ack(o, 1)
	o.Offer(g)
	require.Len(t, publishAll(o), 1, "also one that was over before it was confirmed")
}

// learn takes entries of another monitor's log.
func learn(o *outbox, entries ...silence) {
	for _, s := range entries {
		o.log.Learn(s)
	}
	o.DropCovered()
}

// TestLogOfAnotherMonitor offers gaps before and after another monitor has sent its log.
func TestLogOfAnotherMonitor(t *testing.T) {
	theirs := []silence{
		{Component: "a", Incident: "theirs", Until: 130}, {Component: "b", Incident: "2", Until: 130}, {Component: "e", Incident: "5", Until: 130},
	}
	o := newTestOutbox(t, 10)
	o.Offer(silenceOf("mine", "a", 90, 30))
	o.Offer(massOf("2", 140, 30, 300, "b", "c")) // the same incident, whoever else is in it
	o.Offer(silenceOf("3", "e", 140, 30))
	o.Offer(silenceOf("4", "d", 90, 30))
	learn(o, theirs...)
	require.EqualValues(t, 2, o.counts.Known)
	require.Equal(t, 2, o.pending.Len(), "it was back; and that one is not in the log")
	require.Len(t, publishAll(o), 2)

	o = newTestOutbox(t, 10)
	learn(o, theirs...)
	o.Offer(silenceOf("mine", "a", 90, 30))
	require.Zero(t, o.pending.Len())
	learn(o, silence{Component: "a", Incident: "older", Until: 100})
	o.Offer(silenceOf("later", "a", 110, 30))
	require.Zero(t, o.pending.Len(), "what is older tells nothing")
}

// TestClosedLevelIsRepeated has a component fail again while the processor still repeats that it was back.
func TestClosedLevelIsRepeated(t *testing.T) {
	first, again := silenceOf("1", "a", 100, 30), silenceOf("2", "a", 140, 30)
	o := newTestOutbox(t, 10)
	o.Offer(first)
	publishAll(o)
	o.Offer(over(first))
	o.Offer(again)
	publishAll(o)
	o.Offer(over(first))
	o.Offer(silenceOf("x", "a", 130, 30))
	require.Zero(t, o.pending.Len(), "it is known to be silent")
}

// TestEndOfAFormerFailureComesLate has the end of a component's former failure come, three times, when other monitors have
// told of its next one. This monitor knows nothing of before.
func TestEndOfAFormerFailureComesLate(t *testing.T) {
	former, neverSeen := silenceOf("former", "a", 100, 30.1), ofKind("heartbeat_never_seen", silenceOf("never", "a", 0, 60))
	former.Threshold, neverSeen.at = 30, 130
	nothingMissing := *former
	nothingMissing.Missing = 0
	for _, test := range []struct {
		name   string
		theirs silence
		end    *gap
		known  bool
	}{
		{"the next one", silence{Since: 140, Until: 170}, former, true},
		{"the next one, after the beat that ended the former", silence{Since: 130, Until: 170}, former, true},
		{"the next one, of a component that was never seen", silence{Since: 140, Until: 170}, neverSeen, true},
		{"the same, by who heard a beat more", silence{Since: 110, Until: 170}, former, false},
		{"the same, that this monitor has never seen", silence{Since: 100, Until: 170}, neverSeen, false},
		{"the same, under its id, and nothing is missing any more", silence{Incident: "former", Since: 100, Until: 170}, &nothingMissing, false},
		{"by a monitor that does not say since when", silence{Until: 170}, former, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newTestOutbox(t, 10)
			test.theirs.Component, test.theirs.Incident = "a", cmp.Or(test.theirs.Incident, "theirs")
			learn(o, test.theirs)
			for range 3 {
				o.Offer(over(test.end))
			}
			o.Offer(silenceOf("mine", "a", 150, 30))
			require.Equal(t, test.known, o.pending.Len() == 0)
		})
	}
	o := newTestOutbox(t, 10)
	next := silenceOf("next", "a", 130, 30)
	o.Offer(next)
	o.Offer(over(former))
	require.Equal(t, []gap{*next}, publishAll(o), "what waits is not over, either")
}

// TestDeliveryLogIsBounded has another monitor send more than anybody could mean.
func TestDeliveryLogIsBounded(t *testing.T) {
	const maxPending = 2
	o := newTestOutbox(t, maxPending)
	o.Offer(silenceOf("1", "mine", 100, 30))
	publishAll(o)
	for i := range 10 * incidentsPerPending * maxPending {
		learn(o, silence{Component: fmt.Sprint(i), Incident: fmt.Sprint(i), Until: 1})
		o.Offer(silenceOf("1", "mine", 100, 40)) // a level keeps it from being evicted
	}
	require.Equal(t, incidentsPerPending*maxPending, o.log.silences.Len())
	require.Equal(t, incidentsPerPending*maxPending, o.log.incidents.Len())
	o.Offer(silenceOf("2", "mine", 90, 30))
	require.Zero(t, o.pending.Len())
	before := o.log.silences.Values()
	learn(o,
		silence{Incident: "x", Until: 1}, silence{Component: "x", Until: 1},
		silence{Component: strings.Repeat("x", maxName+1), Incident: "x"}, silence{Component: "x", Incident: strings.Repeat("x", maxName+1)},
		silence{Component: "x", Incident: "x", Until: math.NaN()}, silence{Component: "x", Incident: "x", Until: math.Inf(1)})
	require.Equal(t, before, o.log.silences.Values())
}

func TestDeliveryLogSurvivesARestart(t *testing.T) {
	o := newTestOutbox(t, 10)
	o.Offer(silenceOf("1", "a", 100, 30))
	publishAll(o)
	learn(o, silence{Component: "b", Incident: "2", Until: 130})
	restarted := newTestOutbox(t, 10)
	require.NoError(t, restarted.Restore(saved(t, o)))
	restarted.Offer(silenceOf("x", "a", 90, 30))
	restarted.Offer(silenceOf("x", "b", 90, 30))
	require.Zero(t, restarted.pending.Len())
}

// TestHeardGaps reads what is on the signal's topic, whoever has sent it.
func TestHeardGaps(t *testing.T) {
	c, _ := standard()
	for _, g := range []*gap{
		silenceOf("1", "a", 100, 30), ofKind("heartbeat_never_seen", silenceOf("2", "a", 0, 60)), massOf("3", 100, 30, 7, "a", "b"),
		{
			Level: livenessgap.Level{Incident: "4", Open: true, Kind: gaptype.Flapping, LastSeen: 100, Missing: 30, FlapWindow: 600},
			zooid: "a", component: "x/a",
		},
	} {
		g.at = 140
		payload, err := c.message(g, time.Unix(140, 0)).Encode()
		require.NoError(t, err)
		require.Equal(t, g, heardGap(payload))
	}
	require.NotNil(t, heardGap([]byte(`{"incident_id":"x","ts":1.0,"facts":{"gap_type":"heartbeat_missing","zooid":"a","severity":3,"niche":null}}`)),
		"facts that are not read may be of any type")
	foreign, err := c.message(ofKind("component_silent", silenceOf("1", "a", 100, 30)), now).Encode()
	require.NoError(t, err)
	for _, payload := range []string{
		string(foreign), "", "{", "[]", `{"incident_id":"x"}`,
		`{"incident_id":null,"ts":1.0,"facts":{"gap_type":"heartbeat_missing","zooid":"a"}}`,
		`{"incident_id":"x","ts":1.0,"facts":{"gap_type":"heartbeat_missing","zooid":"a","last_seen":"x"}}`,
		`{"incident_id":"x","ts":NaN,"facts":{"gap_type":"heartbeat_missing","zooid":"a"}}`,
	} {
		require.Nil(t, heardGap([]byte(payload)), payload)
	}
}

// TestTwoProcessorsOfOneBus offers three silences of a component as two processors find them, one on the host and a central
// one, which is behind by some reports. Each is published once: also if the other gave it another id, for it had missed a
// beat, as long as the component is silent.
func TestTwoProcessorsOfOneBus(t *testing.T) {
	levelsOf := func(suffix string, earlier float64) []*gap {
		var levels []*gap
		for i, lastSeen := range []float64{100, 200, 300} {
			open := func(missing float64) *gap {
				return silenceOf(fmt.Sprint(i, suffix), "a", lastSeen-earlier, missing+earlier)
			}
			levels = append(levels, open(30), open(40), open(50), over(open(60)))
		}
		return levels
	}
	local := levelsOf("", 0)
	for _, test := range []struct {
		name     string
		central  []*gap
		mostLate int // in levels
	}{
		{"the same ids", levelsOf("", 0), len(local)},
		{"other ids", levelsOf(" of the central one", 10), 2},
	} {
		for late := range test.mostLate + 1 {
			t.Run(fmt.Sprintf("%s, late by %d", test.name, late), func(t *testing.T) {
				o := newTestOutbox(t, 10)
				var sent []string
				offer := func(levels []*gap, i int) {
					if i < 0 || i >= len(levels) {
						return
					}
					o.Offer(levels[i])
					for _, g := range publishAll(o) {
						sent = append(sent, g.Incident)
					}
				}
				for i := range len(local) + late {
					offer(local, i)
					offer(test.central, i-late)
				}
				require.Equal(t, []string{"0", "1", "2"}, sent)
				require.Zero(t, o.pending.Len())
			})
		}
	}
}
