package chembus

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

func TestAnnouncerBeatsLikeEverySubscriber(t *testing.T) {
	a := announcer{name: "heartbeat_monitor", topic: "HEARTBEAT"}
	require.True(t, a.NextDue().IsZero(), "at once")
	var sent []float64
	var payloads []string
	for ms := 100_000; ms < 131_000; ms += 10 {
		now := at(float64(ms) / 1000)
		due := !a.NextDue().After(now)
		payload := a.Due(now, 100*time.Second, uint64(ms))
		require.Equal(t, due, payload != nil, "NextDue tells when")
		if payload != nil {
			sent = append(sent, float64(ms)/1000)
			payloads = append(payloads, string(payload))
		}
	}
	require.Equal(t, []float64{100, 100.15, 110, 120, 130}, sent)
	require.Equal(t, payloads[0], payloads[1], "the copy repeats every byte")

	var message struct {
		Signal, Ecosystem string
		Facts             map[string]any
		TS                float64
	}
	require.NoError(t, json.Unmarshal([]byte(payloads[2]), &message))
	require.Equal(t, "HEARTBEAT", message.Signal)
	require.InDelta(t, bus.EpochSeconds(at(110)), message.TS, 0.001)
	require.Equal(t, map[string]any{
		"zooid": "heartbeat_monitor", "niche": "observability", "uptime_s": 100.0, "processed_count": 10_000.0,
	}, message.Facts)
}

func TestAnnouncerDoesNotCatchUp(t *testing.T) {
	a := announcer{name: "m", topic: "HEARTBEAT"}
	require.NotNil(t, a.Due(at(0), 0, 0))
	require.NotNil(t, a.Due(at(95), 0, 0), "the copy, late")
	require.NotNil(t, a.Due(at(95), 0, 0), "one for all that were missed")
	require.Nil(t, a.Due(at(95), 0, 0))
	require.Equal(t, at(100), a.NextDue(), "in its old rhythm")
}
