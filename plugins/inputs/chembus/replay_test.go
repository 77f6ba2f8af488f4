package chembus

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRecordingOfTheRealBus feeds the collector with 200 s of a real colony, by the times of the recording.
func TestRecordingOfTheRealBus(t *testing.T) {
	file, err := os.Open("testdata/colony.jsonl")
	require.NoError(t, err)
	defer file.Close()

	type tally struct {
		beats, starts int
		niche         string
	}
	expected, reported := make(map[string]tally), make(map[string]tally)
	seen := make(map[string]bool)
	copies := 0
	var acc gate
	heartbeat := newHeartbeatMetric(new(ChemBus))
	s := newTestCollector()
	var now float64
	take := func() {
		r := s.Take()
		for _, z := range r.beats {
			sum := reported[z.name]
			reported[z.name] = tally{sum.beats + z.beats, sum.starts + z.starts, z.niche}
			heartbeat.add(&acc, &z)
		}
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var line struct {
			T      float64
			Frames []string
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		if line.Frames == nil {
			continue
		}
		now = line.T
		require.Len(t, line.Frames, 2)
		topic, payload := line.Frames[0], line.Frames[1]
		require.Empty(t, s.Receive(frames(topic, payload), at(now)), payload)
		if s.Due() {
			take()
		}

		// Independently of the collector: equal bytes are one beat.
		var message struct {
			Facts struct{ Zooid, Niche string }
		}
		require.NoError(t, json.Unmarshal([]byte(payload), &message))
		sum := expected[message.Facts.Zooid]
		sum.niche = message.Facts.Niche
		if seen[payload] {
			sum.starts++
			copies++
		} else {
			sum.beats++
		}
		seen[payload] = true
		expected[message.Facts.Zooid] = sum
	}
	require.NoError(t, lines.Err())
	s.Evidence(at(now + 1))
	take()

	require.Equal(t, expected, reported)
	require.Equal(t, tally{160, 8, "consciousness"}, reported["meta_agent"], "eight streams")
	require.Equal(t, 2, reported["reflection_consumer_daemon"].starts, "it was started again")
	require.Equal(t, 23, copies)
	require.EqualValues(t, 23, s.counts.duplicates)
	require.EqualValues(t, 433, s.counts.heartbeats)
	require.Empty(t, s.counts.rejected)
	require.NotEmpty(t, acc.named("chembus_heartbeat"))
	for _, m := range acc.named("chembus_heartbeat") {
		require.False(t, m.HasField("uptime_s"), "today's components put the epoch time there")
		require.True(t, m.HasField("processed_count"))
	}
}
