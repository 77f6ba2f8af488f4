// Package statefile keeps the state of a plugin in a file that survives whatever happens to the
// process, and that only one process uses at a time.
package statefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

// defaultDirectory is where state is kept if systemd names no directory.
const defaultDirectory = "/var/lib/telegraf-chembus"

// ErrLocked says that another process, or another plugin of this one, uses the file.
var ErrLocked = errors.New("the state file is in use")

// mode lets nobody else read the state, which names what runs where.
const mode = 0o600

// Place returns where the state is looked for: in the configured file, else in the file of that name in
// $STATE_DIRECTORY (set by systemd), else in defaultDirectory; given is false for the last, which need not
// exist.
func Place(configured, name string) (path string, given bool) {
	if configured != "" {
		return configured, true
	}
	// systemd separates several directories by colons; all are for this service, so the first will do.
	if directories := filepath.SplitList(os.Getenv("STATE_DIRECTORY")); len(directories) > 0 {
		return filepath.Join(directories[0], name), true
	}
	return filepath.Join(defaultDirectory, name), false
}

// Path returns where to keep the state: its place, if that is given or can be written; false if there is
// no such place, which is logged.
func Path(configured, name string, log telegraf.Logger) (string, bool) {
	path, given := Place(configured, name)
	if given {
		return path, true
	}
	probe, err := os.CreateTemp(filepath.Dir(path), ".probe")
	if err != nil {
		log.Warnf("Nothing is remembered across a restart: no state_file is set, and there is no $STATE_DIRECTORY and no writable %s. "+
			"Create that folder for the user that runs Telegraf, or set state_file", defaultDirectory)
		return "", false
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	return path, true
}

// read reads the state in a file. The error is fs.ErrNotExist if there is none yet.
func read(path string, state any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, state); err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	return nil
}

// File is a locked state file.
type File struct {
	path    string
	lock    *flock.Flock
	problem logging.Problem // it cannot be written
}

// Load opens the state file of a plugin in its place (see Path), where it may have had a former name (empty: it had none),
// and hands what it holds to use (see restore). It is nil if nothing is kept.
func Load[State any](configured, name, former string, log telegraf.Logger, use func(*State) error) (*File, error) {
	file, err := openIn(configured, name, former, log)
	if file != nil {
		restore(file, log, use)
	}
	return file, err
}

func openIn(configured, name, former string, log telegraf.Logger) (*File, error) {
	path, ok := Path(configured, name, log)
	if !ok {
		return nil, nil
	}
	file, err := Open(path)
	if err == nil && configured == "" && former != "" {
		if _, err = file.takeOver(former); err != nil {
			file.Close()
		}
	}
	if errors.Is(err, ErrLocked) {
		err = fmt.Errorf("the state file %q is in use by another process; if the plugin is configured twice, as by a second copy of the "+
			"drop-in, remove that, else give each plugin a state_file of its own", path)
	}
	if err != nil {
		return nil, err
	}
	return file, nil
}

// Open locks the file, which need not exist, in a directory that must. The error is ErrLocked if
// somebody else has locked it.
func Open(path string) (*File, error) {
	// Anything else, such as a directory, would be set aside as damaged.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the state file %q is no regular file; name a file in a directory that exists", path)
	}
	lock, err := lockFile(path)
	if errors.Is(err, ErrLocked) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("locking the state file %q: %w", path, explain(path, err))
	}
	// Set aside as damaged, it would be forgotten.
	if err := errors.Join(readable(path), readable(path+nextSuffix)); err != nil {
		_ = lock.Unlock()
		return nil, fmt.Errorf("reading the state file %q: %w", path, explain(path, err))
	}
	f := &File{path: path, lock: lock}
	f.clean(time.Now().Add(-staleAfter))
	return f, nil
}

// lockFile locks the state file at a path. The lock is a file of its own: the state file is replaced at each save.
func lockFile(path string) (*flock.Flock, error) {
	giveLock(path + ".lock")
	lock := flock.New(path+".lock", flock.SetPermissions(mode))
	locked, err := lock.TryLock()
	if err == nil && !locked {
		err = ErrLocked
	}
	return lock, err
}

