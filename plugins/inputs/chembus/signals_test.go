package chembus

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/testutil/heap"
)

var telemetryTopics = []string{signalMetric, signalTimerStart, signalTimerStop, signalLoggerInit, signalLoggerClose}

// signalCollector receives these topics.
func signalCollector(topics ...string) testCollector {
	c := newPlugin()
	c.Signals = topics
	return testCollector{newCollector(c, testProbe, epoch)}
}

// signal delivers a message of a topic so many seconds after the start, by the connection on which it comes.
func (s testCollector) signal(when float64, topic, payload string) bus.Reject {
	if s.isSignal(topic) {
		return s.ReceiveSignal(frames(topic, payload), at(when))
	}
	return s.Receive(frames(topic, payload), at(when))
}

// takeAll takes every signal that waits.
func (s testCollector) takeAll() (all []signal) {
	for s.Due() {
		all = append(all, s.Take().signals...)
	}
	return all
}

// epochOf is a ts so many seconds after the start.
func epochOf(seconds float64) float64 {
	return bus.EpochSeconds(at(seconds))
}

func TestSignalsOptionRefuses(t *testing.T) {
	for expected, topics := range map[string][]string{
		`option "signals": holds an empty topic; name whole topics, or use [] for none`:                                      {""},
		`option "signals": "HEARTBEAT" is the heartbeat_topic; leave it out; it is read in any case`:                         {"A", "HEARTBEAT"},
		`option "signals": "governance.kill" is the kill_topic; leave it out; it is read in any case`:                        {"governance.kill"},
		`option "signals": "A" is named twice; name each topic once`:                                                         {"A", "B", "A"},
		`option "signals": "a\nb" is no usable topic; use up to 256 bytes of printable UTF-8 that do not end in a backslash`: {"a\nb"},
	} {
		c := newPlugin()
		c.Signals = topics
		err := c.Init()
		require.EqualError(t, err, expected)
		var bad *option.Error
		require.ErrorAs(t, err, &bad)
		require.Equal(t, "signals", bad.Name)
	}
	c := newPlugin()
	c.Signals = append([]string{"HEARTBEAT_X", "HEART", "größe"}, telemetryTopics...)
	require.NoError(t, c.Init())
}

func TestSignal(t *testing.T) {
	s := signalCollector("EVOLUTION")
	require.Empty(t, s.signal(1, "EVOLUTION", fmt.Sprintf(`{"signal":"EVOLUTION","ecosystem":"colony","intensity":0.5,
		"facts":{"generation":7,"best":{"name":"a b","fit":true},"scores":[0.1,0.2]},"incident_id":"i-1","trace":null,"ts":%f}`, epochOf(0.25))))
	require.True(t, s.Due())
	taken := s.takeAll()
	require.Len(t, taken, 1)
	require.Equal(t, map[string]string{"signal": "EVOLUTION", "ecosystem": "colony"}, taken[0].tags)
	require.Equal(t, map[string]any{
		"intensity": 0.5, "incident_id": "i-1",
		"facts_generation": 7.0, "text_best_name": "a b", "facts_best_fit": 1.0, "facts_scores_0": 0.1, "facts_scores_1": 0.2,
	}, taken[0].fields)
	require.WithinDuration(t, at(0.25), taken[0].at, time.Microsecond)
	require.EqualValues(t, 1, s.signals.heard)
	require.False(t, s.Due(), "once")
	s.Evidence(at(1))
	s.signal(2, "EVOLUTION", `{"intensity":1}`)
	require.Zero(t, s.clock.observed, "it says nothing about the connection of the heartbeats")
}

func TestSignalThatSaysLittle(t *testing.T) {
	for payload, fields := range map[string]map[string]any{
		`{"intensity":1}`:                             {"intensity": 1.0},
		`{"intensity":1,"facts":null}`:                {"intensity": 1.0},
		`{"intensity":"1","facts":{"a":1}}`:           {"facts_a": 1.0},
		`{"intensity":NaN,"incident_id":"x"}`:         {"incident_id": "x"},
		`{"intensity":1,"incident_id":5}`:             {"intensity": 1.0},
		`{"intensity":1,"incident_id":"a\nb"}`:        {"intensity": 1.0},
		`{"intensity":1e999,"facts":{"a":"b\u001b"}}`: {"text_a": "b "},
	} {
		s := signalCollector("S")
		require.Empty(t, s.signal(1, "S", payload), payload)
		taken := s.takeAll()
		require.Len(t, taken, 1, payload)
		require.Equal(t, fields, taken[0].fields, payload)
		require.Equal(t, at(1), taken[0].at, "without ts: when it came")
	}
	for _, ecosystem := range []string{`null`, `5`, `""`, `"a\nb"`, `{"a":1}`, `"` + strings.Repeat("x", 257) + `"`} {
		s := signalCollector("S")
		require.Empty(t, s.signal(1, "S", `{"intensity":1,"ecosystem":`+ecosystem+`}`), ecosystem)
		require.Equal(t, map[string]string{"signal": "S"}, s.takeAll()[0].tags, ecosystem)
	}
}

