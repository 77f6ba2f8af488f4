package e2e

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// complaint matches an error or a warning of the plugins in Telegraf's log. Telegraf's own can be about a version or a stop.
var complaint = regexp.MustCompile(`[EW]! (\[\w+\.execd\] )?\[(inputs\.chembus|processors\.liveness|outputs\.chembus)\].*`)

// TestQuietLog requires that a run in which nothing is wrong but a dead component leaves no error and no warning of the
// plugins in Telegraf's log, its stop included.
func TestQuietLog(t *testing.T) {
	s := newScene(t, quick)
	gaps := s.consumer()
	c := s.colony(5)
	s.waitUp(c.Names()...)
	require.NoError(t, c.Kill("audio_io"))
	s.wait("the death is found", func() bool { return len(gaps.Received()) > 0 })
	require.NoError(t, c.Revive("audio_io"))
	s.waitForGap("audio_io", false)

	require.NoError(t, s.telegraf.Stop())
	require.Contains(t, s.telegraf.Output(), "[inputs.chembus] Listening for", "the log of the plugins is in Telegraf's")
	require.Empty(t, complaint.FindAllString(s.telegraf.Output(), -1))
}
