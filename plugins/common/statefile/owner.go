package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// What root creates in the folder of another user, such as by running telegraf --test as root, would keep that user's
// process out. So it is given to the owner of the folder.

// ownerOf returns who owns a file or a folder.
func ownerOf(info fs.FileInfo) (uid, gid int) {
	stat := info.Sys().(*syscall.Stat_t)
	return int(stat.Uid), int(stat.Gid)
}

// owner returns who a file that is created in the folder of a path is to be given to; false if it can stay with its
// creator.
func owner(path string) (uid, gid int, foreign bool) {
	if os.Geteuid() != 0 {
		return 0, 0, false
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return 0, 0, false
	}
	uid, gid = ownerOf(info)
	return uid, gid, uid != 0
}

// give gives an open file of root, created in the folder of a path, to the owner of that folder. It is no error if the
// file system cannot do so.
func give(file *os.File, path string) {
	uid, gid, foreign := owner(path)
	if !foreign {
		return
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	// A hard link that the owner of the folder has made there could be of any file of root.
	if has, _ := ownerOf(info); has == 0 && info.Sys().(*syscall.Stat_t).Nlink == 1 {
		_ = file.Chown(uid, gid)
	}
}

// giveLock creates a lock file, unless it exists, and gives it to the owner of its folder if it is root's. An error is
// left to who locks it.
func giveLock(path string) {
	if _, _, foreign := owner(path); !foreign {
		return
	}
	// Not through a symbolic link that the owner of the folder has made there.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, mode)
	if err != nil {
		return
	}
	defer file.Close()
	give(file, path)
}

// readable returns why a state file that exists cannot be read by this process; nil if it can, or if there is none.
func readable(path string) error {
	file, err := os.Open(path)
	switch {
	case err == nil:
		return file.Close()
	case errors.Is(err, fs.ErrPermission):
		return err
	}
	return nil // found when it is read
}

// explain adds to an error about a state file what its reason is, and what to do.
func explain(path string, err error) error {
	folder := filepath.Dir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; create the folder %q for the user that runs Telegraf, %s, or name a file in another one with state_file",
			err, folder, userName(os.Geteuid()))
	}
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	me := userName(os.Geteuid())
	var theirs []string
	var whose string
	for _, file := range []string{path, path + nextSuffix, path + ".lock"} {
		if info, err := os.Lstat(file); err == nil {
			if uid, _ := ownerOf(info); uid != os.Geteuid() {
				theirs, whose = append(theirs, strconv.Quote(file)), userName(uid)
			}
		}
	}
	if len(theirs) > 0 {
		return fmt.Errorf("%w; it belongs to %s, and this process runs as %s: run chown %s %s",
			err, whose, me, me, strings.Join(theirs, " "))
	}
	info, statErr := os.Stat(folder)
	for statErr != nil && folder != filepath.Dir(folder) { // which one keeps this process from looking further
		folder = filepath.Dir(folder)
		info, statErr = os.Stat(folder)
	}
	if statErr != nil {
		return err
	}
	uid, _ := ownerOf(info)
	return fmt.Errorf("%w; the folder %q belongs to %s, and this process runs as %s: let %s write there, "+
		"or name a file in another folder with state_file", err, folder, userName(uid), me, me)
}

// userName returns the name of a user, or the number of one who has none.
func userName(uid int) string {
	number := strconv.Itoa(uid)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}
