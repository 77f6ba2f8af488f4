// Package packaging tests the Debian package as an operator uses it: it is installed, run with a real
// Telegraf, and removed. This happens in namespaces that belong to the test, never on the machine itself.
package packaging

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// The environment of the child process that installs.
const (
	packageVariable = "TELEGRAF_CHEMBUS_TEST_PACKAGE" // the package; empty: only try whether there can be a view
	viewVariable    = "TELEGRAF_CHEMBUS_TEST_VIEW"    // the folder in which to make the private view
)

// noView is the exit status of a child that could not make a private view.
const noView = 77

// inView is true in a child process once everything it changes is private to it.
var inView bool

func TestMain(m *testing.M) {
	if dir := os.Getenv(viewVariable); dir != "" {
		if err := enterView(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(noView)
		}
		inView = true
	}
	os.Exit(m.Run())
}

// TestPackage installs in a private view of this machine: a child process in namespaces of its own, with an
// overlay over the file system. The machine itself is never changed. Without such namespaces it is skipped.
func TestPackage(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: needs root, dpkg, a Telegraf and InfluxDB")
	}
	if inView {
		if deb := os.Getenv(packageVariable); deb != "" {
			t.Run("before Telegraf", func(t *testing.T) { installFirst(t, deb) })
			t.Run("after Telegraf", func(t *testing.T) { installSecond(t, deb) })
		}
		return
	}
	requireInstallable(t)
	requireView(t)
	require.FileExists(t, agent(), "no Telegraf to test with; run make telegraf, or name one with TELEGRAF=")
	output, err := runInView(t, build(t), t.TempDir())
	t.Logf("%s", output)
	require.NoError(t, err)
}

// requireView skips the test where the kernel does not permit a private view.
func requireView(t *testing.T) {
	t.Helper()
	output, err := runInView(t, "", t.TempDir())
	var exit *exec.ExitError
	switch {
	case isNotPermitted(err):
		t.Skipf("SKIPPED: a package is installed in namespaces of its own only, and the kernel grants none: %v", err)
	case errors.As(err, &exit) && exit.ExitCode() == noView:
		t.Skipf("SKIPPED: a package is installed in a private view of the machine only, and there is none: %s", output)
	}
	require.NoError(t, err, "%s", output)
}

// isNotPermitted reports whether the kernel refused to start a process in namespaces of its own.
func isNotPermitted(err error) bool {
	for _, refusal := range []error{syscall.EPERM, syscall.ENOSPC, syscall.EUSERS, syscall.EINVAL} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// requireInstallable skips the test where it cannot install, or where the view would show an installation.
func requireInstallable(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: installing a package needs root")
	}
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("SKIPPED: installing a Debian package needs dpkg")
	}
	for _, file := range []string{
		"/usr/bin/telegraf-chembus", "/etc/telegraf-chembus", "/var/lib/telegraf-chembus",
		"/etc/telegraf/telegraf.d/chembus.conf", "/var/lib/dpkg/info/telegraf-chembus.list",
	} {
		if _, err := os.Lstat(file); err == nil {
			t.Skipf("SKIPPED: telegraf-chembus is installed on this machine, or was (%s); purge it to test the package", file)
		}
	}
}

// build builds the packages and returns the Debian one.
func build(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	build := exec.Command("make", "--no-print-directory", "package", "VERSION="+version, "DIST="+folder)
	build.Dir = root
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	for _, pattern := range []string{"*.rpm", "*_linux_*.tar.gz", "*.deb"} {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		require.NoError(t, err)
		require.Len(t, files, 1, pattern)
	}
	return filepath.Join(folder, "telegraf-chembus_"+packageVersion+"_"+runtime.GOARCH+".deb")
}

// runInView runs this test again, as a child process in namespaces of its own.
func runInView(t *testing.T, deb, view string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	child := exec.CommandContext(t.Context(), self, "-test.run=^TestPackage$", "-test.v")
	child.Env = append(os.Environ(), packageVariable+"="+deb, viewVariable+"="+view)
	// However this process ends, the child ends with it, and all others in its namespace with the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	child.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig:  syscall.SIGKILL,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET,
	}
	var output strings.Builder
	child.Stdout, child.Stderr = &output, &output
	err = child.Run()
	return output.String(), err
}
