package colony_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// startedListener returns a consumer of a topic that hears what the colony publishes from now on.
func startedListener(t *testing.T, col *colony.Colony, bus *colony.Bus, topic string) *consumer.Consumer {
	t.Helper()
	c := listen(t, bus, topic)
	require.NoError(t, col.WaitSubscribed(limit(t), topic))
	return c
}

// silentAfter requires that of these zooids no beat was sent after a time, once another has beaten for a while after it.
func silentAfter(t *testing.T, c *consumer.Consumer, other string, at time.Time, zooids ...string) {
	t.Helper()
	require.NoError(t, c.Wait(limit(t), func(received []consumer.Message) bool {
		others := beatsOf(received, other)
		return len(others) > 0 && others[len(others)-1].TS > seconds(at)+0.2
	}))
	for _, zooid := range zooids {
		for _, m := range beatsOf(c.Received(), zooid) {
			require.LessOrEqual(t, m.TS, seconds(at), zooid)
		}
	}
}

func TestAnnouncedStops(t *testing.T) {
	bus := startBus(t)
	col, c := startColonyOn(t, bus, colony.Config{Now: func() time.Time { return time.Unix(1_795_446_803, 500_000_000) }})
	ready := startedListener(t, col, bus, "VOICE.GATEWAY.READY")
	gateway := startedListener(t, col, bus, "VOICE.GATEWAY.SHUTDOWN")
	tts := startedListener(t, col, bus, "VOICE.TTS.SHUTDOWN")
	services := colony.VoiceServices()
	require.Len(t, services, 8)
	for i := range services {
		services[i].Interval = time.Millisecond
	}
	require.NoError(t, col.Add(services...))
	require.NoError(t, ready.Wait(limit(t), atLeast(1)), "it announces its start")
	require.NoError(t, c.Wait(limit(t), beats("kloros-voice-gateway", 3)))

	require.NoError(t, col.Stop("kloros-voice-gateway"))
	require.NoError(t, col.Stop("voice_tts"))
	require.NoError(t, gateway.Wait(limit(t), atLeast(1)))
	require.NoError(t, tts.Wait(limit(t), atLeast(1)))
	require.Equal(t, `{"signal":"VOICE.GATEWAY.SHUTDOWN","ecosystem":"voice","intensity":1.0,`+
		`"facts":{"gateway":"kloros-voice-gateway"},"incident_id":null,"trace":null,"ts":1795446803.5,`+
		`"schema_version":1,"channel":"legacy"}`, string(gateway.Received()[0].Payload))
	require.Empty(t, tts.Received()[0].Facts, "only the gateway names the zooid")
	require.NotContains(t, col.Names(), "voice_tts")
	require.ErrorContains(t, col.Stop("voice_tts"), "already dead")

	require.NoError(t, col.Revive("kloros-voice-gateway"))
	require.NoError(t, ready.Wait(limit(t), atLeast(2)))
	require.Len(t, gateway.Received(), 1)
	require.NoError(t, col.Kill("kloros-voice-gateway"))
	require.NoError(t, col.Revive("kloros-voice-gateway"))
	require.NoError(t, ready.Wait(limit(t), atLeast(3)))
	require.Len(t, gateway.Received(), 1, "a death is not announced")
}

func TestProcessWithTwoNames(t *testing.T) {
	col, c := startColony(t, colony.Config{})
	zooid := func(name, process string) colony.Zooid {
		return colony.Zooid{Name: name, Process: process, Interval: time.Millisecond}
	}
	require.NoError(t, col.Add(zooid("a", "p"), zooid("b", "p"), zooid("c", "")))
	require.NoError(t, c.Wait(limit(t), beats("b", 3)))
	require.NoError(t, col.KillProcess("p"))
	silentAfter(t, c, "c", time.Now(), "a", "b")
	require.Equal(t, []string{"c"}, col.Names())
	require.ErrorContains(t, col.KillProcess("p"), `"p"`)
	require.ErrorContains(t, col.KillProcess(""), "no zooid")
}

func TestKillSignal(t *testing.T) {
	bus := startBus(t)
	col, c := startColonyOn(t, bus, colony.Config{})
	kills := startedListener(t, col, bus, colony.KillTopic)
	require.NoError(t, col.Add(
		colony.Zooid{Name: "obeys", Interval: time.Millisecond},
		colony.Zooid{Name: "goes on", Interval: time.Millisecond, RuntimeStreams: 1}))
	require.NoError(t, c.Wait(limit(t), beats("obeys", 3)))

	require.NoError(t, col.KillSignal())
	killed := time.Now()
	require.NoError(t, kills.Wait(limit(t), atLeast(1)))
	silentAfter(t, c, "goes on", killed, "obeys")
	for _, m := range beatsOf(c.Received(), "goes on") {
		_, runtime := m.Facts["incidents_handled"]
		require.True(t, runtime || m.TS <= seconds(killed), "only ZooidRuntime goes on")
	}
	require.Equal(t, []string{"goes on"}, col.Names())
	require.NoError(t, col.Revive("obeys"))
	require.NoError(t, c.Wait(limit(t), func(received []consumer.Message) bool {
		beats := beatsOf(received, "obeys")
		return beats[len(beats)-1].TS > seconds(killed)
	}))
}

func TestSecondDialect(t *testing.T) {
	beat := colony.Heartbeat{Zooid: "a", Niche: "n", ProcessedCount: 3, TS: 1795446803, Runtime: true}
	require.Equal(t, `{"signal":"HEARTBEAT","ecosystem":"colony","intensity":1.0,`+
		`"facts":{"zooid":"a","niche":"n","ts":1795446803.0,"schema":1,"incidents_handled":3},`+
		`"incident_id":null,"trace":null,"ts":1795446803.0,"schema_version":1,"channel":"legacy"}`, string(beat.Payload()))

	col, c := startColony(t, colony.Config{})
	require.Error(t, col.Add(colony.Zooid{Name: "a", RuntimeStreams: -1}))
	require.NoError(t, col.Add(colony.Zooid{Name: "a", Interval: time.Millisecond, RuntimeStreams: 1}))
	require.NoError(t, c.Wait(limit(t), func(received []consumer.Message) bool {
		var dialects [2]bool
		for _, m := range received {
			_, first := m.Facts["uptime_s"]
			_, second := m.Facts["incidents_handled"]
			dialects[0], dialects[1] = dialects[0] || first && !second, dialects[1] || second && !first
		}
		return dialects[0] && dialects[1]
	}), "beside the other stream")
}

func TestSignalWithoutJSONFacts(t *testing.T) {
	_, err := colony.Signal{Name: "S", Facts: map[string]any{"f": func() {}}}.Payload()
	require.ErrorContains(t, err, `"S"`)
	payload, err := colony.Signal{Name: "S", Ecosystem: "e", Intensity: 1.5, IncidentID: "i"}.Payload()
	require.NoError(t, err)
	require.Equal(t, `{"signal":"S","ecosystem":"e","intensity":1.5,"facts":{},"incident_id":"i","trace":null,`+
		`"ts":0.0,"schema_version":1,"channel":"legacy"}`, string(payload))
}
