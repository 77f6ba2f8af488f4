package chembus

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"
)

func markerOf(file string, isDefault bool, log telegraf.Logger) marker {
	return marker{file: file, isDefault: isDefault, log: log, stat: os.Stat}
}

// TestMaintenanceByDefault has what the colony's script announces and creates.
func TestMaintenanceByDefault(t *testing.T) {
	c := newPlugin()
	require.Equal(t, []string{"MAINTENANCE_SUSPEND", "MAINTENANCE_RESUME", "/home/kloros/.kloros/maintenance_mode", "2h0m0s"},
		[]string{c.SuspendTopic, c.ResumeTopic, c.MaintenanceFile, time.Duration(c.MaxSuspension).String()})
	require.True(t, newMarker(c).isDefault, "that it cannot be looked at is no error")
}

func TestFolderOfTheMarkerThatIsNotThere(t *testing.T) {
	var log testutil.CaptureLogger
	m := markerOf(filepath.Join(t.TempDir(), "home", ".kloros", "maintenance_mode"), true, &log)
	require.False(t, m.Exists(at(0)))
	m.isDefault = false
	require.False(t, m.Exists(at(1)))
	require.Empty(t, log.Messages(), "nobody has to create it")
}

func TestMarkerThatCannotBeLookedAtIsSaidOnce(t *testing.T) {
	for isDefault, expected := range map[bool]string{true: "I! ", false: "E! "} {
		var log testutil.CaptureLogger
		folder := filepath.Join(t.TempDir(), "folder")
		require.NoError(t, os.WriteFile(folder, nil, 0o600)) // a file where the folder should be
		m := markerOf(filepath.Join(folder, "maintenance_mode"), isDefault, &log)
		for now := range 100 {
			require.False(t, m.Exists(at(float64(now))))
		}
		require.Len(t, log.Messages(), 1)
		require.Contains(t, log.Messages()[0].String(), expected)
		require.Contains(t, log.Messages()[0].String(), "Maintenance is noticed by its signals only")
		require.NoError(t, os.Remove(folder))
		require.False(t, m.Exists(at(200)))
		require.Len(t, log.Messages(), 2)
	}
}

func TestMarkerInAFolderThatIsClosed(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may search every folder")
	}
	var log testutil.CaptureLogger
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0))
	m := markerOf(filepath.Join(folder, ".kloros", "maintenance_mode"), true, &log)
	require.False(t, m.Exists(at(0)))
	require.Empty(t, log.Errors())
	require.Contains(t, log.Messages()[0].String(), "I! ")
}

// TestMarkerOnAFileSystemThatHangs has a file system stop to answer while the file is there, and go on once it is gone.
func TestMarkerOnAFileSystemThatHangs(t *testing.T) {
	var log testutil.CaptureLogger
	m := markerOf(filepath.Join(t.TempDir(), "maintenance_mode"), false, &log)
	require.NoError(t, os.WriteFile(m.file, nil, 0o600))
	require.True(t, m.Exists(at(0)))

	answer, looks := make(chan struct{}), make(chan struct{}, 100)
	m.stat = func(file string) (fs.FileInfo, error) {
		looks <- struct{}{}
		<-answer
		return os.Stat(file)
	}
	for now := 1; now < 60; now++ {
		require.True(t, m.Exists(at(float64(now))), "what is known of it")
	}
	require.Len(t, looks, 1, "looks that hang do not pile up")
	require.Len(t, log.Messages(), 1)
	require.Contains(t, log.Messages()[0].String(), "its file system does not answer")

	require.NoError(t, os.Remove(m.file))
	close(answer)
	require.True(t, holds(func() bool { return !m.Exists(at(60)) }))
	require.Contains(t, log.Messages()[1].String(), "can be looked at again")
}