func TestSignalRejects(t *testing.T) {
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	for _, test := range []struct {
		topic, payload string
		expected       bus.Reject
	}{
		{"S_X", `{"intensity":1}`, bus.RejectTopic},
		{"S", ``, bus.RejectJSON},
		{"S", `NaN`, bus.RejectJSON},
		{"S", `[{"intensity":1}]`, bus.RejectJSON},
		{"S", "{\"facts\":{\"a\":\"\xff\"}}", bus.RejectJSON},
		{"S", `{"intensity":1,"facts":{"a":` + deep + `}}`, bus.RejectJSON},
		{"S", `{"intensity":1,"facts":"` + strings.Repeat("x", 64<<10) + `"}`, bus.RejectOversize},
		{"S", `{}`, bus.RejectBadSignal},
		{"S", `{"intensity":1,"facts":"a"}`, bus.RejectBadSignal},
		{"S", `{"intensity":1,"facts":[1]}`, bus.RejectBadSignal},
		{"S", `{"facts":{"a":NaN}}`, bus.RejectBadSignal},
		{"S", `{"intensity":1,"facts":{"a_b":1,"a":{"b":2}}}`, bus.RejectBadSignal},
		{"S", `{"intensity":1,"facts":{"a":[` + strings.Repeat("1,", 200) + `1]}}`, bus.RejectBounds},
		{"S", `{"intensity":1,"facts":{"a\nb":1}}`, bus.RejectBadName},
		{"metric", `{"intensity":1}`, bus.RejectBadSignal},
		{"metric", `{"facts":[]}`, bus.RejectBadSignal},
		{"timer_start", `{"facts":{"name":"a\u0007"}}`, bus.RejectBadName},
	} {
		s := signalCollector("S", "metric", "timer_start")
		require.Equal(t, test.expected, s.signal(1, test.topic, test.payload), "%.80s", test.payload)
		require.EqualValues(t, 1, s.counts.rejected[test.expected])
		require.False(t, s.signals.Due(), "%.80s", test.payload)
	}
}

func TestSignalsAreOffByDefault(t *testing.T) {
	s := newTestCollector()
	for _, topic := range append(telemetryTopics, "", "S") {
		require.Equal(t, bus.RejectTopic, s.signal(1, topic, `{"intensity":1}`))
	}
	fields := make(map[string]any)
	s.signals.addCounts(fields)
	require.Empty(t, fields)
}

func TestTimeOfASignal(t *testing.T) {
	arrived := at(10)
	for ts, expected := range map[string]time.Time{
		fmt.Sprintf("%f", bus.EpochSeconds(arrived.Add(-time.Hour))): arrived.Add(-time.Hour),
		fmt.Sprintf("%f", bus.EpochSeconds(arrived.Add(time.Hour))):  arrived.Add(time.Hour),
		`null`: arrived, `"1795577000"`: arrived, `NaN`: arrived, `-1e300`: arrived, `1e999`: arrived, `0`: arrived,
		`9223372036.9`: arrived, `-9223372037`: arrived, `1e10`: arrived,
		fmt.Sprintf("%f", bus.EpochSeconds(arrived.Add(48*time.Hour))):     arrived,
		fmt.Sprintf("%f", bus.EpochSeconds(arrived.Add(-31*24*time.Hour))): arrived,
	} {
		s := signalCollector("S")
		require.Empty(t, s.signal(10, "S", `{"intensity":1,"ts":`+ts+`}`))
		require.WithinDuration(t, expected, s.takeAll()[0].at, time.Microsecond, ts)
	}
	// As Telegraf's parsers read such a number: exactly, then cut.
	sent, ok := epochTime(1795577000.123456)
	require.True(t, ok)
	require.EqualValues(t, 1795577000123456001, sent.UnixNano())
	for _, impossible := range []float64{math.NaN(), 1e300, -1e300, 9223372037, math.Inf(1)} {
		_, ok = epochTime(impossible)
		require.False(t, ok, "%v", impossible)
	}
}

func TestCopyOfASignalIsNoEvent(t *testing.T) {
	s := signalCollector(telemetryTopics...)
	start := fmt.Sprintf(`{"facts":{"name":"a"},"ts":%f}`, epochOf(0))
	for _, when := range []float64{1, 1.15, 9} {
		require.Empty(t, s.signal(when, "timer_start", start))
	}
	require.Len(t, s.takeAll(), 1, "and no start is unmatched for it")
	require.EqualValues(t, 2, s.counts.duplicates)
	require.EqualValues(t, 1, s.signals.heard)
}

