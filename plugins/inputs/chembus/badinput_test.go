package chembus

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// Every bad input is counted by its reason, and neither ends anything nor touches anybody else.
func TestBadInputOfARealBus(t *testing.T) {
	facts := func(text string) string { return `{"facts":` + text + `}` }
	name := func(text string) string { return facts(`{"zooid":"` + text + `"}`) }
	bad := []struct {
		reason bus.Reject
		frames []string
	}{
		{bus.RejectTopic, []string{"HEARTBEAT_X", beatNow("x")}},
		{bus.RejectTopic, []string{"HEARTBEAT ", beatNow("x")}},
		{bus.RejectFrames, []string{"HEARTBEAT"}},
		{bus.RejectFrames, []string{"HEARTBEAT", beatNow("x"), ""}},
		{bus.RejectFrames, []string{"HEARTBEAT", "", beatNow("x")}},
		{bus.RejectOversize, []string{"HEARTBEAT", facts(`{"zooid":"x","y":"` + strings.Repeat("y", 1<<20) + `"}`)}},
		{bus.RejectJSON, []string{"HEARTBEAT", ""}},
		{bus.RejectJSON, []string{"HEARTBEAT", "hello"}},
		{bus.RejectJSON, []string{"HEARTBEAT", "NaN"}},
		{bus.RejectJSON, []string{"HEARTBEAT", "[" + beatNow("x") + "]"}},
		{bus.RejectJSON, []string{"HEARTBEAT", strings.Repeat("[", 60_000)}},
		{bus.RejectJSON, []string{"HEARTBEAT", name("x\xff")}},
		{bus.RejectNoZooid, []string{"HEARTBEAT", `{"signal":"HEARTBEAT"}`}},
		{bus.RejectNoZooid, []string{"HEARTBEAT", facts(`{}`)}},
		{bus.RejectBadName, []string{"HEARTBEAT", facts(`{"zooid":8507}`)}},
		{bus.RejectBadName, []string{"HEARTBEAT", name("")}},
		{bus.RejectBadName, []string{"HEARTBEAT", name(strings.Repeat("x", 10_000))}},
		{bus.RejectBadName, []string{"HEARTBEAT", name(`x\ny`)}},
		{bus.RejectBadName, []string{"HEARTBEAT", name(`x\u0007`)}},
	}
	b := startBus(t)
	c := onBus(b)
	c.AnnounceAs = ""
	acc := start(t, c)
	p := publisher(t, b)
	expected := make(map[string]uint64)
	beats := 0
	for range 3 {
		for _, message := range bad {
			publish(t, p, message.frames...)
			expected["rejected_"+string(message.reason)]++
			publish(t, p, "HEARTBEAT", beatNow("good"))
			beats++
		}
	}
	// Odd, but alive.
	good := map[string]string{
		"quirks": string(colony.Heartbeat{Zooid: "quirks", Quirks: colony.Quirks{NaN: true, MissingKeys: true}}.Payload()),
		"whole":  string(colony.Heartbeat{Zooid: "whole", TS: 1795446803.5, Quirks: colony.Quirks{Integers: true}}.Payload()),
		"é😀":     string(colony.Heartbeat{Zooid: "é😀"}.Payload()),
		`"q"`:    string(colony.Heartbeat{Zooid: `"q"`}.Payload()),
	}
	for _, payload := range good {
		publish(t, p, "HEARTBEAT", payload)
	}
	for reason, count := range expected {
		eventually(t, c, map[string]any{reason: count})
	}
	eventually(t, c, map[string]any{"zooids": int64(1 + len(good)), "heartbeats": uint64(beats + len(good))})
	require.True(t, holds(func() bool { n, _ := beatsOf(acc, "good"); return n == int64(beats) }))
	for zooid := range good {
		require.True(t, holds(func() bool { n, _ := beatsOf(acc, zooid); return n == 1 }), zooid)
	}
	requireLines(t, c, []string{"Listening for", "can be heard", "W! [] Messages rejected: "})
}

func TestMoreNamesThanAllowedOnARealBus(t *testing.T) {
	b := startBus(t)
	c := onBus(b)
	c.AnnounceAs, c.MaxZooids = "", 10
	acc := start(t, c)
	p := publisher(t, b)
	for n := range 100 {
		publish(t, p, "HEARTBEAT", beatNow(fmt.Sprintf("zooid_%d", n)))
	}
	publish(t, p, "HEARTBEAT", beatNow("zooid_3"))
	eventually(t, c, map[string]any{"zooids": int64(10), "rejected_max_zooids": uint64(90)})
	require.True(t, holds(func() bool { n, _ := beatsOf(acc, "zooid_3"); return n == 2 }), "the known are not affected")
}

// A message that even the socket refuses makes ZeroMQ cut the connection.
func TestGiantMessageDoesNotEndTheReceiving(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	c := onBus(b)
	c.MaxMessageSize = 1 << 10
	acc := start(t, c)
	p := publisher(t, b)
	eventually(t, c, observable(c))
	require.NoError(t, p.Send([]byte("HEARTBEAT"), bytes.Repeat([]byte("x"), socketSizeFactor<<10+1)))
	require.True(t, holds(func() bool { return busReport(t, c)["disconnects"].(uint64) > 0 }))
	require.True(t, holds(func() bool {
		publish(t, p, "HEARTBEAT", beatNow("audio_io"))
		n, _ := beatsOf(acc, "audio_io")
		return n > 0
	}))
	eventually(t, c, observable(c))
	require.Empty(t, c.Log.(*testutil.CaptureLogger).Errors())
}
