package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/renameio/v2"
	"github.com/influxdata/telegraf/testutil"
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

// restored returns the state that restore hands over; found is false if there is none.
func restored(f *File) (state memory, found bool) {
	restore(f, &testutil.CaptureLogger{}, func(m *memory) error {
		state, found = *m, true
		return nil
	})
	return state, found
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
	path, given := Place("", "liveness.json")
	require.Equal(t, defaultDirectory+"/liveness.json", path)
	require.False(t, given)
	t.Setenv("STATE_DIRECTORY", "/var/lib/first:/var/lib/second")
	path, given = Place("", "liveness.json")
	require.Equal(t, "/var/lib/first/liveness.json", path)
	require.True(t, given)
	path, given = Place("/elsewhere/state", "liveness.json")
	require.Equal(t, "/elsewhere/state", path)
	require.True(t, given)
}

func TestSaveAndLoad(t *testing.T) {
	f, path := open(t)
	_, found := restored(f)
	require.False(t, found, "there is none yet")
	var got memory
	err := read(path, &got)
	require.ErrorIs(t, err, fs.ErrNotExist)

	for _, want := range []memory{{[]string{"a", "b"}}, {[]string{"c"}}} {
		require.NoError(t, f.Save(want))
		got, found = restored(f)
		require.True(t, found)
		require.Equal(t, want, got)
	}
	require.NoError(t, read(path, &got), "whoever holds the lock")
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
	require.ErrorContains(t, err, fmt.Sprintf("create the folder %q for the user that runs Telegraf, ", filepath.Dir(path)))
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
	got, found := restored(f)
	require.True(t, found)
	require.Equal(t, want, got)

	require.NoError(t, os.Rename(filepath.Dir(path), filepath.Dir(path)+".moved"))
	require.ErrorContains(t, f.Save(want), path)
}

func TestStateOfNoUseIsSetAside(t *testing.T) {
	for content, test := range map[string]struct {
		refusal error
		says    string
	}{
		`{"names":[`:      {nil, "reading the state"},
		`{"names":["a"]}`: {errors.New("it has version 9"), "it has version 9"},
	} {
		f, path := open(t)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		var log testutil.CaptureLogger
		restore(f, &log, func(*memory) error { return test.refusal })
		require.Len(t, log.Errors(), 1)
		require.Contains(t, log.Errors()[0], "Starting without the saved state")
		require.Contains(t, log.Errors()[0], test.says)
		require.Contains(t, log.Errors()[0], path+".damaged")
		aside, err := os.ReadFile(path + ".damaged")
		require.NoError(t, err)
		require.Equal(t, content, string(aside))
		_, found := restored(f)
		require.False(t, found)
	}
}

func TestStateThatCannotBeSetAside(t *testing.T) {
	f, path := open(t)
	require.NoError(t, os.WriteFile(path, []byte(`{`), 0o600))
	require.NoError(t, os.Mkdir(path+".damaged", 0o700))
	var log testutil.CaptureLogger
	restore(f, &log, func(*memory) error { return nil })
	require.Len(t, log.Errors(), 1)
	require.Contains(t, log.Errors()[0], "It will be overwritten")
}

// former writes a state file of a former name beside another.
func former(t *testing.T, path, content string) string {
	t.Helper()
	former := filepath.Join(filepath.Dir(path), "former.json")
	require.NoError(t, os.WriteFile(former, []byte(content), 0o600))
	return former
}

func TestFileOfAFormerNameIsTakenOver(t *testing.T) {
	f, path := open(t)
	former := former(t, path, `{"names":["kept"]}`)
	taken, err := f.takeOver("former.json")
	require.NoError(t, err)
	require.True(t, taken)
	state, _ := restored(f)
	require.Equal(t, memory{[]string{"kept"}}, state)

	// Whoever reads it by its former name sees each save.
	require.NoError(t, f.Save(memory{[]string{"new"}}))
	err = read(former, &state)
	require.NoError(t, err)
	require.Equal(t, memory{[]string{"new"}}, state)
	target, err := os.Readlink(former)
	require.NoError(t, err)
	require.Equal(t, "state.json", target, "the folder may be moved")

	taken, err = f.takeOver("former.json")
	require.NoError(t, err)
	require.False(t, taken, "once")
}

func TestNothingIsTakenOver(t *testing.T) {
	f, path := open(t)
	taken, err := f.takeOver("former.json")
	require.NoError(t, err)
	require.False(t, taken, "there is none")
	require.Equal(t, []string{"state.json.lock"}, filesIn(t, path))

	former := former(t, path, `{"names":["former"]}`)
	require.NoError(t, f.Save(memory{[]string{"present"}}))
	taken, err = f.takeOver("former.json")
	require.NoError(t, err)
	require.False(t, taken, "the present one goes before")
	state, _ := restored(f)
	require.Equal(t, memory{[]string{"present"}}, state)
	err = read(former, &state)
	require.NoError(t, err)
	require.Equal(t, memory{[]string{"former"}}, state, "it is left alone")
}

func TestFormerFileInUseIsNotTakenOver(t *testing.T) {
	f, path := open(t)
	other, err := Open(former(t, path, `{}`))
	require.NoError(t, err)
	_, err = f.takeOver("former.json")
	require.ErrorIs(t, err, ErrLocked)
	other.Close()
	taken, err := f.takeOver("former.json")
	require.NoError(t, err)
	require.True(t, taken)
}

// TestTakingOverThatWasCutShort goes on where a process died after the file had got its new name.
func TestTakingOverThatWasCutShort(t *testing.T) {
	f, path := open(t)
	former := former(t, path, `{"names":["kept"]}`)
	require.NoError(t, os.Link(former, path))
	taken, err := f.takeOver("former.json")
	require.NoError(t, err)
	require.True(t, taken)
	_, err = os.Readlink(former)
	require.NoError(t, err)
	state, _ := restored(f)
	require.Equal(t, memory{[]string{"kept"}}, state)
}
