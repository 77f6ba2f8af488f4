package packaging

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// enterView gives this process, which runs in namespaces of its own, a private view of the machine: what it
// writes outside the temporary folder and the repository stays in memory, and its loopback interface is its own.
func enterView(dir string) error {
	if os.Getpid() != 1 {
		return errors.New("making a private view of the machine: this process has no namespaces of its own")
	}
	cwd, err := os.Getwd()
	if err != nil {
		return err
	}
	repository, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	if err := requireOneFilesystem("/", "/etc", "/usr", "/var", "/var/lib/dpkg"); err != nil {
		return err
	}
	upper, work, view := filepath.Join(dir, "upper"), filepath.Join(dir, "work"), filepath.Join(dir, "view")
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"hide mounts from the others", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"mount a file system in memory", func() error { return unix.Mount("tmpfs", dir, "tmpfs", 0, "") }},
		{"make folders", func() error { return mkdirs(upper, work, view) }},
		{"lay it over the machine's", func() error {
			return unix.Mount("overlay", view, "overlay", 0, "lowerdir=/,upperdir="+upper+",workdir="+work)
		}},
		{"show devices", func() error { return bind("/dev", view) }},
		{"show processes", func() error { return unix.Mount("proc", filepath.Join(view, "proc"), "proc", 0, "") }},
		{"show the temporary folder", func() error { return bind(os.TempDir(), view) }},
		{"show the repository", func() error { return bind(repository, view) }},
		{"show the folder of Telegraf", func() error { return bind(filepath.Dir(agent()), view) }},
		{"enter it", func() error { return unix.Chroot(view) }},
		{"return to the working directory", func() error { return os.Chdir(cwd) }},
		{"start the loopback interface", startLoopback},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("making a private view of the machine: cannot %s: %w", step.what, err)
		}
	}
	return nil
}

// requireOneFilesystem makes sure that one overlay covers all that a package changes.
func requireOneFilesystem(paths ...string) error {
	var first unix.Stat_t
	for i, path := range paths {
		var stat unix.Stat_t
		if err := unix.Stat(path, &stat); err != nil {
			return fmt.Errorf("looking at %s: %w", path, err)
		}
		if i == 0 {
			first = stat
		}
		if stat.Dev != first.Dev {
			return fmt.Errorf("making a private view of the machine: %s is a file system of its own", path)
		}
	}
	return nil
}

func mkdirs(paths ...string) error {
	for _, path := range paths {
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// bind shows a folder of the machine, with what is mounted in it, at the same place in the view.
func bind(path, view string) error {
	return unix.Mount(path, filepath.Join(view, path), "", unix.MS_BIND|unix.MS_REC, "")
}

func startLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}
