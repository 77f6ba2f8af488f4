package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/kloros/telegraf-chembus/cmd/telegraf-chembus/watch"
	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// startColony starts a bus with two components and returns a configuration file for it.
func startColony(t *testing.T) string {
	t.Helper()
	bus, err := colony.NewBus(colony.BusConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, bus.Close()) })
	c, err := colony.New(colony.Config{XSub: bus.XSub()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.Add(
		colony.Zooid{Name: "audio_io", Niche: "audio", Interval: 200 * time.Millisecond},
		colony.Zooid{Name: "evil\u202ename", Niche: "n", Interval: 200 * time.Millisecond},
	))
	file := filepath.Join(t.TempDir(), "f.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "[[inputs.chembus]]\nsubscribe_endpoint = %q\npublish_endpoint = %q\n"+
		"tick_interval = \"100ms\"\n[[processors.liveness]]\nreport_interval = \"1s\"\nstate_file = %q\n",
		bus.XPub(), bus.XSub(), filepath.Join(t.TempDir(), "none.json")), 0o600))
	return file
}

func TestWatchOnce(t *testing.T) {
	t.Parallel()
	file := startColony(t)
	for name, args := range map[string][]string{"table": nil, "JSON": {"-json"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, binary, nil, append([]string{"watch", "-config", file, "-once"}, args...)...)
			stdout, stderr := p.wait(0) // all are up
			require.Empty(t, stderr)
			for _, r := range strings.ReplaceAll(stdout, "\n", "") {
				require.True(t, r >= ' ' && r < 0x7f, "%q", stdout)
			}
			if args == nil {
				require.Regexp(t, `(?m)^Zooids  2 up$`, stdout)
				// The interval is not known yet if a slow machine lets few beats through.
				require.Regexp(t, `(?m)^audio_io  +audio +up +\d\.\ds +30\.0s +\d\.\ds +(\d\.\ds|-) +\d+ +-?\d+\.\dm?s$`, stdout)
				return
			}
			var s watch.Snapshot
			require.NoError(t, json.Unmarshal([]byte(stdout), &s))
			require.True(t, s.Bus.Observable)
			require.Len(t, s.Zooids, 2)
			require.Equal(t, "evil\u202ename", s.Zooids[1].Name)
		})
	}
}

// TestWatchOnceExitStatus runs a watch on a bus with a component that is expected and does not come, and without a bus.
func TestWatchOnceExitStatus(t *testing.T) {
	t.Parallel()
	file := startColony(t)
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	content = append(content, "expected = [\"absent\"]\nexpect_within = \"1ms\"\n"...)
	require.NoError(t, os.WriteFile(file, content, 0o600))
	stdout, _ := start(t, binary, nil, "watch", "-config", file, "-once").wait(1)
	require.Regexp(t, `(?m)^Gap     no heartbeat from "absent" yet.* \(critical\)$`, stdout)
	require.Regexp(t, `(?m)^absent +unseen `, stdout)

	stdout, _ = start(t, binary, nil, "watch", "-config", quietConfig(t), "-once").wait(2)
	require.Contains(t, stdout, "NOT OBSERVABLE")

	_, stderr := start(t, binary, nil, "watch", "-config", filepath.Join(t.TempDir(), "none.conf"), "-once").wait(2)
	require.Contains(t, stderr, "E! ")
}

// TestWatchAsJSON reads the lines of a live watch and stops it.
func TestWatchAsJSON(t *testing.T) {
	t.Parallel()
	p := start(t, binary, nil, "watch", "-config", startColony(t), "-json", "-interval", "100ms")
	for zooids := 0; zooids < 2; {
		var s watch.Snapshot
		require.NoError(t, json.Unmarshal([]byte(p.receive()), &s))
		zooids = len(s.Zooids)
	}
	p.signal(syscall.SIGTERM)
	_, stderr := p.wait(0)
	require.Empty(t, stderr)
}

func TestWatchNeedsATerminal(t *testing.T) {
	t.Parallel()
	p := start(t, binary, nil, "watch", "-config", quietConfig(t))
	stdout, stderr := p.wait(1)
	require.Empty(t, stdout)
	require.Equal(t, "E! watch: stdout is not a terminal; use -once or -json\n", stderr)
}

func TestWatchWithABadConfiguration(t *testing.T) {
	t.Chdir(t.TempDir())
	writeConfig(t, "[[inputs.chembus]]\n[[processors.liveness]]\nthreshold = true\n")
	status, stdout, stderr := invoke(t, "watch", "-config", "f.conf")
	require.Equal(t, 1, status)
	require.Empty(t, stdout)
	require.Regexp(t, `^E! f\.conf:3: option "threshold": .*\n$`, stderr)

	writeConfig(t, "[[inputs.chembus]]\n")
	_, _, stderr = invoke(t, "watch", "-config", "f.conf", "-once")
	require.Contains(t, stderr, "f.conf: table [[processors.liveness]] is missing")
}

