// Package process runs external programs for tests, the demo, the bench and the soak test.
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

// stopTimeout is how long a program may take to exit after SIGTERM. Telegraf waits up to ten seconds for its
// child processes.
const stopTimeout = 20 * time.Second

// Process is a running program.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the program has exited

	mu     sync.Mutex
	output bytes.Buffer
	err    error // of Wait; to be read after done
}

// Start runs a command in the background. Its output is kept; if stdout is not nil, its stdout is written there
// instead.
func Start(cmd *exec.Cmd, stdout io.Writer) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	cmd.Stderr = (*output)(p)
	cmd.Stdout = (*output)(p)
	if stdout != nil {
		cmd.Stdout = stdout
	}
	// A Ctrl-C in the terminal must reach only this process, which then stops the program.
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

// Write keeps the output.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.output.Write(b)
}

// Output returns the output so far.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// Pid returns the program's process id.
func (p *Process) Pid() int {
	return p.cmd.Process.Pid
}

// Done returns a channel that is closed when the program has exited.
func (p *Process) Done() <-chan struct{} {
	return p.done
}

// Signal sends a signal to the program, not to its child processes.
func (p *Process) Signal(signal os.Signal) error {
	return p.cmd.Process.Signal(signal)
}

// Stop stops the program with SIGTERM and returns the error of its exit. After 20 s it kills the program and its child
// processes and returns an error.
func (p *Process) Stop() error {
	_ = p.Signal(syscall.SIGCONT) // a stopped process does not handle SIGTERM
	_ = p.Signal(syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("%s did not exit within %v", p.cmd.Path, stopTimeout)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
