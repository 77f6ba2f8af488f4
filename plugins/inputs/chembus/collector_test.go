package chembus

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/telegraf/plugins/inputs"
	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const testProbe = "probe.test"

// newPlugin returns the plugin with its defaults, as Telegraf makes it.
func newPlugin() *ChemBus {
	c := inputs.Inputs["chembus"]().(*ChemBus)
	c.Log = &testutil.CaptureLogger{}
	return c
}

type testCollector struct{ *collector }

func newTestCollector() testCollector {
	return testCollector{newCollector(newPlugin(), testProbe, epoch)}
}

// frames returns a message of two frames as it is received.
func frames(topic, payload string) bus.Frames {
	return bus.Frames{Topic: []byte(topic), Payload: []byte(payload), Count: 2, Size: len(topic) + len(payload)}
}

// send delivers a heartbeat's payload so many seconds after the start.
func (s testCollector) send(when float64, payload string) bus.Reject {
	return s.Receive(frames("HEARTBEAT", payload), at(when))
}

// beat delivers a heartbeat with the given ts.
func (s testCollector) beat(when float64, name string, sent float64) {
	if reject := s.send(when, heartbeat(name, sent)); reject != "" {
		panic(reject)
	}
}

func (s testCollector) kill(when float64) bus.Reject {
	return s.Receive(frames("governance.kill", `{"reason":"test"}`), at(when))
}

func heartbeat(name string, sent float64) string {
	return fmt.Sprintf(`{"signal":"HEARTBEAT","facts":{"zooid":%q,"niche":"n","uptime_s":%f,"processed_count":3},"ts":%.6f}`,
		name, sent, sent)
}

// names lists the zooids of a report in their order.
func names(r report) []string {
	list := []string{}
	for _, z := range r.beats {
		list = append(list, z.name)
	}
	return list
}

func TestFirstBeatAfterATickGoesAtOnceAndMoreWaitForTheNext(t *testing.T) {
	s := newTestCollector()
	require.False(t, s.Due())
	s.beat(0.1, "a", wall(0.1))
	require.True(t, s.Due())
	r := s.Take()
	require.Equal(t, []string{"a"}, names(r))
	require.False(t, r.tick)
	require.False(t, s.Due(), "reported")

	s.beat(0.2, "a", wall(0.2))
	s.beat(0.3, "a", wall(0.3))
	require.False(t, s.Due(), "a second metric waits for the tick")
	s.beat(0.4, "b", wall(0.4))
	require.Equal(t, []string{"b"}, names(s.Take()), "another one's first does not")

	s.Evidence(at(1))
	r = s.Take()
	require.True(t, r.tick)
	require.Equal(t, []string{"a"}, names(r), "before the tick, what waited")
	require.Equal(t, 2, r.beats[0].beats)
	require.InDelta(t, wall(0.3), r.beats[0].sent, 0.001)
	require.Equal(t, secs(0.9), r.observed)

	s.beat(1.1, "a", wall(1.1))
	require.Equal(t, []string{"a"}, names(s.Take()), "and so on")
	s.beat(1.2, "a", wall(1.2))
	require.False(t, s.Due())
}

func TestTicksComeWithTheFirstEvidenceOfEachSecond(t *testing.T) {
	s := newTestCollector()
	var ticks []float64
	for _, now := range []float64{0.5, 0.999, 1.2, 1.3, 1.9, 2.0, 2.5, 5.7, 5.8, 6.1} {
		s.Evidence(at(now))
		if r := s.Take(); r.tick {
			require.Equal(t, at(now), r.at)
			require.Equal(t, s.clock.observed, r.observed)
			ticks = append(ticks, now)
		}
	}
	require.Equal(t, []float64{1.2, 2.0, 5.7, 6.1}, ticks)
}

// TestNoTickJustAfterAStall has beats that were sent in a stall come one after the other.
func TestNoTickJustAfterAStall(t *testing.T) {
	s := newTestCollector()
	var ticks []float64
	for _, now := range []float64{0.1, 1.1, 2.1, 4.7, 4.71, 4.85, 4.96, 5.1, 5.2} {
		s.beat(now, fmt.Sprint(now), wall(now))
		if r := s.Take(); r.tick {
			ticks = append(ticks, now)
		}
	}
	require.Equal(t, []float64{1.1, 2.1, 4.96, 5.1, 5.2}, ticks)
}

