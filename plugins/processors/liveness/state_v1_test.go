package liveness

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStateOfVersion1 takes over a file that version 0.1 wrote: two buses, components that are up, silent and never
// seen, an outage of both buses, and a kill signal.
func TestStateOfVersion1(t *testing.T) {
	file := stateFile(t)
	content, err := os.ReadFile("testdata/liveness-v1.json")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, content, 0o600))
	r := start(t, file, func(l *Liveness) { l.Expected = []string{"ghost"} })
	found := append(r.hear("alpha", 0, 20, 40, "alives", "aa"), r.hear("beta", 0, 20, 40, "blives")...)
	require.Empty(t, logged(r.log)[1:], "one comes back, and nothing else is news")
	require.Len(t, r.buses.all, 2)

	open := make(map[string]bool)
	for _, gap := range found {
		open[gap] = true
	}
	for _, gap := range []string{
		"alpha/aa heartbeat_missing false", "alpha/ab heartbeat_missing true", "beta/ba heartbeat_mass_missing true",
		"alpha/ac heartbeat_mass_missing true", "alpha/ghost heartbeat_never_seen true",
	} {
		require.True(t, open[gap], "%s in %v", gap, open)
	}
	r.Stop()
	again := start(t, file, func(l *Liveness) { l.Expected = []string{"ghost"} })
	require.Contains(t, again.hear("alpha", 0, 41, 50, "alives", "aa"), "alpha/ab heartbeat_missing true")
}

func FuzzStateOfVersion1(f *testing.F) {
	content, err := os.ReadFile("testdata/liveness-v1.json")
	require.NoError(f, err)
	f.Add(string(content))
	f.Fuzz(func(t *testing.T, text string) {
		l := standard()
		require.NoError(t, l.Init())
		require.NoError(t, l.SetState(text))
		require.NotPanics(t, func() { l.GetState() })
	})
}
