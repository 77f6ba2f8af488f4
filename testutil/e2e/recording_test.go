package e2e

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// speed is how much faster the recording is played; the quick threshold is a tenth of the default, too.
const speed = 10

// TestRecording plays a recording of a real bus, in which reflection_consumer_daemon is killed after 60 s and started again
// after 130 s. See testdata/README.md.
func TestRecording(t *testing.T) {
	const victim = "reflection_consumer_daemon"
	recording, err := os.Open("testdata/colony.jsonl")
	require.NoError(t, err)
	defer recording.Close()
	distinct := distinctBeats(t)

	s := newScene(t, quick)
	gaps := s.consumer()
	p := s.publisher()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	require.NoError(t, p.WaitSubscribed(ctx, "HEARTBEAT"))

	sent, err := p.Replay(ctx, recording, speed)
	require.NoError(t, err)
	received := gaps.Received() // before all components are silent after the end
	require.Equal(t, []string{victim}, zooidsOf(received))

	// All heartbeats reach InfluxDB within a flush interval.
	beats := 0
	for zooid, n := range distinct {
		s.wait("every beat of "+zooid+" is in InfluxDB", func() bool {
			return s.number(`SELECT sum(beats) AS value FROM chembus_heartbeat WHERE zooid = '%s'`, zooid) == float64(n)
		})
		beats += n
	}
	s.wait("the beats are counted", func() bool {
		return s.number(`SELECT last(heartbeats) AS value FROM chembus_bus`) == float64(beats)
	})
	require.EqualValues(t, sent-beats, s.number(`SELECT last(duplicates) AS value FROM chembus_bus`))
	require.Nil(t, s.value(`SELECT count(uptime_s) AS value FROM chembus_heartbeat`), "the recording has epoch times only")

	rows, err := s.influx.Query(database, `SELECT "open", incident_id FROM liveness_gap WHERE zooid = '`+victim+`'`)
	require.NoError(t, err)
	require.Greater(t, len(rows), 2)
	incident := *received[0].IncidentID
	closed := 0
	for _, row := range rows {
		switch {
		case row["incident_id"] != incident:
		case row["open"] == false:
			closed++
		default:
			require.Zero(t, closed, "the gap is opened again")
		}
	}
	require.Contains(t, []int{1, 2, 3}, closed, "the gap is closed once, which is repeated at two reports")
}

// distinctBeats counts the heartbeats of each zooid in the recording, without copies.
func distinctBeats(t *testing.T) map[string]int {
	t.Helper()
	recording, err := os.Open("testdata/colony.jsonl")
	require.NoError(t, err)
	defer recording.Close()
	seen := make(map[string]bool)
	counts := make(map[string]int)
	decoder := json.NewDecoder(recording)
	for decoder.More() {
		var line struct {
			T      float64
			Frames []string
		}
		require.NoError(t, decoder.Decode(&line))
		if len(line.Frames) != 2 || seen[line.Frames[1]] {
			continue
		}
		seen[line.Frames[1]] = true
		var beat struct{ Facts struct{ Zooid string } }
		require.NoError(t, json.Unmarshal([]byte(line.Frames[1]), &beat))
		counts[beat.Facts.Zooid]++
	}
	require.NotEmpty(t, counts)
	return counts
}