// TestTickAfterAStallIsOnlyHeldBack has nothing come after a stall, or something only after so long that it looks like
// another stall. A tick follows with the next interval.
func TestTickAfterAStallIsOnlyHeldBack(t *testing.T) {
	s := newTestCollector()
	var ticks, observed []float64
	take := func(now float64) {
		if r := s.Take(); r.tick {
			ticks, observed = append(ticks, now), append(observed, r.observed.Seconds())
		}
	}
	s.beat(0, "z", wall(0))
	for now := 1.0; now <= 12; now++ {
		if int(now)%2 == 0 && now < 10 {
			s.beat(now-0.1, "z", wall(now-0.1))
			take(now - 0.1)
		}
		s.ticks.Release(at(now))
		take(now)
	}
	require.Equal(t, []float64{3, 5, 7, 9}, ticks)
	require.InDeltaSlice(t, []float64{1.9, 3.9, 5.9, 7.9}, observed, 1e-6)
}

// TestTicksFollowBeats has many zooids beat, each every 10 s, so that nothing is held back.
func TestTicksFollowBeats(t *testing.T) {
	s := newTestCollector()
	ticks := 0
	var ticked time.Duration
	for n := range 2000 {
		now := float64(n) / 200
		s.beat(now, fmt.Sprint(n), wall(now))
		r := s.Take()
		require.Len(t, r.beats, 1)
		if r.tick {
			require.GreaterOrEqual(t, r.observed, r.beats[0].observed)
			ticks++
			ticked = r.observed
		}
		require.Less(t, r.observed-ticked, extraTickInterval, "as soon as they may come")
	}
	require.InDelta(t, 10*10, ticks, 11, "ten in a second, and one with each second")
}

// TestNoTickPassesABeatThatIsHeldBack has one zooid beat so often that its beats are merged, among others that do not.
func TestNoTickPassesABeatThatIsHeldBack(t *testing.T) {
	s := newTestCollector()
	reports, ticks := 0, 0
	held := false // a beat of the busy one
	for n := range 3000 {
		now := float64(n) / 100
		s.beat(now, fmt.Sprint(n%900), wall(now))
		if n%30 == 0 {
			s.beat(now, "busy", wall(now))
			held = true
		}
		r := s.Take()
		for _, z := range r.beats {
			if z.name == "busy" {
				reports++
				held = false
			}
		}
		if r.tick {
			ticks++
			require.False(t, held, "at %v s", now)
		}
	}
	require.LessOrEqual(t, reports, 2*30+1, "two in a second, however many ticks there are")
	require.Greater(t, ticks, 2*30, "from a tick to its second beat others are followed by ticks")
}

func TestAQuietBusHasOneTickASecond(t *testing.T) {
	s := newTestCollector()
	ticks := 0
	for n := range 100 {
		s.Evidence(at(float64(n) / 10))
		if s.Take().tick {
			ticks++
		}
	}
	require.Equal(t, 9, ticks)
}

func TestNoTickFollowsBeatsWhileTheClockStandsStill(t *testing.T) {
	s := newTestCollector()
	s.Evidence(at(0.1))
	s.clock.Suspend()
	for n := range 80 {
		now := 0.1 + float64(n)/100
		s.beat(now, fmt.Sprint(n), wall(now))
		require.False(t, s.Take().tick)
	}
}

func TestBeatThatIsTheEvidenceForATickComesBeforeIt(t *testing.T) {
	s := newTestCollector()
	s.beat(0.1, "a", wall(0.1))
	s.Take()
	s.beat(1.1, "a", wall(1.1))
	r := s.Take()
	require.True(t, r.tick)
	require.Equal(t, []string{"a"}, names(r))
	require.Equal(t, r.observed, r.beats[0].observed)
}

func TestBeatsAreReportedInTheOrderOfTheirObservedTime(t *testing.T) {
	s := newTestCollector()
	for now := 0.0; now < 2; now += 0.5 {
		s.beat(now, "late", wall(now))
		s.Take()
	}
	s.beat(2.2, "a", wall(2.2))
	s.beat(3.6, "b", wall(3.6))
	s.beat(3.7, "late", wall(2.4))
	s.beat(3.8, "c", wall(3.8))
	require.Equal(t, []string{"a", "late", "b", "c"}, names(s.Take()))
}

func TestCopyIsReportedAsAStartWithATimeOfItsOwn(t *testing.T) {
	s := newTestCollector()
	s.beat(0.1, "a", wall(0.1))
	first := s.Take().beats[0]
	s.beat(0.25, "a", wall(0.1))
	s.Evidence(at(1))
	second := s.Take().beats[0]
	require.Equal(t, []int{1, 0}, []int{first.beats, first.starts})
	require.Equal(t, []int{0, 1}, []int{second.beats, second.starts})
	require.Equal(t, first.observed, second.observed, "a copy proves nothing new")
	require.NotEqual(t, first.heard, second.heard, "a database would overwrite the beat")
}

