package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// TestInvestigation has two of our monitors and the colony's own on a bus with a historian. A component dies: one of ours
// asks for an investigation, once, and both log that the other kind of monitor is there.
func TestInvestigation(t *testing.T) {
	s := newScene(t, quick+"  investigate = true\n")
	r := s.historian()
	second := s.otherMonitor()
	other, err := colony.NewInteroception(s.bus.XSub(), s.bus.XPub(), quickThreshold*time.Second)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Close()) })
	investigations, err := consumer.New(consumer.Config{XPub: s.bus.XPub(), Topic: "Q_CURIOSITY_INVESTIGATE"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, investigations.Close()) })
	gaps := s.consumer()
	c := s.colony(5)
	s.observe(quickThreshold)

	require.NoError(t, c.Kill("audio_io"))
	s.wait("the investigation is asked for", func() bool { return len(investigations.Received()) > 0 })
	s.wait("both say that the other monitor is there", func() bool {
		const told = "Another monitor publishes gaps"
		return strings.Contains(s.telegraf.Output(), told) && strings.Contains(second.Output(), told)
	})
	s.observe(3 * quickThreshold)
	require.Len(t, investigations.Received(), 1)
	var gap *consumer.Message
	for _, m := range gaps.Received() {
		if m.Facts["gap_type"] == "heartbeat_missing" {
			require.Nil(t, gap, "one gap")
			gap = &m
		}
	}
	require.NotNil(t, gap)
	require.Equal(t, "critical", gap.Facts["severity"])
	require.Equal(t, "e2e", gap.Facts["host"])
	require.NotEmpty(t, gap.Facts["niche"])
	require.InDelta(t, quickThreshold, gap.Facts["threshold_seconds"], 0)
	require.Len(t, gap.Facts["recommended_actions"], 2)
	facts := investigations.Received()[0].Facts
	require.Equal(t, "liveness."+*gap.IncidentID, facts["question_id"])
	require.Equal(t, "emergency", facts["priority"])
	require.Equal(t, "audio_io", facts["context"].(map[string]any)["zooid"])
	r.requireReadable(t)
	t.Logf("the gap: %s", gap.Payload)
	t.Logf("the investigation: %s", investigations.Received()[0].Payload)
}
