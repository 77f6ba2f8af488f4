package packaging

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// ours are the folders in which packages have files, and others are what dpkg and the account tools
// keep there for themselves.
var (
	ours   = []string{"/etc", "/usr/bin", "/usr/lib/systemd", "/usr/share/doc", "/usr/share/man/man1", "/usr/share/bash-completion", "/var/lib"}
	others = []string{
		"/var/lib/dpkg", "/var/lib/apt", "/etc/.pwd.lock",
		"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-",
	}
)

// listing describes each file in those folders: kind, permissions and owner, and the content of those in
// /etc, which include the accounts.
func listing(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, folder := range ours {
		require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil // another program's, gone meanwhile
			case err != nil:
				return err
			case slices.Contains(others, path) && entry.IsDir():
				return fs.SkipDir
			case slices.Contains(others, path):
				return nil
			}
			description, err := describe(path)
			if err == nil {
				files[path] = description
			}
			return err
		}))
	}
	return files
}

// requireSame makes sure that two listings are alike.
func requireSame(t *testing.T, before, after map[string]string) {
	t.Helper()
	var differences []string
	for path, description := range before {
		if after[path] != description {
			differences = append(differences, fmt.Sprintf("%s: %s, before %s", path, after[path], description))
		}
	}
	for path, description := range after {
		if _, known := before[path]; !known {
			differences = append(differences, fmt.Sprintf("%s: %s, before not there", path, description))
		}
	}
	require.Empty(t, differences)
}

func describe(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	stat := info.Sys().(*syscall.Stat_t)
	description := fmt.Sprintf("%v %d:%d", info.Mode(), stat.Uid, stat.Gid)
	if info.Mode().IsRegular() && strings.HasPrefix(path, "/etc/") {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		description += fmt.Sprintf(" %x", sha256.Sum256(content))
	}
	return description, nil
}
