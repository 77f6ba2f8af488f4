package statefile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

// nextSuffix is what the name of the generation that is written has behind the name of the state file.
const nextSuffix = ".next"

// syncAfter is how much may be written before it is synced, in bytes, so that no sync takes long.
const syncAfter = 1 << 20

// Journal is a state file that is written line by line, for a state that is too large to be replaced at each change.
//
// Lines are appended to FILE.next. Whoever writes them says when they describe the whole state: FILE.next becomes FILE
// then, and another one is begun. So the state is what the lines of FILE say, and after them those of FILE.next. The
// first line of each is its generation. A line of FILE.next that was cut off at the end, by SIGKILL or a full disk, does not
// count.
type Journal struct {
	path       string
	generation uint64   // of FILE
	next       *os.File // nil: it is not begun
	size       int64    // of it, in bytes
	unsynced   int64    // of that
}

// generation is the first line of a file of a journal.
type generation struct {
	Number uint64 `json:"generation"`
}

// ReadJournal reads the journal at a path, which may be another process's. Use takes each line, without its end and
// valid until it returns; an error of it ends the reading. What was written by Save is one line. It returns when a line
// was last written. The error is fs.ErrNotExist if there is none yet.
func ReadJournal(path string, use func(line []byte) error) (saved time.Time, err error) {
	saved, _, _, err = readJournal(path, use)
	return saved, err
}

// Written returns when the journal at a path was last written; zero if that is not known.
func Written(path string) time.Time {
	var latest time.Time
	for _, name := range []string{path, path + nextSuffix} {
		if info, err := os.Stat(name); err == nil && info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	return latest
}

// readJournal also returns the generation of the file at path, and the size of FILE.next up to its last complete line;
// zero if there is none that belongs to it.
func readJournal(path string, use func([]byte) error) (saved time.Time, number uint64, size int64, err error) {
	base, next, err := openBoth(path)
	if err != nil {
		return time.Time{}, 0, 0, err
	}
	defer base.Close()
	info, err := base.Stat()
	if err != nil {
		return time.Time{}, 0, 0, err
	}
	saved = info.ModTime()
	if number, _, err = readLines(base, false, use); err != nil || next == nil {
		return saved, number, 0, err
	}
	defer next.Close()
	if info, err = next.Stat(); err != nil {
		return time.Time{}, 0, 0, err
	}
	if is, err := peekGeneration(next); err != nil || is != number+1 {
		return saved, number, 0, err
	}
	if _, size, err = readLines(next, true, use); info.ModTime().After(saved) {
		saved = info.ModTime()
	}
	return saved, number, size, err
}

// openBoth opens a file and the next generation of it, nil if there is none. The one may become the other meanwhile.
func openBoth(path string) (base, next *os.File, err error) {
	for {
		if base, err = os.Open(path); err != nil {
			return nil, nil, err
		}
		next, err = os.Open(path + nextSuffix)
		if errors.Is(err, fs.ErrNotExist) {
			next, err = nil, nil
		}
		before, statErr := base.Stat()
		if err = errors.Join(err, statErr); err != nil {
			_ = base.Close()
			return nil, nil, err
		}
		if now, err := os.Stat(path); err == nil && os.SameFile(before, now) {
			return base, next, nil
		}
		_ = base.Close()
		if next != nil {
			_ = next.Close()
		}
	}
}

// peekGeneration reads the first line of a file; 0 if it is none of a journal.
func peekGeneration(f *os.File) (uint64, error) {
	line, err := bufio.NewReader(f).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	var g generation
	_ = json.Unmarshal(line, &g)
	_, err = f.Seek(0, io.SeekStart)
	return g.Number, err
}

// readLines reads a file, and returns its generation and the size of what was read. Without a generation it is of Save,
// and one line. The end of the last line may be missing. If the file is still written, such a line is left out; else what
// is there of it is used as a line.
func readLines(f *os.File, written bool, use func([]byte) error) (number uint64, size int64, err error) {
	if number, err = peekGeneration(f); err != nil {
		return 0, 0, err
	}
	reader := bufio.NewReaderSize(f, 1<<16)
	if number == 0 {
		content, err := io.ReadAll(reader)
		if err != nil {
			return 0, 0, err
		}
		return 0, int64(len(content)), use(content)
	}
	for first := true; ; first = false {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if len(line) == 0 || written {
				return number, size, nil
			}
			if first {
				return number, size, errors.New("its end is missing")
			}
			return number, size, use(line) // what was read before it is of use
		}
		if err != nil {
			return number, size, err
		}
		size += int64(len(line))
		if first {
			continue
		}
		if err := use(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return number, size, err
		}
	}
}

