package e2e

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// speed is how much faster than it was recorded the recording is played; the quick threshold is as many
// times shorter than the default one.
const speed = 10

// TestRecording plays a recording of the real bus, in which reflection_consumer_daemon is killed after
// 60 s and starts again after 130 s. See testdata/README.md.
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
	received := gaps.Received() // before the recording's end becomes a silence of everybody
	require.Equal(t, []string{victim}, zooidsOf(received))

	// What was heard before the recording ended reaches InfluxDB within a flush.
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
	require.Nil(t, s.value(`SELECT count(uptime_s) AS value FROM chembus_heartbeat`), "the recording holds only epoch times")

	rows, err := s.influx.Query(database, `SELECT "open", incident_id FROM liveness_gap WHERE zooid = '`+victim+`'`)
	require.NoError(t, err)
	require.Greater(t, len(rows), 2)
	incident := *received[0].IncidentID
	closed := 0
	for _, row := range rows {
		if row["incident_id"] == incident && row["open"] == false {
			closed++
		}
	}
	require.Equal(t, 1, closed, "its recovery closes the gap once")
}

// distinctBeats counts the heartbeats of each zooid in the recording, copies of a double tap once.
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
