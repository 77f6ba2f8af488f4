package chembus

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/metric"
	"github.com/influxdata/telegraf/plugins/parsers/influx"
	serializer "github.com/influxdata/telegraf/plugins/serializers/influx"
)

// FuzzParseHeartbeat reads any payload: what is taken for a heartbeat can be a metric, and comes back from
// line protocol as it was; what the standard library reads as JSON is not refused for being none.
func FuzzParseHeartbeat(f *testing.F) {
	recording, err := os.Open("../../inputs/chembus/testdata/colony.jsonl")
	require.NoError(f, err)
	defer recording.Close()
	lines := bufio.NewScanner(recording)
	for n := 0; lines.Scan() && n < 50; n++ {
		f.Add(lines.Bytes())
	}
	for _, payload := range []string{
		"", "null", "[]", "NaN", `{"facts":[]}`, `{"facts":{"zooid":null}}`, `{"facts":{"zooid":7}}`,
		`{"facts":{"zooid":"a","niche":"b","uptime_s":NaN,"processed_count":-Infinity},"ts":Infinity}`,
		`{"facts":{"zooid":"\ud83d\udca9 \u00e9\\","niche":"\n"},"ts":1e999}`, `{"ts":1,"ts":2,"facts":{"zooid":"a","zooid":"b"}}`,
		`{"facts":{"zooid":"a\\\"b"}}`, "{\"facts\":{\"zooid\":\"\xff\"}}", `{"f\u0061cts":{"zooid":"a"}}`, `{"facts":{"zooid":"\ud800"}}`,
		`{"facts":{"zooid":"a","processed_count":9007199254740993,"uptime_s":1e9}}`, onTheWire,
	} {
		f.Add([]byte(payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		requirePlainIsRight(t, string(payload))
		requireLayoutsAreRight(t, new(HeartbeatParser), onTheWire, string(payload), onTheWire, string(payload))
		beat, reject := ParseHeartbeat(string(payload))
		if reject != "" {
			require.Contains(t, Rejects, reject)
			if reject == RejectJSON && utf8.Valid(payload) {
				var object map[string]json.RawMessage
				if json.Unmarshal(payload, &object) == nil {
					require.Nil(t, object, "an object was refused")
				}
			}
			return
		}
		require.True(t, ValidName(beat.Zooid))
		require.True(t, beat.Niche == "" || ValidName(beat.Niche))
		require.False(t, math.IsInf(beat.Sent, 0))
		require.GreaterOrEqual(t, beat.ProcessedCount, int64(-1))
		require.True(t, math.IsNaN(beat.Uptime) || beat.Uptime >= 0 && beat.Uptime < maxUptime)

		tags := map[string]string{"zooid": beat.Zooid}
		if beat.Niche != "" {
			tags["niche"] = beat.Niche
		}
		m := metric.New("m", tags, map[string]any{"beats": 1}, time.Unix(1, 0))
		s := serializer.Serializer{}
		require.NoError(t, s.Init())
		line, err := s.Serialize(m)
		require.NoError(t, err)
		p := influx.Parser{}
		require.NoError(t, p.Init())
		back, err := p.Parse(line)
		require.NoError(t, err, "%q", line)
		require.Len(t, back, 1)
		require.Equal(t, tags, back[0].Tags())
	})
}