// Journal reads the file as a journal, see ReadJournal, and returns it for writing. A file that does not exist yet is
// an empty one.
func (f *File) Journal(use func(line []byte) error) (*Journal, error) {
	j := &Journal{path: f.path}
	_, number, size, err := readJournal(f.path, use)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state: %w", err)
	}
	j.generation = number
	if size == 0 {
		return j, nil
	}
	if j.next, err = os.OpenFile(f.path+nextSuffix, os.O_RDWR, mode); err == nil {
		err = j.next.Truncate(size) // what comes next must not be part of a line that was cut off
	}
	if err != nil {
		j.discard()
		return nil, fmt.Errorf("opening the state file: %w", err)
	}
	j.size = size
	return j, nil
}

// SetAside renames the files of a journal that cannot be used, and returns the new name of the first.
func (f *File) SetAside() (string, error) {
	aside := f.path + ".damaged"
	err := os.Rename(f.path, aside)
	if nextErr := os.Rename(f.path+nextSuffix, aside+nextSuffix); nextErr != nil && !errors.Is(nextErr, fs.ErrNotExist) {
		err = errors.Join(err, nextErr)
	}
	return aside, err
}

// Size is how much was appended since the last generation was completed, in bytes.
func (j *Journal) Size() int64 { return j.size }

// Append writes lines, each with its end. They survive the end of the process, and with Sync that of the system. After
// an error the journal is as it was before, and may lack what was appended before, too: it has to be completed anew.
func (j *Journal) Append(lines []byte) error {
	if j.next == nil {
		if err := j.begin(); err != nil {
			return fmt.Errorf("beginning the state file %q: %w", j.path, explain(j.path, err))
		}
	}
	n, err := j.next.WriteAt(lines, j.size)
	if err != nil {
		if n > 0 && j.next.Truncate(j.size) != nil {
			j.discard()
		}
		return fmt.Errorf("writing the state file %q: %w", j.path, err)
	}
	j.size += int64(n)
	if j.unsynced += int64(n); j.unsynced > syncAfter {
		return j.Sync()
	}
	return nil
}

// Sync waits until what was appended is on the disk.
func (j *Journal) Sync() error {
	if j.next == nil || j.unsynced == 0 {
		return nil
	}
	if err := j.next.Sync(); err != nil {
		return fmt.Errorf("writing the state file %q: %w", j.path, err)
	}
	j.unsynced = 0
	return nil
}

// begin begins the next generation. It counts only beside a file, so that one that was removed is forgotten as a whole.
func (j *Journal) begin() error {
	if _, err := os.Stat(j.path); errors.Is(err, fs.ErrNotExist) {
		j.generation = 0
		if err := j.Replace(func(io.Writer) error { return nil }); err != nil {
			return err
		}
	}
	_ = os.Remove(j.path + nextSuffix) // not followed or truncated: in a folder of somebody else it may be a link
	next, err := os.OpenFile(j.path+nextSuffix, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	give(next, j.path)
	head := firstLine(j.generation + 1)
	if _, err := next.WriteAt(head, 0); err != nil {
		_ = next.Close()
		return err
	}
	j.next, j.size, j.unsynced = next, int64(len(head)), int64(len(head))
	return nil
}

func firstLine(number uint64) []byte {
	line, _ := json.Marshal(generation{number}) // a number can always be encoded
	return append(line, '\n')
}

// Complete says that what was appended since the last time describes the whole state. After an error the next
// generation is begun anew.
func (j *Journal) Complete() error {
	err := j.Sync()
	if err == nil {
		err = os.Rename(j.path+nextSuffix, j.path)
	}
	if err != nil {
		j.discard()
		return fmt.Errorf("replacing the state file %q: %w", j.path, err)
	}
	j.generation++
	return j.close()
}

// Replace writes the whole state at once, with the lines that write writes.
func (j *Journal) Replace(write func(io.Writer) error) error {
	pending, err := renameio.NewPendingFile(j.path, renameio.WithTempDir(filepath.Dir(j.path)), renameio.WithStaticPermissions(mode))
	if err != nil {
		return fmt.Errorf("replacing the state file %q: %w", j.path, explain(j.path, err))
	}
	defer func() { _ = pending.Cleanup() }() // of what could not be renamed
	give(pending.File, j.path)
	number := j.generation + 2 // so that the present next generation is none of it
	w := bufio.NewWriterSize(pending, 1<<16)
	_, err = w.Write(firstLine(number))
	if err == nil {
		err = write(w)
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = pending.CloseAtomicallyReplace()
	}
	if err != nil {
		return fmt.Errorf("replacing the state file %q: %w", j.path, err)
	}
	j.generation = number
	j.discard()
	return nil
}

// discard removes the next generation.
func (j *Journal) discard() {
	_ = j.close()
	_ = os.Remove(j.path + nextSuffix) // it only saves room
}

// close closes the next generation.
func (j *Journal) close() error {
	next := j.next
	j.next, j.size, j.unsynced = nil, 0, 0
	if next == nil {
		return nil
	}
	return next.Close()
}

// Close ends the writing. The file stays locked.
func (j *Journal) Close() error { return j.close() }
