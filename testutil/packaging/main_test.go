// Package packaging tests the Debian package as an operator uses it: it is installed, run with a real
// Telegraf, and removed.
package packaging

import (
	"errors"
	"fmt"
	"net"
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

// The environment of the copy of this test that installs.
const (
	packageVariable = "TELEGRAF_CHEMBUS_TEST_PACKAGE" // the package
	viewVariable    = "TELEGRAF_CHEMBUS_TEST_VIEW"    // folder in which to make a private view; empty: none
)

// noView is the exit status of a copy for which there is no private view.
const noView = 77

func TestMain(m *testing.M) {
	if dir := os.Getenv(viewVariable); dir != "" {
		if err := enterView(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(noView)
		}
	}
	os.Exit(m.Run())
}

// TestPackage installs in a private view of this machine where the kernel grants one, so that the machine
// itself is never changed, and its bus never met. In a container without that right it installs for real.
func TestPackage(t *testing.T) {
	if deb := os.Getenv(packageVariable); deb != "" {
		t.Run("before Telegraf", func(t *testing.T) { installFirst(t, deb) })
		t.Run("after Telegraf", func(t *testing.T) { installSecond(t, deb) })
		return
	}
	requireUntouched(t)
	require.FileExists(t, agent(), "no Telegraf to test with; run make telegraf, or name one with TELEGRAF=")
	deb := build(t)
	output, err := runCopy(t, deb, t.TempDir())
	var exit *exec.ExitError
	if errors.Is(err, syscall.EPERM) || errors.As(err, &exit) && exit.ExitCode() == noView {
		t.Logf("no private view of this machine: %v\n%s", err, output)
		requireBystander(t)
		output, err = runCopy(t, deb, "")
	}
	t.Logf("%s", output)
	require.NoError(t, err)
}

// requireUntouched skips the test where it cannot install, or would meet what an operator has installed.
func requireUntouched(t *testing.T) {
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

// requireBystander skips the test where installing for real would disturb what runs on this machine.
func requireBystander(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		t.Skip("SKIPPED: installing would restart this machine's Telegraf; mount namespaces are not permitted")
	}
	for _, port := range []string{"5558", "5559"} {
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Skipf("SKIPPED: the bus's standard ports are in use, and network namespaces are not permitted: %v", err)
		}
		listener.Close()
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

// runCopy runs this test again, as the copy that installs; with a view in namespaces of its own.
func runCopy(t *testing.T, deb, view string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	copy := exec.CommandContext(t.Context(), self, "-test.run=^TestPackage$", "-test.v")
	copy.Env = append(os.Environ(), packageVariable+"="+deb, viewVariable+"="+view)
	// Whatever becomes of this process, the copy ends with it, and all others with the copy.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	copy.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if view != "" {
		copy.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET
	}
	var output strings.Builder
	copy.Stdout, copy.Stderr = &output, &output
	err = copy.Run()
	return output.String(), err
}
