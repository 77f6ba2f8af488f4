package e2e

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// TestKilledComponent kills a component and revives it, with a short threshold.
func TestKilledComponent(t *testing.T) {
	killedComponent(newScene(t, quick), "1", quickThreshold, "meta_agent", "heal_executor")
}

// TestKilledComponentWithDefaults does the same with the default options and the intervals of the real colony.
func TestKilledComponentWithDefaults(t *testing.T) {
	killedComponent(newScene(t, ""), "10", 30, "meta_agent", "heal_executor", "heartbeat_monitor")
}

// killedComponent kills audio_io and revives it; the others must stay up.
func killedComponent(s *scene, interval string, threshold float64, others ...string) {
	gaps := s.python("consumer.py")
	beats := s.listener("HEARTBEAT")
	s.wait("the consumer listens", func() bool { return strings.Contains(gaps.Output(), "ready") })
	s.python("emitter.py", "meta_agent", "consciousness", interval, "8")
	s.python("emitter.py", "heal_executor", "system_healing", interval, "1")
	victim := s.python("emitter.py", "audio_io", "audio", interval, "3")
	for _, zooid := range append(others, "audio_io") {
		s.wait(zooid+" is up", func() bool { return s.up(zooid) == 1 })
	}

	require.NoError(s, victim.Signal(syscall.SIGKILL))
	<-victim.Done()
	killed := time.Now()

	s.wait("a gap arrives", func() bool { return len(s.deliveries(gaps)) > 0 })
	s.Logf("the gap arrived %.1f s after the kill", time.Since(killed).Seconds())
	requireGap(s, s.deliveries(gaps)[0], lastBeat(beats, "audio_io"), threshold)

	s.wait("InfluxDB has it as down", func() bool { return s.up("audio_io") == 0 })
	s.waitForGap("audio_io", true)
	// The open gap is repeated at each report, but must not be published again.
	s.wait("the open gap was repeated", func() bool {
		return s.number(`SELECT count("open") AS value FROM liveness_gap WHERE zooid = 'audio_io'`) >= 3
	})

	s.python("emitter.py", "audio_io", "audio", interval, "3")
	s.wait("it is up again", func() bool { return s.up("audio_io") == 1 })
	s.waitForGap("audio_io", false)
	s.observe(0.4 * threshold)

	require.Len(s, s.deliveries(gaps), 1, "one gap and no copy")
	closed := s.number(`SELECT count("open") AS value FROM liveness_gap WHERE "open" = false`)
	require.True(s, closed >= 1 && closed <= 3, "closed once, which two reports repeat, not %v times", closed)
	for _, zooid := range others {
		require.EqualValues(s, 1, s.number(`SELECT min("up") AS value FROM liveness WHERE zooid = '%s'`, zooid), zooid)
		require.Positive(s, s.number(`SELECT count("beats") AS value FROM chembus_heartbeat WHERE zooid = '%s'`, zooid), zooid)
	}
	require.EqualValues(s, 0, s.number(`SELECT min("up") AS value FROM liveness WHERE zooid = 'audio_io'`))
	require.Nil(s, s.value(`SELECT count(observed_s) AS value FROM chembus_tick`), "the processor drops the ticks")
	require.Nil(s, s.value(`SELECT count(uptime_s) AS value FROM chembus_heartbeat WHERE uptime_s > 1e6`), "an epoch time is not an uptime")
	require.Positive(s, s.number(`SELECT count(used) AS value FROM mem`), "metrics of other inputs arrive")
}

// lastBeat returns the ts of the last heartbeat of a component that the bus has forwarded, without copies. It is not always
// the greatest ts: on a busy machine, of two streams the first to read the clock may be the second to send.
func lastBeat(beats *consumer.Consumer, zooid string) float64 {
	var last float64
	seen := make(map[string]bool)
	for _, m := range beats.Received() {
		if m.Facts["zooid"] == zooid && !seen[string(m.Payload)] {
			seen[string(m.Payload)] = true
			last = m.TS
		}
	}
	return last
}

// requireGap checks the keys and the facts of a message.
func requireGap(s *scene, d delivery, lastBeat, threshold float64) {
	require.Empty(s, d.Malformed)
	require.True(s, d.Handled)
	var keys []string
	decoder := json.NewDecoder(strings.NewReader(d.Payload))
	for depth := 0; decoder.More() || depth > 0; {
		token, err := decoder.Token()
		require.NoError(s, err)
		switch token {
		case json.Delim('{'):
			depth++
			continue
		case json.Delim('}'):
			depth--
			continue
		}
		if depth == 1 {
			keys = append(keys, token.(string))
			if token != "facts" {
				_, err := decoder.Token()
				require.NoError(s, err)
			}
		}
	}
	require.Equal(s, []string{
		"signal", "ecosystem", "intensity", "facts", "incident_id", "trace", "ts", "schema_version", "channel",
	}, keys)

	var m struct {
		Signal, Ecosystem string
		Intensity         float64
		IncidentID        string `json:"incident_id"`
		Trace             any
		TS                float64
		SchemaVersion     int `json:"schema_version"`
		Facts             map[string]any
	}
	require.NoError(s, json.Unmarshal([]byte(d.Payload), &m))
	require.Equal(s, "CAPABILITY_GAP", m.Signal)
	require.Equal(s, "monitoring", m.Ecosystem)
	require.EqualValues(s, 1, m.Intensity)
	require.NotEmpty(s, m.IncidentID)
	require.Nil(s, m.Trace)
	require.Equal(s, 1, m.SchemaVersion)
	require.Equal(s, "heartbeat_missing", m.Facts["gap_type"])
	require.Equal(s, "heartbeat_audio_io", m.Facts["gap_name"])
	require.NotEmpty(s, m.Facts["gap_category"])
	require.Contains(s, m.Facts["gap_reason"], "audio_io")
	require.Equal(s, "audio_io", m.Facts["zooid"])
	require.Equal(s, "monitoring", m.Facts["ecosystem"])
	require.Equal(s, lastBeat, m.Facts["last_seen"])
	missing := m.Facts["missing_seconds"].(float64)
	require.Greater(s, missing, threshold)
	require.Less(s, missing, threshold+2, "found with the first tick after the deadline")
	require.Less(s, m.TS-lastBeat, threshold+15, "the machine is too slow for this test")
}
