package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// stateDisk holds the state files: a tmpfs that can be filled. If mounting is not permitted, it is a folder that is
// read-only while it is "full". State files are saved as new files, which then fails in both cases; existing files can be
// read and locked.
type stateDisk struct {
	dir     string
	mounted bool
}

const (
	// diskSize is much more than the state needs, with all names that churn.
	diskSize = "16m"
	// nobody owns the folder if this is root, as it is if telegraf --test is run as root once.
	nobody = 65534
)

func newStateDisk(dir string) (*stateDisk, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return &stateDisk{dir: dir}, nil
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+diskSize)
	return &stateDisk{dir: dir, mounted: err == nil}, os.Chown(dir, nobody, nobody)
}

// String describes the disk for the report.
func (d *stateDisk) String() string {
	if d.mounted {
		return "a tmpfs of " + diskSize
	}
	return "a folder that is made read-only, since mounting a tmpfs is not permitted"
}

// ballast returns the path of the file that fills the disk.
func (d *stateDisk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill fills the disk.
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

// free makes space again.
func (d *stateDisk) free() error {
	if !d.mounted {
		return os.Chmod(d.dir, 0o700)
	}
	return os.Remove(d.ballast())
}

// clear removes all files.
func (d *stateDisk) clear() error {
	files, err := os.ReadDir(d.dir)
	for _, f := range files {
		err = errors.Join(err, os.RemoveAll(filepath.Join(d.dir, f.Name())))
	}
	return err
}

// fillable reports whether fill has an effect: root can write to a read-only folder.
func (d *stateDisk) fillable() bool { return d.mounted || os.Geteuid() != 0 }

func (d *stateDisk) close() error {
	if !d.mounted {
		return nil
	}
	// Detached, since a killed process may have a file open for some more time.
	if err := syscall.Unmount(d.dir, syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("unmounting %s: %w", d.dir, err)
	}
	return nil
}

// fillDisk fills the disk, and reserves the plugins until they have saved their state again.
func (c *campaign) fillDisk(_ string, d time.Duration) error {
	if err := c.disk.fill(); err != nil {
		return err
	}
	time.Sleep(d)
	if err := c.disk.free(); err != nil {
		return err
	}
	time.Sleep(saveInterval)
	return nil
}
