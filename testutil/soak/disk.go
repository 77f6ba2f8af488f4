package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// stateDisk is where the state files are kept: a file system of its own that can be filled. Where mounting
// is not permitted it is a plain folder that cannot be written while it is "full". A state file is saved as
// a new file, which fails in both cases; the files that are there can be read and locked in both.
type stateDisk struct {
	dir     string
	mounted bool
}

// diskSize is plenty for the state of the campaign's colony.
const diskSize = "2m"

func newStateDisk(dir string) (*stateDisk, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+diskSize)
	return &stateDisk{dir: dir, mounted: err == nil}, nil
}

// String says what it is, for the report.
func (d *stateDisk) String() string {
	if d.mounted {
		return "a tmpfs of " + diskSize
	}
	return "a folder made read-only, since mounting a tmpfs is not permitted"
}

// ballast is the file that fills the disk.
func (d *stateDisk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill leaves no room on the disk.
func (d *stateDisk) fill() error {
	if !d.mounted {
		return os.Chmod(d.dir, 0o500)
	}
	f, err := os.Create(d.ballast())
	if err != nil {
		return err
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if closed := f.Close(); !errors.Is(err, syscall.ENOSPC) {
		return errors.Join(err, closed)
	}
	return nil
}

// free makes room again.
func (d *stateDisk) free() error {
	if !d.mounted {
		return os.Chmod(d.dir, 0o700)
	}
	return os.Remove(d.ballast())
}

// fillable reports whether filling it has any effect: the superuser can write to a read-only folder.
func (d *stateDisk) fillable() bool { return d.mounted || os.Geteuid() != 0 }

func (d *stateDisk) close() error {
	if !d.mounted {
		return nil
	}
	// Detached, since a process that was killed may hold a file for a moment more.
	if err := syscall.Unmount(d.dir, syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("unmounting %s: %w", d.dir, err)
	}
	return nil
}
