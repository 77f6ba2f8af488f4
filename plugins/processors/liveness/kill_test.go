package liveness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tick hears a tick that says when the last kill signal came; -1: there was none.
func (r *run) tick(at, killed float64) {
	r.t.Helper()
	m := newMetric(tickMeasurement, "h", "", 1, at)
	if killed >= 0 {
		m.AddField("killed_s", killed)
	}
	r.at = time.Unix(0, int64(at*1e9))
	r.acc.ClearMetrics()
	require.NoError(r.t, r.Add(m, &r.acc))
}

// TestKillSignalWhileTheProcessorWasAway has only the ticks say that a kill signal came.
func TestKillSignalWhileTheProcessorWasAway(t *testing.T) {
	file := stateFile(t)
	first := start(t, file)
	first.hear("h", 1, 0, 3, "a", "b")
	first.Stop()
	second := start(t, file)
	for at := 10.0; at < 60; at++ {
		second.tick(at, 4)
		require.Empty(t, gaps(&second.acc), "at %v", at)
	}
	require.Contains(t, logged(second.log), `I! Stopped by the kill signal: "a", "b"`)
}

// TestKillSignalIsSavedAtOnce kills the processor just after the signal.
func TestKillSignalIsSavedAtOnce(t *testing.T) {
	file := stateFile(t)
	first := start(t, file)
	first.hear("h", 1, 0, 3, "a", "b")
	require.NoError(t, first.Add(newMetric(killMeasurement, "h", "", 1, 3.2), &first.acc))
	first.Kill()
	second := start(t, file)
	for at := 4.0; at < 60; at++ {
		second.tick(at, -1)
		require.Empty(t, gaps(&second.acc), "at %v", at)
	}
}