func TestKill(t *testing.T) {
	s := newTestCollector()
	s.beat(0.1, "a", wall(0.1))
	s.Take()
	s.beat(0.2, "a", wall(0.2))
	require.Empty(t, s.kill(0.5))
	require.True(t, s.Due())
	s.beat(0.6, "b", wall(0.6))
	r := s.Take()
	require.True(t, r.kill)
	require.Equal(t, secs(0.4), r.killed, "what the clock showed at the signal, not now")
	require.Equal(t, at(0.5), r.killedAt)
	require.Equal(t, []string{"a", "b"}, names(r), "every beat heard before goes first")
	require.True(t, r.tick, "a tick at once")
	require.False(t, s.Due())
	r = s.Take()
	require.False(t, r.kill, "once")
	require.Equal(t, secs(0.4), r.killed, "but every later tick carries it")
}

func TestKillMakesATickAtOnceOnAQuietBus(t *testing.T) {
	s := newTestCollector()
	s.kill(0.5)
	r := s.Take()
	require.True(t, r.kill && r.tick)
	require.False(t, s.Take().tick)
}

func TestKillOfAnyJSON(t *testing.T) {
	for payload, expected := range map[string]bus.Reject{
		`{}`: "", `null`: "", `"now"`: "", `[1]`: "", `{"intensity":NaN,"facts":{"x":-Infinity}}`: "",
		``: bus.RejectJSON, `now`: bus.RejectJSON, "\"\xff\"": bus.RejectJSON,
		`"` + strings.Repeat("x", 64<<10) + `"`: bus.RejectOversize,
	} {
		s := newTestCollector()
		require.Equal(t, expected, s.Receive(frames("governance.kill", payload), at(0.5)), payload)
		require.Equal(t, expected == "", s.Take().kill, payload)
	}
}

// toyDetector follows the rules by which the processor hears: a step of the clock over 3 s adds nothing,
// and a beat counts before the time that passed with it.
type toyDetector struct {
	t                 *testing.T
	heard, now, jump  time.Duration
	last              map[string]time.Duration
	started           bool
	worst             time.Duration
	worstOf, duringOf string
}

func (d *toyDetector) forward(observed time.Duration) {
	step := observed - d.heard
	if !d.started || step > 3*time.Second {
		d.started, d.heard, d.jump = true, observed, d.now
	} else if step > 0 {
		d.heard, d.now = observed, d.now+step
	}
}

func (d *toyDetector) take(r report) {
	for _, z := range r.beats {
		d.forward(z.observed)
		d.last[z.name] = max(d.now-(d.heard-z.observed), d.jump, d.last[z.name])
		d.check(z.name)
	}
	if r.tick {
		d.forward(r.observed)
		d.check("tick")
	}
}

func (d *toyDetector) check(during string) {
	for name, last := range d.last {
		if silence := d.now - last; silence > d.worst && strings.HasPrefix(name, "fast") {
			d.worst, d.worstOf, d.duringOf = silence, name, during
		}
	}
}

// While Telegraf stalls, beats are merged. What comes after the stall must not look like silence of those
// whose beats were merged, whoever else was heard meanwhile.
func TestStalledPipeline(t *testing.T) {
	for _, stall := range []float64{0, 1, 2.5, 3, 3.5, 4, 20, 45, 90, 300} {
		s := newTestCollector()
		d := &toyDetector{t: t, last: make(map[string]time.Duration)}
		total := make(map[string]int)
		sent := make(map[string]int)
		for now := 0.0; now < 600; now += 0.5 {
			s.Evidence(at(now))
			if second := int(now); now == float64(second) {
				for _, name := range []string{fmt.Sprintf("slow_%d", second%60), fmt.Sprintf("fast_%d", second%10)} {
					s.beat(now, name, wall(now))
					sent[name]++
				}
			}
			require.LessOrEqual(t, len(s.ready)+len(s.coalesced), 70, "never more than one entry a zooid waits")
			if now >= 200 && now < 200+stall {
				continue
			}
			if s.Due() {
				r := s.Take()
				d.take(r)
				for _, z := range r.beats {
					total[z.name] += z.beats
					require.LessOrEqual(t, z.observed, r.observed, "no beat is ahead of the tick that follows it")
				}
			}
		}
		s.Evidence(at(601))
		for _, z := range s.Take().beats {
			total[z.name] += z.beats
		}
		require.True(t, maps.Equal(sent, total), "every beat is reported: %v, %v", sent, total)
		require.LessOrEqual(t, d.worst, 10*time.Second, "stall of %v s: %s looks silent at %s", stall, d.worstOf, d.duringOf)
	}
}

func TestEvidenceIsAnyMessage(t *testing.T) {
	s := newTestCollector()
	s.Receive(frames(testProbe, ""), at(1))
	s.Receive(frames("HEARTBEAT_X", ""), at(2))
	require.Equal(t, secs(1), s.clock.observed)
	require.EqualValues(t, 2, s.counts.messages)
	require.EqualValues(t, len(testProbe)+len("HEARTBEAT_X"), s.counts.bytes)
}

