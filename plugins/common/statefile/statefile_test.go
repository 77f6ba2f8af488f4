package statefile

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/renameio/v2"
	"github.com/stretchr/testify/require"
)

type memory struct {
	Names []string `json:"names"`
}

func open(t *testing.T) (*File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.json")
	f, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(f.Close)
	return f, path
}

// filesIn returns the names of the files beside a path.
func filesIn(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestPlace(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "")
	path, given := Place("", "judge.json")
	require.Equal(t, DefaultDirectory+"/judge.json", path)
	require.False(t, given)
	t.Setenv("STATE_DIRECTORY", "/var/lib/first:/var/lib/second")
	path, given = Place("", "judge.json")
	require.Equal(t, "/var/lib/first/judge.json", path)
	require.True(t, given)
	path, given = Place("/elsewhere/state", "judge.json")
	require.Equal(t, "/elsewhere/state", path)
	require.True(t, given)
}

func TestSaveAndLoad(t *testing.T) {
	f, path := open(t)
	var got memory
	found, err := f.Load(&got)
	require.NoError(t, err)
	require.False(t, found, "there is none yet")
	_, err = Read(path, &got)
	require.ErrorIs(t, err, fs.ErrNotExist)

	before := time.Now().Add(-time.Minute)
	for _, want := range []memory{{[]string{"a", "b"}}, {[]string{"c"}}} {
		require.NoError(t, f.Save(want))
		got = memory{}
		found, err = f.Load(&got)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, want, got)
	}
	saved, err := Read(path, &got)
	require.NoError(t, err, "whoever holds the lock")
	require.WithinRange(t, saved, before, time.Now().Add(time.Minute))
	require.Equal(t, []string{"state.json", "state.json.lock"}, filesIn(t, path), "no temporary file is left")
}

// TestNobodyElseCanRead takes files that others could read before, and a umask that would let them.
func TestNobodyElseCanRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, os.WriteFile(path, []byte("{}"), 0o644))
	require.NoError(t, os.Chmod(path, 0o666))
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Save(memory{}))
	for _, file := range []string{path, path + ".lock"} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), file)
	}
}

// TestCutSaveIsCleanedUp finds what saves left that were cut short: of this file and long ago, of now, and of others.
func TestCutSaveIsCleanedUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	// As a save leaves it that is killed before it renames.
	pending, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)))
	require.NoError(t, err)
	stale := filepath.Base(pending.Name())
	long := time.Now().Add(-time.Hour)
	for _, name := range []string{".state.json123", ".state.json", ".state.json.123", ".other.json123", "state.json123"} {
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), name), nil, 0o600))
	}
	for _, name := range append(filesIn(t, path), stale) {
		if name != ".state.json123" {
			require.NoError(t, os.Chtimes(filepath.Join(filepath.Dir(path), name), long, long))
		}
	}
	require.Contains(t, filesIn(t, path), stale)
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, []string{".other.json123", ".state.json", ".state.json.123", ".state.json123", "state.json.lock", "state.json123"}, filesIn(t, path))
}

func TestOneAtATime(t *testing.T) {
	f, path := open(t)
	_, err := Open(path)
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, f.Save(memory{}), "which replaces the file, but not the lock")
	_, err = Open(path)
	require.ErrorIs(t, err, ErrLocked)
	f.Close()
	second, err := Open(path)
	require.NoError(t, err)
	second.Close()
}

func TestMissingDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "state.json")
	_, err := Open(path)
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, "must exist and be writable")
}

func TestDirectoryIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	require.NoError(t, os.Mkdir(path, 0o700))
	_, err := Open(path)
	require.ErrorContains(t, err, "no regular file")
	require.Equal(t, []string{"precious"}, filesIn(t, path))
}

// TestFailedSaveLeavesTheOldState saves what cannot be encoded, and then into a directory that is gone.
func TestFailedSaveLeavesTheOldState(t *testing.T) {
	f, path := open(t)
	want := memory{[]string{"old"}}
	require.NoError(t, f.Save(want))
	require.Error(t, f.Save(func() {}))
	var got memory
	_, err := f.Load(&got)
	require.NoError(t, err)
	require.Equal(t, want, got)

	require.NoError(t, os.Rename(filepath.Dir(path), filepath.Dir(path)+".moved"))
	require.ErrorContains(t, f.Save(want), path)
}

func TestDamagedFileIsSetAside(t *testing.T) {
	f, path := open(t)
	require.NoError(t, os.WriteFile(path, []byte(`{"names":[`), 0o600))
	var got memory
	_, err := f.Load(&got)
	require.ErrorContains(t, err, "reading the state")
	aside, err := f.SetAside()
	require.NoError(t, err)
	content, err := os.ReadFile(aside)
	require.NoError(t, err)
	require.Equal(t, `{"names":[`, string(content))
	found, err := f.Load(&got)
	require.NoError(t, err)
	require.False(t, found)
}
