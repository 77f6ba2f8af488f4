package chembus

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/telegraf/config"
	"github.com/stretchr/testify/require"
)

// lastTick returns the fields of the last tick.
func lastTick(acc *gate) map[string]any {
	ticks := acc.named("chembus_tick")
	return ticks[len(ticks)-1].Fields()
}

// TestProxyThatIsStartedAgain loses the connection for much less than blind_after.
func TestProxyThatIsStartedAgain(t *testing.T) {
	b := startBus(t)
	c := onBus(b)
	c.BlindAfter = config.Duration(time.Hour) // so that nothing else is a hole
	acc := start(t, c)
	eventually(t, c, map[string]any{"observable": true, "holes": int64(1)})
	for n := int64(2); n < 5; n++ {
		require.NoError(t, b.Kill())
		require.True(t, holds(func() bool { return busReport(t, c)["disconnects"].(uint64) == uint64(n-1) }))
		require.NoError(t, b.Restart())
		eventually(t, c, map[string]any{"observable": true, "holes": n})
		require.True(t, holds(func() bool { return lastTick(acc)["holes"] == n }))
		require.Len(t, strings.Fields(lastTick(acc)["hole_list"].(string)), int(n))
	}
}

// TestLargeSignalCutsNoHeartbeats sends what ZeroMQ refuses, on a topic that is freely configured.
func TestLargeSignalCutsNoHeartbeats(t *testing.T) {
	b := startBus(t)
	c := onBus(b)
	c.MaxMessageSize = 1 << 10
	c.Signals = []string{"EVOLUTION"}
	acc := start(t, c)
	p := publisher(t, b, "EVOLUTION")
	before := eventually(t, c, observable(c))
	for n := range uint64(3) {
		require.True(t, holds(func() bool {
			publish(t, p, "EVOLUTION", strings.Repeat("x", socketSizeFactor<<10+1))
			return busReport(t, c)["signals_disconnects"].(uint64) > n
		}))
	}
	require.True(t, holds(func() bool { return says(c, "The connection for signals to the bus") }))
	require.True(t, says(c, "probably by a message of more than 65536 bytes"))
	publish(t, p, "HEARTBEAT", beatNow("audio_io"))
	require.True(t, holds(func() bool { n, _ := beatsOf(acc, "audio_io"); return n == 1 }))
	require.Equal(t, pick(before, "disconnects", "holes"), pick(busReport(t, c), "disconnects", "holes"))
	require.True(t, holds(func() bool {
		publish(t, p, "EVOLUTION", `{"intensity":1}`)
		return busReport(t, c)["signals"].(uint64) > 0
	}), "signals are heard again")
}

// TestLargeHeartbeatIsAHoleAndNamed sends it on the topic of the heartbeats.
func TestLargeHeartbeatIsAHoleAndNamed(t *testing.T) {
	b := startBus(t)
	c := onBus(b)
	c.MaxMessageSize = 1 << 10
	start(t, c)
	p := publisher(t, b)
	eventually(t, c, map[string]any{"observable": true, "holes": int64(1)})
	require.NoError(t, p.Send([]byte("HEARTBEAT"), bytes.Repeat([]byte("x"), socketSizeFactor<<10+1)))
	eventually(t, c, map[string]any{"observable": true, "holes": int64(2)})
	require.True(t, holds(func() bool {
		return says(c, "The connection for heartbeats") && says(c, "probably by a message of more than 65536 bytes")
	}))
}

// TestMoreThanCanBeRead has more come than there is room for. The lock keeps it from being read.
func TestMoreThanCanBeRead(t *testing.T) {
	b := startBus(t)
	c := onBus(b)
	c.PendingBytesLimit = minPendingBytes
	acc := start(t, c)
	p := publisher(t, b)
	eventually(t, c, observable(c))
	slow := `{"facts":{"zooid":"slow"},"x":"` + strings.Repeat(`\u0041`, 10_000) + `"}`
	require.True(t, holds(func() bool {
		c.mu.Lock()
		for range 100 {
			publish(t, p, "HEARTBEAT", slow)
		}
		c.mu.Unlock()
		return busReport(t, c)["dropped"].(uint64) > 100
	}))
	fields := eventually(t, c, observable(c))
	require.GreaterOrEqual(t, fields["holes"], int64(2))
	require.True(t, holds(func() bool { return says(c, "messages for heartbeats") && says(c, "were dropped") }))
	require.True(t, holds(func() bool {
		publish(t, p, "HEARTBEAT", beatNow("audio_io")) // again and again: what is left of the flood may come before it
		n, _ := beatsOf(acc, "audio_io")
		return n > 0
	}))
}

// TestLagOfOneHostIsNeverNegative sends as fast as it can, so that beats are sent while others are received.
func TestLagOfOneHostIsNeverNegative(t *testing.T) {
	b := startBus(t)
	c := onBus(b)
	acc := start(t, c)
	p := publisher(t, b)
	const rounds, each = 60, 500
	for round := range uint64(rounds) {
		for n := range each {
			publish(t, p, "HEARTBEAT", beatNow(fmt.Sprint(n)))
		}
		// Not all at once, which would be more than the queues of the bus hold.
		require.True(t, holds(func() bool { return busReport(t, c)["heartbeats"].(uint64) >= (round+1)*each }))
	}
	for _, m := range acc.named("chembus_heartbeat") {
		require.GreaterOrEqual(t, fieldOf(t, m, "lag_s"), 0.0)
	}
}