// A terminal is a pseudo-terminal that runs a live watch.
type terminal struct {
	*testing.T
	master, slave *os.File
	cmd           *exec.Cmd
	before        unix.Termios
	done          chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

func startTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { slave.Close() })

	term := &terminal{T: t, master: master, slave: slave, done: make(chan struct{})}
	term.resize(100, 30)
	term.before = term.settings()
	term.cmd = exec.Command(binary, args...)
	term.cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	term.cmd.Stdin, term.cmd.Stdout, term.cmd.Stderr = slave, slave, slave
	term.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, term.cmd.Start())
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			if err != nil {
				return
			}
			term.mu.Lock()
			term.out.Write(buffer[:n])
			term.mu.Unlock()
		}
	}()
	go func() {
		_ = term.cmd.Wait() // the status is checked in ended
		close(term.done)
	}()
	t.Cleanup(func() {
		_ = term.cmd.Process.Kill()
		<-term.done
	})
	return term
}

func (t *terminal) settings() unix.Termios {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(t.slave.Fd()), unix.TCGETS)
	require.NoError(t, err)
	return *settings
}

func (t *terminal) resize(width, height uint16) {
	t.Helper()
	require.NoError(t, unix.IoctlSetWinsize(int(t.slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: width, Row: height}))
}

func (t *terminal) press(keys string) {
	t.Helper()
	_, err := t.master.WriteString(keys)
	require.NoError(t, err)
}

// output returns what was written to the terminal since the last clear.
func (t *terminal) output() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.String()
}

func (t *terminal) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out.Reset()
}

func (t *terminal) await(pattern string) {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	require.Eventually(t, func() bool { return expression.MatchString(t.output()) }, time.Minute, 10*time.Millisecond, pattern)
}

// stream returns the pid of the child process that runs the plugins.
func (t *terminal) stream() int {
	t.Helper()
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", t.cmd.Process.Pid))
	require.NoError(t, err)
	for _, file := range children {
		content, _ := os.ReadFile(file) // the thread may have ended
		for _, child := range strings.Fields(string(content)) {
			pid, err := strconv.Atoi(child)
			require.NoError(t, err)
			return pid
		}
	}
	require.Fail(t, "there is no child process")
	return 0
}

// ended waits for the exit, and requires that the terminal is restored and the child process has ended.
func (t *terminal) ended(status, stream int) {
	t.Helper()
	select {
	case <-t.done:
	case <-time.After(time.Minute):
		require.Fail(t, "the watch does not exit")
	}
	require.Equal(t, status, t.cmd.ProcessState.ExitCode(), t.cmd.ProcessState)
	require.Equal(t, t.before, t.settings(), "the terminal's settings")
	t.await(`\x1b\[\?1049l`) // leaves the alternate screen
	require.ErrorIs(t, syscall.Kill(stream, 0), syscall.ESRCH)
}

// TestWatchOnATerminal resizes a live watch and ends it in each possible way.
func TestWatchOnATerminal(t *testing.T) {
	t.Parallel()
	file := startColony(t)
	for _, test := range []struct {
		name   string
		end    func(term *terminal, stream int)
		status int
		says   string
	}{
		{"q", func(term *terminal, _ int) { term.press("q") }, 0, ""},
		{"Ctrl-C", func(term *terminal, _ int) { term.press("\x03") }, 0, ""},
		{"SIGTERM", func(term *terminal, _ int) { require.NoError(term, term.cmd.Process.Signal(syscall.SIGTERM)) }, 0, ""},
		{"SIGQUIT", func(term *terminal, _ int) { require.NoError(term, term.cmd.Process.Signal(syscall.SIGQUIT)) }, 0, ""},
		{"crash", func(term *terminal, stream int) { require.NoError(term, syscall.Kill(stream, syscall.SIGABRT)) }, 1,
			`E! watch: the listening process exited: exit status 2; its last log line: "SIGABRT: abort"`},
		{"killed", func(term *terminal, stream int) { require.NoError(term, syscall.Kill(stream, syscall.SIGKILL)) }, 1,
			`E! watch: the listening process exited: signal: killed; its last log line: ""`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			term := startTerminal(t, "watch", "-config", file)
			term.await(`audio_io`)
			term.await(`evil\\u202ename`)
			require.NotEqual(t, term.before, term.settings(), "raw mode")
			term.press("?")
			term.await(`Keys`) // of what is drawn over, only what differs is written
			term.press("?")
			term.clear()
			term.resize(60, 10)
			term.await(`audio_io`) // drawn again
			stream := term.stream()
			test.end(term, stream)
			term.ended(test.status, stream)
			term.await(regexp.QuoteMeta(test.says)) // may still be on its way
			require.NotContains(t, term.output(), "\u202e")
		})
	}
}
