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

// Stream is the snapshots that another process writes as lines of JSON. It is another one so that whatever
// happens to it, or is printed by a library within it, leaves the terminal alone.
type Stream struct {
	snapshots chan Snapshot // closed at the end
	messages  chan string   // warnings and errors of its log
	err       error         // why it ended, to be read after that
	cmd       *exec.Cmd
	stop      chan struct{} // closed by Stop
	done      chan struct{} // closed when the process and all that reads from it have ended
}

const (
	// endPatience is how long the process may take to end.
	endPatience = 5 * time.Second
)

// crash matches how the Go runtime begins to tell of one.
var crash = regexp.MustCompile(`^(panic: |fatal error: |SIG[A-Z]+: )`)

// StartStream starts the process.
func StartStream(cmd *exec.Cmd) (*Stream, error) {
	s := &Stream{
		snapshots: make(chan Snapshot),
		messages:  make(chan string),
		cmd:       cmd,
		stop:      make(chan struct{}),
		done:      make(chan struct{}),
	}
	// Whatever signals the terminal sends are for us, who end it then.
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
	said := make(chan string, 1)
	go func() { said <- s.readLog(stderr) }()
	go func() {
		defer close(s.done)
		defer close(s.snapshots)
		err := s.readSnapshots(stdout)
		last := <-said
		if end := cmd.Wait(); end != nil {
			err = end
		}
		s.err = fmt.Errorf("the process that listens has ended: %w; it said: %q", err, last)
	}()
	return s, nil
}

// readSnapshots passes on what the process writes, up to the end of it.
func (s *Stream) readSnapshots(from io.Reader) error {
	decoder := json.NewDecoder(from)
	for {
		var snapshot Snapshot
		if err := decoder.Decode(&snapshot); err != nil {
			// It must not wait for a reader, or it would not end.
			_, _ = io.Copy(io.Discard, from)
			return err
		}
		select {
		case s.snapshots <- snapshot:
		case <-s.stop:
		}
	}
}

// readLog passes on the warnings and errors, and returns the last line; of a crash the first, which tells why.
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
	_, _ = io.Copy(io.Discard, from) // after a line that is too long
	return last
}

// Stop ends the process and waits for its end.
func (s *Stream) Stop() {
	close(s.stop)
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails if it has ended
	select {
	case <-s.done:
	case <-time.After(endPatience):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}
