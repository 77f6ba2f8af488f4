package liveness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/outputs/liveness/status"
)

// TestHistorySurvivesARestart stops a plugin and starts another one with its state file.
func TestHistorySurvivesARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.json")
	set := func(l *Liveness) { l.StateFile = file }
	first := serve(t, set)
	first.writeScene()
	before := first.show().view
	require.NoError(t, first.Liveness.Close())
	first.closed = true

	second := serve(t, set)
	after := second.show().view
	require.False(t, after.Known)
	require.Len(t, after.Components, len(before.Components))
	rows := map[string]status.Row{}
	for _, row := range after.Components {
		require.Equal(t, status.Unknown, row.State, "nothing was reported since")
		rows[row.Name] = row
	}
	for _, want := range before.Components {
		got := rows[want.Name]
		require.Equal(t, want.ReportedState, got.ReportedState)
		require.Equal(t, want.Since, got.Since)
		require.Equal(t, want.LastSeen, got.LastSeen)
		// A cell may have ended meanwhile.
		require.Contains(t, want.History+".", strings.TrimRight(got.History, "."))
		require.InDelta(t, *want.Availability, *got.Availability, 0.001)
	}
	require.Equal(t, before.Events, after.Events)
	require.Equal(t, before.Gaps[0].Opened, after.Gaps[0].Opened)

	second.write(gap("audio_io", "one", true, time.Now()))
	require.Len(t, second.show().view.Events, len(before.Events), "the gap is not opened again")
}

func TestDamagedStateIsSetAside(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.json")
	for _, content := range []string{"{", `{"version":9}`} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		p := serve(t, func(l *Liveness) { l.StateFile = file })
		require.Contains(t, p.log.LastError(), "page.json.damaged")
		require.NoError(t, p.Liveness.Close())
		p.closed = true
	}
}

func TestStateFileIsOfOnePlugin(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.json")
	p := serve(t, func(l *Liveness) { l.StateFile = file })
	second := newPlugin()
	second.Listen, second.StateFile, second.Log = "127.0.0.1:0", file, &p.log
	require.NoError(t, second.Init())
	require.ErrorContains(t, second.Connect(), "in use by another process")
}

func TestLargeStatesAreSavedLessOften(t *testing.T) {
	require.Equal(t, saveInterval, pauseAfter(0))
	require.Equal(t, 10*time.Minute, pauseAfter(600*savedPerSecond))
}
