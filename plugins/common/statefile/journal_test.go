package statefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// linesOf reads the journal at a path.
func linesOf(t *testing.T, path string) []string {
	t.Helper()
	var lines []string
	_, err := ReadJournal(path, func(line []byte) error {
		lines = append(lines, string(line))
		return nil
	})
	require.NoError(t, err)
	return lines
}

// journalOf opens the journal of a file, as after a restart.
func journalOf(t *testing.T, f *File) *Journal {
	t.Helper()
	j, err := f.Journal(func([]byte) error { return nil })
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func TestJournalIsWhatWasAppendedAndCompleted(t *testing.T) {
	f, path := open(t)
	_, err := ReadJournal(path, nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	j := journalOf(t, f)
	require.NoError(t, j.Append([]byte("1\n2\n")))
	require.Equal(t, []string{"1", "2"}, linesOf(t, path), "before it is complete, too")
	require.NoError(t, j.Complete())
	require.Equal(t, []string{"1", "2"}, linesOf(t, path))
	require.NoError(t, j.Append([]byte("3\n")))
	require.Equal(t, []string{"1", "2", "3"}, linesOf(t, path))

	j = journalOf(t, f) // a restart goes on from there
	require.NoError(t, j.Append([]byte("4\n")))
	require.Equal(t, []string{"1", "2", "3", "4"}, linesOf(t, path))
	require.NoError(t, j.Complete())
	require.Equal(t, []string{"3", "4"}, linesOf(t, path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

// TestJournalThatIsCutOff ends the writing at each byte, as a SIGKILL or a full disk does.
func TestJournalThatIsCutOff(t *testing.T) {
	f, path := open(t)
	j := journalOf(t, f)
	require.NoError(t, j.Append([]byte("one\n")))
	require.NoError(t, j.Complete())
	require.NoError(t, j.Append([]byte("two\nthree\n")))
	whole, err := os.ReadFile(path + nextSuffix)
	require.NoError(t, err)
	head := len(whole) - len("two\nthree\n")
	for size := range whole {
		require.NoError(t, os.WriteFile(path+nextSuffix, whole[:size], 0o600))
		want := []string{"one"}
		if size >= head+len("two\n") {
			want = append(want, "two")
		}
		require.Equal(t, want, linesOf(t, path), "%d", size)
		j := journalOf(t, f)
		require.NoError(t, j.Append([]byte("more\n")))
		require.Equal(t, append(want, "more"), linesOf(t, path), "%d", size)
	}
}

// TestJournalTakesOverWhatWasSaved has a file of Save, which is one line.
func TestJournalTakesOverWhatWasSaved(t *testing.T) {
	f, path := open(t)
	require.NoError(t, f.Save(memory{Names: []string{"a"}}))
	require.Equal(t, []string{`{"names":["a"]}`}, linesOf(t, path))
	j := journalOf(t, f)
	require.NoError(t, j.Append([]byte("b\n")))
	require.Equal(t, []string{`{"names":["a"]}`, "b"}, linesOf(t, path))
	require.NoError(t, j.Complete())
	require.Equal(t, []string{"b"}, linesOf(t, path))
}

func TestJournalIsReplaced(t *testing.T) {
	f, path := open(t)
	j := journalOf(t, f)
	require.NoError(t, j.Append([]byte("1\n")))
	next, err := os.ReadFile(path + nextSuffix)
	require.NoError(t, err)
	whole := func(w io.Writer) error {
		_, err := fmt.Fprint(w, "whole\n")
		return err
	}
	require.Error(t, j.Replace(func(io.Writer) error { return errors.New("it cannot be encoded") }))
	require.Equal(t, []string{"1"}, linesOf(t, path))
	require.NoError(t, j.Replace(whole))
	require.Equal(t, []string{"whole"}, linesOf(t, path))
	require.NotContains(t, filesIn(t, path), "state.json.next")

	// A SIGKILL may come before the former next generation is removed.
	require.NoError(t, os.WriteFile(path+nextSuffix, next, 0o600))
	require.Equal(t, []string{"whole"}, linesOf(t, path))
	j = journalOf(t, f)
	require.NoError(t, j.Append([]byte("2\n")))
	require.Equal(t, []string{"whole", "2"}, linesOf(t, path))
}

// TestJournalWhoseFileIsRemoved forgets all, as an operator wants who removes it.
func TestJournalWhoseFileIsRemoved(t *testing.T) {
	f, path := open(t)
	j := journalOf(t, f)
	require.NoError(t, j.Append([]byte("1\n")))
	require.NoError(t, os.Remove(path))
	_, err := ReadJournal(path, nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	j = journalOf(t, f)
	require.NoError(t, j.Append([]byte("2\n")))
	require.Equal(t, []string{"2"}, linesOf(t, path))
}

func TestDamagedJournalIsSetAside(t *testing.T) {
	f, path := open(t)
	j := journalOf(t, f)
	require.NoError(t, j.Append([]byte(strings.Repeat("1\n", 3))))
	require.NoError(t, j.Complete())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, content[:len(content)-7], 0o600))
	_, err = f.Journal(func([]byte) error { return nil })
	require.ErrorContains(t, err, "its end is missing")
	aside, err := f.SetAside()
	require.NoError(t, err)
	require.Equal(t, path+".damaged", aside)
	require.NoError(t, journalOf(t, f).Append([]byte("2\n")))
	require.Equal(t, []string{"2"}, linesOf(t, path))
}