func TestProbe(t *testing.T) {
	s := newTestCollector()
	require.Negative(t, s.counts.probeRoundTrip, "none yet")
	payload, err := s.probePayload(at(1))
	require.NoError(t, err)
	require.Empty(t, s.Receive(frames(testProbe, string(payload)), at(1.25)))
	require.Equal(t, secs(0.25), s.counts.probeRoundTrip)
	for _, forged := range []string{
		"", "x", "1s", "{}", `{"facts":[]}`, `{"facts":{}}`, `{"facts":{"sent_ns":null}}`, `{"facts":{"sent_ns":"1"}}`,
		`{"facts":{"sent_ns":-5}}`, `{"facts":{"sent_ns":3600000000000}}`, `{"facts":{"sent_ns":1e30}}`, `{"facts":{"sent_ns":NaN}}`,
	} {
		require.Empty(t, s.Receive(frames(testProbe, forged), at(2)))
		require.Equal(t, secs(0.25), s.counts.probeRoundTrip, forged)
	}
	require.Equal(t, bus.RejectTopic, s.Receive(frames(testProbe+"2", string(payload)), at(2)))
	brackets := strings.Repeat("[", 16<<20) // to read these would take more stack than there is
	require.Equal(t, bus.RejectOversize, s.Receive(frames(testProbe, brackets), at(2)))
}

// TestProbeIsAMessageOfTheBus has somebody read it who subscribes to everything.
func TestProbeIsAMessageOfTheBus(t *testing.T) {
	payload, err := newTestCollector().probePayload(at(1))
	require.NoError(t, err)
	var message map[string]any
	require.NoError(t, json.Unmarshal(payload, &message))
	require.InDelta(t, epochOf(1), message["ts"], 0.001)
	delete(message, "ts")
	require.Equal(t, map[string]any{
		"signal": testProbe, "ecosystem": "monitoring", "intensity": 1.0, "facts": map[string]any{"sent_ns": 1e9},
		"incident_id": nil, "trace": nil, "schema_version": 1.0, "channel": "legacy",
	}, message)
}

func TestTopicsThatAreOff(t *testing.T) {
	c := newPlugin()
	c.KillTopic = ""
	s := newCollector(c, "", epoch)
	require.Equal(t, bus.RejectTopic, s.Receive(frames("", "{}"), at(0)))
	require.False(t, s.Due())
}

func TestFullTableRejectsNewZooidsAndKeepsTheOld(t *testing.T) {
	c := newPlugin()
	c.MaxZooids = 3
	s := testCollector{newCollector(c, "", epoch)}
	for n := range 3 {
		s.beat(0, fmt.Sprintf("old_%d", n), wall(0))
	}
	for n := range 1000 {
		require.Equal(t, bus.RejectMaxZooids, s.send(1, heartbeat(fmt.Sprintf("other_%d", n), wall(1))))
	}
	require.EqualValues(t, 1000, s.counts.rejected[bus.RejectMaxZooids])
	require.Len(t, s.zooids.known, 3)
	s.Take()

	// One is forgotten ten minutes after its last beat, in which the time of a pause of the bus does not count.
	hear := func(from, to float64) {
		for now := from; now <= to; now += 2 {
			s.beat(now, "old_0", wall(now))
			s.beat(now, "old_1", wall(now))
			s.Take()
		}
	}
	hear(2, 598)
	require.Equal(t, bus.RejectMaxZooids, s.send(598, heartbeat("new", wall(598))))
	require.Equal(t, bus.RejectMaxZooids, s.send(10_000, heartbeat("new", wall(10_000))), "the bus could not be heard for long")
	hear(10_000, 10_070)
	s.beat(10_070, "new", wall(10_070))
	require.NotContains(t, s.zooids.known, "old_2")
	require.Contains(t, s.zooids.known, "old_0")
	require.Equal(t, bus.RejectMaxZooids, s.send(10_071, heartbeat("newer", wall(10_071))))
}

func TestZooidThatWaitsToBeReportedIsNotForgotten(t *testing.T) {
	c := newPlugin()
	c.MaxZooids = 1
	s := testCollector{newCollector(c, "", epoch)}
	observe := func(from, to float64) {
		for now := from; now <= to; now += 2 {
			s.Evidence(at(now))
		}
	}
	s.beat(0, "old", wall(0))
	observe(2, 700)
	require.Equal(t, bus.RejectMaxZooids, s.send(700, heartbeat("new", wall(700))))
	require.Equal(t, []string{"old"}, names(s.Take()))
	observe(702, 770)
	s.beat(770, "new", wall(770))
	require.Equal(t, []string{"new"}, names(s.Take()))
}
