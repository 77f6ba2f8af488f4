package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

// runOnce runs telegraf --test with the configuration of the running Telegraf. It may neither disturb that one nor, as
// root, leave files that the owner of the folder cannot use.
func (c *campaign) runOnce(_ string, d time.Duration) error {
	config := c.config
	config.Dir = filepath.Join(c.dir, "once")
	config.Args = []string{"--test", "--test-wait", strconv.Itoa(int(d.Seconds()))}
	from := c.now()
	once, err := telegraf.Start(config)
	if err != nil {
		return err
	}
	select {
	case <-once.Done():
	case <-time.After(d + restartLimit):
		return errors.Join(errors.New("telegraf --test does not end"), once.Stop())
	}
	c.mayHaveJudged(span{from, c.now()})
	return errors.Join(once.Stop(), c.disk.requireOwner()) // the error of its exit
}

// mayHaveJudged notes that another Telegraf ran. If the processor of the one that is observed was killed meanwhile, the
// other one may have taken the state file, and then that processor judged nobody until the other one ended.
func (c *campaign) mayHaveJudged(ran span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ledger.lossy().outside(ran).total() < ran.to-ran.from {
		c.ledger.disturbances = append(c.ledger.disturbances, disturbance{span: ran, recovery: restarted})
	}
}

// requireOwner returns an error if a file of the state does not belong to the owner of its folder.
func (d *stateDisk) requireOwner() error {
	return filepath.WalkDir(d.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == d.ballast() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was replaced
		}
		if err != nil {
			return err
		}
		folder, err := os.Stat(filepath.Dir(path))
		if err != nil {
			return err
		}
		if owner, right := ownerOf(info), ownerOf(folder); owner != right && path != d.dir {
			return fmt.Errorf("%s belongs to user %d, and its folder to user %d", path, owner, right)
		}
		return nil
	})
}

func ownerOf(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }
