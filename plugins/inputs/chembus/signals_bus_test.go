package chembus

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// startHearing starts a plugin that hears the topics, and a publisher that it hears.
func startHearing(t *testing.T, topics ...string) (*ChemBus, *gate, *colony.Publisher) {
	t.Helper()
	b := startBus(t)
	c := onBus(b)
	c.AnnounceAs, c.Signals = "", topics
	acc := start(t, c)
	return c, acc, publisher(t, b, topics...)
}

func TestSignalsOfARealBus(t *testing.T) {
	c, acc, p := startHearing(t, "EVOLUTION", "metric")
	evolution := fmt.Sprintf(`{"signal":"EVOLUTION","ecosystem":"colony","intensity":1.0,"facts":{"generation":1},"ts":%f}`, epochOf(0))
	publish(t, p, "EVOLUTION", evolution)
	publish(t, p, "EVOLUTION", evolution)
	publish(t, p, "EVOLUTION_X", evolution)
	publish(t, p, "metrics", `{"facts":{"name":"x","value":1}}`)
	publish(t, p, "metric", `{"facts":{"name":"x"}}`)
	publish(t, p, "metric", `{"facts":{"name":"loss","value":0.5,"tags":{"run":"1"}}}`)
	eventually(t, c, map[string]any{
		"signals": uint64(2), "signals_dropped": uint64(0), "duplicates": uint64(1), "rejected_topic": uint64(2), "rejected_bad_signal": uint64(1),
	})
	require.True(t, holds(func() bool { return len(acc.named("chembus_signal")) == 2 }))
	metrics := acc.named("chembus_signal")
	require.Equal(t, map[string]string{"signal": "EVOLUTION", "ecosystem": "colony"}, metrics[0].Tags())
	require.Equal(t, map[string]any{"intensity": 1.0, "facts_generation": 1.0}, metrics[0].Fields())
	require.InDelta(t, epochOf(0), float64(metrics[0].Time().UnixNano())/1e9, 1e-5)
	require.Equal(t, map[string]string{"signal": "metric", "name": "loss", "tags_run": "1"}, metrics[1].Tags())
	require.Equal(t, map[string]any{"value": 0.5}, metrics[1].Fields())
}

// Nobody reads for a while: heartbeats are heard as ever, what waits is bounded, the rest is counted.
func TestFloodOfSignalsWhileTelegrafStalls(t *testing.T) {
	c, acc, p := startHearing(t, "FLOOD")
	eventually(t, c, observable(c))
	open := acc.close(t)
	text := strings.Repeat("x", maxTextLength)
	sent := 0
	require.True(t, holds(func() bool {
		for range 100 { // less than what a socket of the bus queues
			publish(t, p, "FLOOD", fmt.Sprintf(`{"intensity":%d,"facts":{"text":%q}}`, sent, text))
			sent++
		}
		return busReport(t, c)["signals_dropped"].(uint64) > 100
	}))
	publish(t, p, "HEARTBEAT", beatNow("audio_io"))
	eventually(t, c, map[string]any{"heartbeats": uint64(1), "observable": true})
	c.mu.Lock()
	require.LessOrEqual(t, c.collector.signals.waitingSize, maxSignalsSize)
	c.mu.Unlock()

	open()
	require.True(t, holds(func() bool { n, _ := beatsOf(acc, "audio_io"); return n == 1 }))
	require.True(t, holds(func() bool {
		report := busReport(t, c)
		return uint64(len(acc.named("chembus_signal"))) == report["signals"].(uint64)-report["signals_dropped"].(uint64)
	}), "every one is reported or counted as dropped")
}
