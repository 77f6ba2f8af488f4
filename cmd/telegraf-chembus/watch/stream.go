package watch

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Stream reads snapshots that a child process writes as lines of JSON. In a process of their own, the plugins and their
// libraries cannot print to the terminal, and a crash does not leave it in raw mode.
type Stream struct {
	snapshots chan Snapshot // closed at the end
	messages  chan string   // warnings and errors from its log
	err       error         // why the process ended; to be read once snapshots is closed
	cmd       *exec.Cmd
	stop      chan struct{} // closed by Stop
	done      chan struct{} // closed when the process and its readers have ended
}

// stopTimeout is how long the process may take to exit.
const stopTimeout = 5 * time.Second

// crash matches the first line that the Go runtime prints at a crash.
var crash = regexp.MustCompile(`^(panic: |fatal error: |SIG[A-Z]+: )`)

// StartStream starts the process. Stop it after use.
func StartStream(cmd *exec.Cmd) (*Stream, error) {
	s := &Stream{
		snapshots: make(chan Snapshot),
		messages:  make(chan string),
		cmd:       cmd,
		stop:      make(chan struct{}),
		done:      make(chan struct{}),
	}
	// Signals from the terminal reach only this process, which then stops the child.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	lastLine := make(chan string, 1)
	go func() { lastLine <- s.readLog(stderr) }()
	go func() {
		defer close(s.done)
		defer close(s.snapshots)
		err := s.readSnapshots(stdout)
		last := <-lastLine
		if end := cmd.Wait(); end != nil {
			err = end
		}
		s.err = fmt.Errorf("the listening process exited: %w; its last log line: %q", err, last)
	}()
	return s, nil
}

// readSnapshots passes on the snapshots until the end of the process's stdout.
func (s *Stream) readSnapshots(from io.Reader) error {
	decoder := json.NewDecoder(from)
	for {
		var snapshot Snapshot
		if err := decoder.Decode(&snapshot); err != nil {
			// Without a reader the process would block and not exit.
			_, _ = io.Copy(io.Discard, from)
			return err
		}
		select {
		case s.snapshots <- snapshot:
		case <-s.stop:
		}
	}
}

// readLog passes on warnings and errors. It returns the last line, or the first line of a crash.
func (s *Stream) readLog(from io.Reader) (last string) {
	crashed := false
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if !crashed {
			last = lines.Text()
			crashed = crash.MatchString(last)
		}
		if strings.HasPrefix(lines.Text(), "W! ") || strings.HasPrefix(lines.Text(), "E! ") {
			select {
			case s.messages <- lines.Text():
			case <-s.stop:
			}
		}
	}
	_, _ = io.Copy(io.Discard, from) // the scanner stops at a line that is too long
	return last
}

// Stop stops the process and waits for its exit.
func (s *Stream) Stop() {
	close(s.stop)
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails if it has exited
	select {
	case <-s.done:
	case <-time.After(stopTimeout):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}
