package chembus

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

// stopPlugin returns a plugin that knows the stops of the colony's voice services.
func stopPlugin(t *testing.T) *ChemBus {
	c := newPlugin()
	c.Stops = []*StopTopic{
		{Topic: "VOICE.*.SHUTDOWN", ZooidFact: "gateway"},
		{Topic: "VOICE.TTS.SHUTDOWN", Zooid: "voice_tts"},
		{Topic: "VOICE.TTS.SHUTDOWN", Zooid: "voice_tts_2"}, // of the same process
	}
	require.NoError(t, c.Init())
	return c
}

func zooidsOf(r report) (names []string) {
	for _, s := range r.stops {
		names = append(names, s.zooid)
	}
	return names
}

func TestStopsThatInitRefuses(t *testing.T) {
	for expected, block := range map[string]StopTopic{
		`option "topic": is missing in a block of stop`:                              {Zooid: "a"},
		`option "topic": "*" begins with a wildcard`:                                 {Topic: "*", Zooid: "a"},
		`option "topic": "?.SHUTDOWN" begins with a wildcard`:                        {Topic: "?.SHUTDOWN", Zooid: "a"},
		`option "topic": "{a,b}*" begins with a wildcard`:                            {Topic: "{a,b}*", Zooid: "a"},
		`option "topic": "A[*" is no glob`:                                           {Topic: "A[*", Zooid: "a"},
		`option "stop": the block of topic "A" has neither zooid nor zooid_fact`:     {Topic: "A"},
		`option "zooid_fact": is set beside zooid in the block of topic "A"`:         {Topic: "A", Zooid: "a", ZooidFact: "a"},
		`option "zooid": "a\nb" is no usable name`:                                   {Topic: "A", Zooid: "a\nb"},
		`option "topic": "HEART*" matches "HEARTBEAT", which is named in heartbeat_`: {Topic: "HEART*", Zooid: "a"},
		`option "topic": "governance.*" matches "governance.kill"`:                   {Topic: "governance.*", Zooid: "a"},
		`option "topic": "MAINT*" matches "MAINTENANCE_SUSPEND"`:                     {Topic: "MAINT*", Zooid: "a"},
		`option "topic": "MAINTENANCE_R*" matches "MAINTENANCE_RESUME"`:              {Topic: "MAINTENANCE_R*", Zooid: "a"},
		`option "topic": "METRICS_*" matches "METRICS_SUMMARY", which is named in s`: {Topic: "METRICS_*", Zooid: "a"},
	} {
		c := newPlugin()
		c.Signals = []string{"METRICS_SUMMARY"}
		c.Stops = []*StopTopic{{Topic: "GOOD", Zooid: "a"}, &block}
		err := c.Init()
		require.ErrorContains(t, err, expected)
		var wrong *option.Error
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, []any{"stop", 1}, []any{wrong.Table, wrong.Number}, "so that the check finds the line")
	}
}

func TestSubscriptionOfAGlobIsItsLiteralPrefix(t *testing.T) {
	for glob, expected := range map[string]string{
		"VOICE.*.SHUTDOWN": "VOICE.", "A": "A", "A{b,c}": "A{b,c}", "A{b,c}*": "A", "ab?": "ab", "ab[c]": "ab", `a\*`: "a", "*": "",
	} {
		require.Equal(t, expected, literalPrefix(glob), glob)
	}
}

func TestAnnouncedStop(t *testing.T) {
	s := testCollector{newCollector(stopPlugin(t), testProbe, epoch)}
	s.beat(0.1, "kloros-voice-gateway", wall(0.1))
	s.Take()
	s.beat(0.4, "kloros-voice-gateway", wall(0.4))
	require.False(t, s.Due())
	payload := fmt.Sprintf(`{"facts":{"gateway":"kloros-voice-gateway"},"ts":%f}`, epochOf(0.5))
	require.Empty(t, s.signal(0.5, "VOICE.GATEWAY.SHUTDOWN", payload))
	require.True(t, s.Due(), "at once")
	r := s.Take()
	require.Equal(t, []string{"kloros-voice-gateway"}, names(r), "every beat heard before goes first")
	require.Equal(t, []stop{{zooid: "kloros-voice-gateway", observed: secs(0.3), at: at(0.5)}}, r.stops)
	require.False(t, s.Due())

	require.Empty(t, s.signal(0.65, "VOICE.GATEWAY.SHUTDOWN", payload))
	require.False(t, s.Due(), "the second copy of a publisher's first message")
	require.EqualValues(t, 1, s.counts.duplicates)

	require.Empty(t, s.signal(0.7, "VOICE.TTS.SHUTDOWN", "{}"), "the other block names its zooid")
	require.ElementsMatch(t, []string{"voice_tts", "voice_tts_2"}, zooidsOf(s.Take()), "also a component that was not heard")
	require.Empty(t, s.signal(0.8, "VOICE.TTS.TOKEN", "no JSON"), "what the subscription brings along is not rejected")
	require.False(t, s.Due())
	require.Empty(t, s.counts.rejected)
}