func TestUnmatchedStartIsReported(t *testing.T) {
	s := signalCollector(telemetryTopics...)
	send := func(ts float64, topic, facts string) {
		require.Empty(t, s.signal(5, topic, fmt.Sprintf(`{"facts":%s,"ecosystem":"d_ream","ts":%f}`, facts, epochOf(ts))))
	}
	send(1, "timer_start", `{"name":"a"}`)
	send(2, "timer_start", `{"name":"a"}`)
	send(3, "timer_stop", `{"name":"a","elapsed":1}`)
	send(4, "timer_start", `{"name":"b"}`)
	send(4+timerPatience.Seconds(), "logger_close", `{"elapsed":1}`)
	var got []string
	for _, s := range s.takeAll() {
		got = append(got, fmt.Sprint(s.tags["signal"], " ", s.tags["name"], " ", s.fields, " ", math.Round(s.at.Sub(epoch).Seconds())))
	}
	require.Equal(t, []string{
		"timer_start a map[started:1] 1",
		"timer_unmatched a map[unmatched:1] 1",
		"timer_start a map[started:1] 2",
		"timer_stop a map[elapsed:1] 3",
		"timer_start b map[started:1] 4",
		"timer_unmatched b map[unmatched:1] 4",
		"logger_close  map[elapsed:1] 3604",
	}, got)

	s = signalCollector(signalTimerStart)
	send(1, "timer_start", `{"name":"a"}`)
	send(2, "timer_start", `{"name":"a"}`)
	require.Len(t, s.takeAll(), 2, "without the stops it cannot be known")
}

func TestFloodOfNamesInSignals(t *testing.T) {
	s := signalCollector(telemetryTopics...)
	for n := range 2 * maxSignalSeries {
		reject := s.signal(1, "timer_start", fmt.Sprintf(`{"facts":{"name":"%d"}}`, n))
		require.Equal(t, n >= maxSignalSeries, reject == bus.RejectMaxSeries, n)
	}
	require.Equal(t, maxTimers, s.signals.timers.running.Len())
	require.Equal(t, maxSignalSeries, s.signals.series.heard.Len())
	require.EqualValues(t, maxSignalSeries, s.counts.rejected[bus.RejectMaxSeries])
	s.takeAll()
	require.Empty(t, s.signal(5, "timer_start", `{"facts":{"name":"5"}}`), "the known are not affected")
}

// While Telegraf stalls, signals wait up to a bound, whatever they hold.
func TestSignalsWaitingAreBounded(t *testing.T) {
	var many strings.Builder
	for n := range 90 {
		fmt.Fprintf(&many, `,"%d%s":%d`, n, strings.Repeat("k", 200), n)
	}
	for name, payload := range map[string]string{
		"small": `{"intensity":1,"facts":{"n":%d}}`,
		"texts": `{"intensity":1,"facts":{"n":%d,"text":"` + strings.Repeat("t", maxTextLength) + `"}}`,
		"many":  `{"intensity":1,"facts":{"n":%d` + many.String() + `}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := signalCollector("S")
			before := heap.InUse()
			sent := 0
			for ; s.signals.dropped < 100 && sent < 100_000; sent++ {
				require.Empty(t, s.signal(1, "S", fmt.Sprintf(payload, sent)))
			}
			require.LessOrEqual(t, s.signals.waitingSize, maxSignalsSize)
			require.Less(t, int64(heap.InUse())-int64(before), int64(3*maxSignalsSize))
			require.EqualValues(t, 100, s.signals.dropped)
			require.Len(t, s.signals.waiting, sent-100, "what was dropped is counted")
			fields := make(map[string]any)
			s.signals.addCounts(fields)
			require.Equal(t, map[string]any{"signals": uint64(sent), "signals_dropped": uint64(100)}, fields)

			for n, signal := range s.takeAll()[:sent-100] {
				require.Equal(t, float64(n), signal.fields["facts_n"], "in order")
			}
			require.Zero(t, s.signals.waitingSize)
			require.Less(t, int64(heap.InUse())-int64(before), int64(maxSignalsSize/4), "what was taken is let go")
			require.Empty(t, s.signal(2, "S", fmt.Sprintf(payload, -1)))
			require.Len(t, s.takeAll(), 1, "there is room again")
		})
	}
}

// Heartbeats and ticks do not wait for a flood of signals.
func TestTicksDoNotWaitForSignals(t *testing.T) {
	s := signalCollector("S")
	for n := range 10 * signalsBatch {
		s.signal(0.5, "S", fmt.Sprintf(`{"intensity":%d}`, n))
	}
	r := s.Take()
	require.Len(t, r.signals, signalsBatch)
	s.beat(1.1, "a", wall(1.1))
	r = s.Take()
	require.True(t, r.tick)
	require.Equal(t, []string{"a"}, names(r))
	require.Len(t, r.signals, signalsBatch)
	require.Equal(t, float64(signalsBatch), r.signals[0].fields["intensity"])
}
