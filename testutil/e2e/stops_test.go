package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// stopBlocks are options of the input for signals that name the component, and for some that do not.
const stopBlocks = `
  [[inputs.chembus.stop]]
    topic = "VOICE.GATEWAY*.SHUTDOWN"
    zooid_fact = "gateway"
  [[inputs.chembus.stop]]
    topic = "VOICE.TTS.SHUTDOWN"
    zooid = "voice_tts"
  [[inputs.chembus.stop]]
    topic = "VOICE.STT.SHUTDOWN"
    zooid = "voice_stt"

[[processors.liveness]]`

// stoppedState is the state_code of a component that has announced its stop.
const stoppedState = 7

// TestAnnouncedStopsAmongDeaths stops forty components that announce it while forty others die. The deaths are reported,
// each once, and no stop is.
func TestAnnouncedStopsAmongDeaths(t *testing.T) {
	const each = 40
	s := newScene(t, strings.Replace(quick, "\n[[processors.liveness]]", stopBlocks, 1))
	gaps := s.consumer()
	zooids := []colony.Zooid{
		{Name: "voice_tts", Voice: "TTS"}, {Name: "voice_stt", Voice: "STT"},
		{Name: "lives"}, {Name: "lives, too", Voice: "KNOWLEDGE"},
	}
	stops := []string{"voice_tts", "voice_stt"}
	for n := len(stops); n < each; n++ {
		z := colony.Zooid{Name: fmt.Sprintf("gateway_%02d", n), Voice: fmt.Sprintf("GATEWAY_%02d", n), VoiceFact: "gateway"}
		zooids, stops = append(zooids, z), append(stops, z.Name)
	}
	var deaths []string
	for n := range each {
		z := colony.Zooid{Name: fmt.Sprintf("victim_%02d", n)}
		zooids, deaths = append(zooids, z), append(deaths, z.Name)
	}
	c := s.colonyOf(zooids...)
	s.waitSubscribed(c, "VOICE.GATEWAY_05.SHUTDOWN", "VOICE.TTS.SHUTDOWN", "VOICE.STT.SHUTDOWN")

	for n := range each {
		require.NoError(t, c.Stop(stops[n]))
		require.NoError(t, c.Kill(deaths[n]))
	}
	s.wait("every death is reported", func() bool { return len(reportedIn(gaps.Received())) >= each })
	for _, zooid := range stops {
		s.wait(zooid+" is stopped", func() bool {
			return s.number(`SELECT last(state_code) AS value FROM liveness WHERE zooid = '%s'`, zooid) == stoppedState
		})
	}
	s.observe(2 * quickThreshold)
	require.ElementsMatch(t, deaths, reportedIn(gaps.Received()))

	for n := range each {
		require.NoError(t, c.Revive(stops[n]))
		require.NoError(t, c.Revive(deaths[n]))
	}
	s.waitUp(append(stops, deaths...)...)
	require.NoError(t, c.Kill(stops[0]))
	s.wait("a death after a stop is reported", func() bool { return len(reportedIn(gaps.Received())) > each })
	s.observe(quickThreshold)
	require.ElementsMatch(t, append(deaths, stops[0]), reportedIn(gaps.Received()))
}