func TestStopsThatAreRejected(t *testing.T) {
	for payload, expected := range map[string]bus.Reject{
		"": bus.RejectJSON, "[]": bus.RejectJSON, "{}": bus.RejectNoZooid, `{"facts":[]}`: bus.RejectNoZooid,
		`{"facts":{"zooid":"a"}}`: bus.RejectNoZooid, `{"facts":{"gateway":null}}`: bus.RejectNoZooid,
		`{"facts":{"gateway":5}}`: bus.RejectBadName, `{"facts":{"gateway":""}}`: bus.RejectBadName,
		`{"facts":{"gateway":"a\nb"}}`:                 bus.RejectBadName,
		`{"x":"` + string(make([]byte, 64<<10)) + `"}`: bus.RejectOversize,
	} {
		s := testCollector{newCollector(stopPlugin(t), testProbe, epoch)}
		require.Equal(t, expected, s.signal(0.9, "VOICE.GATEWAY.SHUTDOWN", payload), payload)
		require.False(t, s.Due())
		require.EqualValues(t, 1, s.counts.rejected[expected])
	}
	s := newTestCollector()
	require.Equal(t, bus.RejectTopic, s.signal(1, "VOICE.GATEWAY.SHUTDOWN", "{}"), "no block")
}

// TestStopThatIsReadAfterATick has a tick emitted while a stop waits for the beats that came before it.
func TestStopThatIsReadAfterATick(t *testing.T) {
	s := testCollector{newCollector(stopPlugin(t), testProbe, epoch)}
	s.beat(0.5, "voice_tts", wall(0.5))
	s.beat(1.02, "other", wall(1.02))
	ticked := s.Take()
	require.True(t, ticked.tick)
	s.signal(1.01, "VOICE.TTS.SHUTDOWN", "{}")
	stops := s.Take().stops
	require.Len(t, stops, 2, "of one process")
	require.GreaterOrEqual(t, stops[0].observed, ticked.observed, "else the processor takes it for a copy")
}

func TestStopsThatWaitAreBounded(t *testing.T) {
	s := testCollector{newCollector(stopPlugin(t), testProbe, epoch)}
	for n := range maxStops {
		require.Empty(t, s.signal(1, "VOICE.X.SHUTDOWN", fmt.Sprintf(`{"facts":{"gateway":"z%d"}}`, n)))
	}
	require.Equal(t, bus.RejectMaxZooids, s.signal(1, "VOICE.X.SHUTDOWN", `{"facts":{"gateway":"more"}}`))
	require.Empty(t, s.signal(4, "VOICE.X.SHUTDOWN", `{"facts":{"gateway":"z5"}}`))
	require.Len(t, s.Take().stops, maxStops)
	require.Empty(t, s.signal(5, "VOICE.X.SHUTDOWN", `{"facts":{"gateway":"more"}}`))
}

func TestStopOfARealBus(t *testing.T) {
	b := startBus(t)
	c := onBus(b)
	c.AnnounceAs = ""
	c.TickInterval, c.BlindAfter = config.Duration(time.Hour), config.Duration(2*time.Hour) // only events report
	c.Stops = []*StopTopic{{Topic: "JOB.*.END", ZooidFact: "job"}}
	acc := start(t, c)
	p := publisher(t, b, "JOB.A.END")
	publish(t, p, "HEARTBEAT", beatNow("a"))
	publish(t, p, "HEARTBEAT", beatNow("a"))
	publish(t, p, "JOB.A.TALK", "{}")
	publish(t, p, "JOB.A.END", `{"facts":{"job":"a"}}`)
	require.True(t, holds(func() bool { return len(acc.named("chembus_stop")) == 1 }))
	beats, _ := beatsOf(acc, "a")
	require.EqualValues(t, 2, beats, "before it")
	m := acc.named("chembus_stop")[0]
	require.Equal(t, map[string]string{"zooid": "a", "endpoint": c.subscribeEndpoint}, m.Tags())
	require.Equal(t, map[string]string{"observed_s": "float64", "run": "int64"}, typesOf(m.Fields()))
	require.EqualValues(t, 0, busReport(t, c)["rejected_topic"])
}
