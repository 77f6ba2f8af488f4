package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/process"
)

// writeLimit is how long a write to a monitor may take; its pipe holds more than a monitor gets while it is stopped.
const writeLimit = 10 * time.Second

// monitorOptions make the number of the monitor the intensity of its messages, by which the ledger knows who published what.
const monitorOptions = `
[[outputs.chembus]]
  publish_endpoint = %q
  subscribe_endpoint = %q
  intensity = %d.0
  state_file = %q
`

// monitor is the output's process, fed with the levels that its Telegraf's processor would hand it.
type monitor struct {
	number  int // from 0
	program string
	dir     string

	mu      sync.Mutex // guards what follows
	process *process.Process
	stdin   *os.File // nil while the process is dead
	output  strings.Builder
}

func newMonitor(number int, program, dir, xsub, xpub string) (*monitor, error) {
	m := &monitor{number: number, program: program, dir: filepath.Join(dir, fmt.Sprint("monitor", number))}
	return m, errors.Join(
		os.MkdirAll(m.dir, 0o700),
		os.WriteFile(m.options(), fmt.Appendf(nil, monitorOptions, xsub, xpub, number+1, m.state()), 0o600),
	)
}

func (m *monitor) options() string { return filepath.Join(m.dir, "chembus.conf") }
func (m *monitor) state() string   { return filepath.Join(m.dir, "output.json") }

// start starts the process; one that ran before must have ended.
func (m *monitor) start() error {
	cmd := exec.Command(m.program, "output", "-config", m.options())
	cmd.Env = append(os.Environ(), "STATE_DIRECTORY="+m.dir)
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdin = reader
	started, err := process.Start(cmd, nil)
	if err = errors.Join(err, reader.Close()); err != nil {
		return errors.Join(err, writer.Close())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.process, m.stdin = started, writer
	return nil
}

// kill ends the process without warning.
func (m *monitor) kill() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stdin == nil {
		return nil
	}
	err := m.process.Signal(syscall.SIGKILL)
	<-m.process.Done()
	fmt.Fprintf(&m.output, "--- monitor %d, process %d\n%s", m.number, m.process.Pid(), m.process.Output())
	err = errors.Join(err, m.stdin.Close())
	m.stdin = nil
	return err
}

// loseState removes the state file of a process that is dead.
func (m *monitor) loseState() error { return os.Remove(m.state()) }

// signal sends a signal to the process.
func (m *monitor) signal(s syscall.Signal) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.process.Signal(s)
}

// write hands lines over; false if there is nobody to take them.
func (m *monitor) write(lines string) bool {
	m.mu.Lock()
	stdin := m.stdin
	m.mu.Unlock()
	if stdin == nil {
		return false
	}
	if stdin.SetWriteDeadline(time.Now().Add(writeLimit)) != nil {
		return false
	}
	_, err := stdin.WriteString(lines) // fails if it was killed meanwhile
	return err == nil
}

// ended reports whether the process has ended by itself.
func (m *monitor) ended() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stdin == nil {
		return false
	}
	select {
	case <-m.process.Done():
		return true
	default:
		return false
	}
}

// log is all that the processes of this monitor have printed. To be read after kill.
func (m *monitor) log() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.output.String()
}
