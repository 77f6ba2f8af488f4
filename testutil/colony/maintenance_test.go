package colony_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

func TestMaintenance(t *testing.T) {
	bus := startBus(t)
	col, c := startColonyOn(t, bus, colony.Config{})
	suspend := startedListener(t, col, bus, colony.SuspendTopic)
	resume := startedListener(t, col, bus, colony.ResumeTopic)
	for _, name := range []string{"a", "b", "other"} {
		require.NoError(t, col.Add(colony.Zooid{Name: name, Interval: time.Millisecond}))
	}
	m := colony.Maintenance{Zooids: []string{"a", "b"}, Marker: filepath.Join(t.TempDir(), "maintenance_mode")}
	require.NoError(t, c.Wait(limit(t), beats("b", 3)))

	require.NoError(t, col.Suspend(m))
	require.FileExists(t, m.Marker)
	require.NoError(t, suspend.Wait(limit(t), atLeast(1)))
	require.Equal(t, "governance", suspend.Received()[0].Ecosystem)
	silentAfter(t, c, "other", time.Now(), "a", "b")
	require.Empty(t, resume.Received())

	require.NoError(t, col.Resume(m))
	require.NoFileExists(t, m.Marker)
	require.NoError(t, resume.Wait(limit(t), atLeast(1)))
	require.Equal(t, "governance", resume.Received()[0].Ecosystem)
	require.Equal(t, []string{"a", "b", "other"}, col.Names())
}

func TestMaintenanceWithoutSignals(t *testing.T) {
	bus := startBus(t)
	col, _ := startColonyOn(t, bus, colony.Config{})
	suspend := startedListener(t, col, bus, colony.SuspendTopic)
	require.NoError(t, col.Add(colony.Zooid{Name: "a", Interval: time.Millisecond}))
	silent := colony.Maintenance{Marker: filepath.Join(t.TempDir(), "maintenance_mode"), NoSignals: true}
	require.NoError(t, col.Suspend(silent))
	require.FileExists(t, silent.Marker)
	require.NoError(t, col.Resume(silent))
	// What comes over the same connection afterwards shows that nothing came before.
	announced := colony.Maintenance{}
	require.NoError(t, col.Suspend(announced))
	require.NoError(t, suspend.Wait(limit(t), atLeast(1)))
	require.Len(t, suspend.Received(), 1)

	unknown := colony.Maintenance{Zooids: []string{"unknown"}, Marker: silent.Marker}
	require.ErrorContains(t, col.Suspend(unknown), "unknown")
	require.ErrorContains(t, col.Resume(unknown), "unknown")
	require.NoFileExists(t, unknown.Marker, "removed in any case")
	require.ErrorIs(t, col.Resume(silent), os.ErrNotExist)
}
