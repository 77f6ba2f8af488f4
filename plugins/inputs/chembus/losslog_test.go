package chembus

import (
	"testing"

	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"
)

func TestMissedMessagesAreLoggedWithTheirCause(t *testing.T) {
	var log testutil.CaptureLogger
	l := lossLog{what: "heartbeats", effect: "that time is not counted as silence", endpoint: "tcp://bus:1", socketSize: 4 << 20, log: &log}
	texts := func() (texts []string) {
		for _, entry := range log.Messages() {
			texts = append(texts, entry.String())
		}
		return texts
	}
	l.Update(2, 0, 0, at(1))
	require.Empty(t, texts(), "a proxy that is started again")
	l.Update(2, 0, 0, at(100))
	for now := 101; now < 150; now += 10 {
		l.Update(uint64(now)/10, 0, 0, at(float64(now)))
	}
	require.Len(t, texts(), 1)
	require.Contains(t, texts()[0], `W! [] The connection for heartbeats to the bus at "tcp://bus:1" was lost `)
	for now := 300; now < 390; now += 10 {
		l.Update(uint64(now), uint64(now), 0, at(float64(now)))
	}
	require.Len(t, texts(), 3, "once a minute")
	require.Contains(t, texts()[1], "was cut (300 times), probably by a message of more than 4194304 bytes")
	require.Contains(t, texts()[2], "was cut (60 times)")
	l.Update(390, 390, 5, at(400))
	require.Contains(t, texts()[3], "5 messages for heartbeats from the bus at \"tcp://bus:1\" were dropped")
	require.Contains(t, texts()[3], "pending_bytes_limit")
}
