package chembus

import (
	"strings"
	"testing"

	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

func TestRejectsAreLoggedOnceAMinute(t *testing.T) {
	var log testutil.CaptureLogger
	l := rejectLog{log: &log}
	huge := strings.Repeat("x", 1<<20)
	for second := range 150 {
		for range 100 {
			l.Add(bus.RejectJSON, frames("HEARTBEAT", "evil\n2026-01-01T00:00:00Z E! forged \x1b[31m"))
		}
		l.Add(bus.RejectTopic, frames("HEARTBEAT_X", huge))
		l.Flush(at(float64(second)))
	}
	lines := log.Messages()
	require.Len(t, lines, 3, "150 s")
	require.Equal(t, `Messages rejected: 1 for topic (first: topic "HEARTBEAT_X", 1048576 bytes: "`+strings.Repeat("x", excerptLength)+
		`"); 100 for json (first: topic "HEARTBEAT", 41 bytes: "evil\n2026-01-01T00:00:00Z E! forged \x1b[31m")`, lines[0].Text)
	require.Contains(t, lines[1].Text, "60 for topic")
	require.Contains(t, lines[1].Text, "6000 for json")
	for _, line := range lines {
		require.EqualValues(t, testutil.LevelWarn, line.Level)
		require.NotContains(t, line.Text, "\n")
		require.Less(t, len(line.Text), 2000)
	}
}

func TestNothingRejectedIsNoLine(t *testing.T) {
	var log testutil.CaptureLogger
	l := rejectLog{log: &log}
	l.Flush(at(0))
	l.Flush(at(100))
	require.Empty(t, log.Messages())
}

func TestSizeLimitIsTheOption(t *testing.T) {
	c := newPlugin()
	c.MaxMessageSize = config.Size(2048)
	s := testCollector{newCollector(c, "", epoch)}
	payload := heartbeat("z", wall(0))
	padded := func(size int) string {
		return strings.Replace(payload, `{`, `{"x":"`+strings.Repeat("x", size-len(payload)-len(`"x":"",`))+`",`, 1)
	}
	require.Len(t, padded(2048), 2048)
	require.Empty(t, s.send(0, padded(2048)))
	require.Equal(t, bus.RejectOversize, s.send(0, padded(2049)))
}
