// Package process runs the real programs that tests and the demo need.
package process

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// stopTimeout is how long a program may take to end after SIGTERM. Telegraf gives its own children
// two times five seconds.
const stopTimeout = 20 * time.Second

// Process is a running program.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu     sync.Mutex
	output bytes.Buffer
	err    error // how it ended, to be read after done
}

// Start runs a command in the background. Its stdout goes to stdout, where that is not nil, and
// everything else it prints is kept.
func Start(cmd *exec.Cmd, stdout io.Writer) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	cmd.Stderr = (*output)(p)
	cmd.Stdout = (*output)(p)
	if stdout != nil {
		cmd.Stdout = stdout
	}
	// A Ctrl-C in the terminal is for us; we stop it then.
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.WaitDelay = stopTimeout
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
		close(p.done)
	}()
	return p, nil
}

type output Process

// Write keeps what the program prints.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.output.Write(b)
}

// Output returns what the program has printed.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// Pid returns the program's process id.
func (p *Process) Pid() int {
	return p.cmd.Process.Pid
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} {
	return p.done
}

// Signal sends a signal to the program alone.
func (p *Process) Signal(signal os.Signal) error {
	return p.cmd.Process.Signal(signal)
}

// Stop ends the program, by force if it does not end by itself, and returns how it ended.
func (p *Process) Stop() error {
	_ = p.Signal(syscall.SIGCONT) // one that is stopped cannot end
	_ = p.Signal(syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("%s did not end within %v", p.cmd.Path, stopTimeout)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