// takeOver makes the file of a former name in the same folder this one, unless this one exists. A symbolic link keeps
// the former name for whoever reads it. It reports whether it did so. The error is ErrLocked if another process, such
// as a former version of this program, uses the former file.
func (f *File) takeOver(former string) (bool, error) {
	former = filepath.Join(filepath.Dir(f.path), former)
	from, err := os.Lstat(former)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !from.Mode().IsRegular() {
		return false, nil
	}
	if err == nil {
		err = f.link(from, former)
	}
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil && !errors.Is(err, ErrLocked) {
		err = fmt.Errorf("taking over the state file %q as %q: %w", former, f.path, err)
	}
	return err == nil, err
}

// link gives the file at former this file's name, and makes former a link. A process that dies between the two leaves
// one file with two names, and the next one goes on from there.
func (f *File) link(from fs.FileInfo, former string) error {
	lock, err := lockFile(former)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Unlock() }()
	if err := os.Link(former, f.path); err != nil {
		if info, statErr := os.Stat(f.path); statErr != nil || !os.SameFile(info, from) {
			return err
		}
	}
	return renameio.Symlink(filepath.Base(f.path), former)
}

// staleAfter is the age from which a temporary file is taken to be of a save that was cut short. A younger one may be of
// a save that goes on, of another state file whose name begins as this one's does.
const staleAfter = time.Minute

// clean removes what saves left behind that a SIGKILL cut short before a time.
func (f *File) clean(before time.Time) {
	entries, err := os.ReadDir(filepath.Dir(f.path))
	if err != nil {
		return // it only saves room
	}
	for _, e := range entries {
		// As renameio names its temporary files.
		number, ours := strings.CutPrefix(e.Name(), "."+filepath.Base(f.path))
		if _, err := strconv.ParseUint(number, 10, 64); !ours || err != nil {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.ModTime().Before(before) {
			_ = os.Remove(filepath.Join(filepath.Dir(f.path), e.Name()))
		}
	}
}

// restore reads the state and hands it to use; nothing happens if there is none yet. A file that cannot be read, or
// whose state use refuses, is renamed so that it can be looked at; the log says so, and the plugin starts without.
func restore[State any](f *File, log telegraf.Logger, use func(*State) error) {
	var state State
	err := read(f.path, &state)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = use(&state)
	}
	if err == nil {
		return
	}
	aside := f.path + ".damaged"
	if moveErr := os.Rename(f.path, aside); moveErr != nil {
		log.Errorf("Starting without the saved state, because the state file %q cannot be used: %v. "+
			"It will be overwritten, because it cannot be renamed: %v", f.path, err, moveErr)
		return
	}
	log.Errorf("Starting without the saved state, because the state file %q cannot be used: %v. It was renamed to %q", f.path, err, aside)
}

// Save replaces the file as a whole: after a crash it holds either the old state or the new.
func (f *File) Save(state any) error {
	content, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("encoding the state: %w", err)
	}
	if err := f.replace(content); err != nil {
		return fmt.Errorf("writing the state file %q: %w", f.path, explain(f.path, err))
	}
	return nil
}

// Keep saves the state as Save does. It logs when that begins to fail, and when it works again; what is how the log calls
// the state, and effect what a restart would do without it.
func (f *File) Keep(state any, what, effect string, log telegraf.Logger) error {
	err := f.Save(state)
	switch change, _ := f.problem.Update(err != nil, time.Now()); change {
	case logging.Began:
		log.Errorf("The %s cannot be saved, and a restart would %s: %v", what, effect, err)
	case logging.Ended:
		log.Infof("The %s is saved again", what)
	case logging.None:
	}
	return err
}

func (f *File) replace(content []byte) error {
	// Beside the file, so that it can be renamed. WriteFile of the same package would keep the permissions of a former
	// file, whatever WithStaticPermissions says.
	pending, err := renameio.NewPendingFile(f.path, renameio.WithTempDir(filepath.Dir(f.path)), renameio.WithStaticPermissions(mode))
	if err != nil {
		return err
	}
	defer func() { _ = pending.Cleanup() }() // of what could not be renamed
	give(pending.File, f.path)
	if _, err := pending.Write(content); err != nil {
		return err
	}
	return pending.CloseAtomicallyReplace()
}

// Close unlocks the file; nil: there is none.
func (f *File) Close() {
	if f == nil {
		return
	}
	_ = f.lock.Unlock() // closing the descriptor unlocks in any case
}
