package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/influxdata/telegraf"
	"golang.org/x/sys/unix"
)

// stdinGrace is how long a processor or an output waits for the end of stdin after a signal. It is longer
// than the 5 s that Telegraf waits between closing stdin and sending SIGTERM.
const stdinGrace = 6 * time.Second

// A feed is between stdin and a plugin. While no plugin runs, it drains stdin.
//
// It delays SIGINT and SIGTERM until the end of stdin, for a grace time at most. A terminal's Ctrl-C and systemd signal
// Telegraf and its child processes at the same time; without the delay, metrics that Telegraf sends before it closes
// stdin would be lost. A processor and an output end only with their stdin. So the plugin reads from a pipe, which is
// closed at the end of stdin, or the grace time after a signal.
type feed struct {
	stdin *os.File
	pipe  *io.PipeReader // where the plugin reads
	into  *io.PipeWriter // the other end
	pass  io.Writer      // of the lines that come while no plugin runs
	grace time.Duration  // 0: a signal ends stdin at once
	log   telegraf.Logger

	begin  sync.Once     // of reading stdin
	copied chan error    // receives how that ended
	ended  chan struct{} // closed just before the plugin's stdin ends

	signals chan os.Signal
	closed  chan struct{} // by Close

	running atomic.Bool
	mu      sync.Mutex // held while a line is passed
}

// newFeed makes a feed. It takes signals, and reads nothing before Drain or Run.
func newFeed(stdin *os.File, pass io.Writer, grace time.Duration, log telegraf.Logger) *feed {
	r, w := io.Pipe()
	f := &feed{
		stdin: stdin, pipe: r, into: w, pass: pass, grace: grace, log: log,
		copied: make(chan error, 1), ended: make(chan struct{}),
		signals: make(chan os.Signal, 1), closed: make(chan struct{}),
	}
	signal.Notify(f.signals, syscall.SIGINT, syscall.SIGTERM)
	go f.awaitEnd()
	return f
}

// pollable returns a file of its own for stdin. Go's poller waits for it if it is a pipe: a call that waits would keep
// everything else from running until Go's monitor thread finds it.
func pollable(stdin *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(stdin.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	// Of anything else, such as a terminal, others would find it changed.
	if info, err := stdin.Stat(); err == nil && info.Mode()&os.ModeNamedPipe != 0 {
		if err := unix.SetNonblock(fd, true); err != nil {
			return nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(fd))
		}
	}
	return os.NewFile(uintptr(fd), stdin.Name()), nil
}

// Close leaves stdin alone, but for a line that is being read. Signals have no effect any more: the process is about to
// exit, and one that comes while it still writes its log would end it.
func (f *feed) Close() {
	close(f.closed)
	_ = f.pipe.Close()
}

// Supervised reports whether stdin is that of a child process of Telegraf: a pipe.
func (f *feed) Supervised() bool {
	info, err := f.stdin.Stat()
	return err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0
}

// Run hands all that comes from now on to the plugin.
func (f *feed) Run() {
	f.mu.Lock() // a line that has begun goes its way
	f.running.Store(true)
	f.mu.Unlock()
	f.Drain()
}

// Running reports whether Run was called.
func (f *feed) Running() bool {
	return f.running.Load()
}

// Drain begins to pass what comes before Run, line by line.
func (f *feed) Drain() {
	f.begin.Do(func() { go func() { f.copied <- f.copy() }() })
}

func (f *feed) copy() error {
	lines := bufio.NewReader(f.stdin)
	for {
		if _, err := lines.Peek(1); err != nil {
			return unlessEOF(err)
		}
		if err := f.copyLine(lines); err != nil {
			return unlessEOF(err)
		}
		if f.Running() {
			_, err := io.Copy(f.into, &gatherer{stdin: lines})
			return err
		}
	}
}

// copyLine passes one line, however long, to where it belongs at its beginning.
func (f *feed) copyLine(lines *bufio.Reader) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	to := f.pass
	if f.running.Load() {
		to = f.into
	}
	for {
		part, err := lines.ReadSlice('\n')
		if _, err := to.Write(part); err != nil {
			return err
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

func unlessEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// awaitEnd ends the plugin's stdin.
func (f *feed) awaitEnd() {
	defer f.into.Close()
	var err error
	select {
	case <-f.closed:
		return
	case err = <-f.copied:
	case sig := <-f.signals:
		if f.grace == 0 {
			break
		}
		// Nothing is drained here: while the plugin starts, lines wait for it.
		f.log.Infof("Received signal %q; stopping at the end of stdin, or in %v", sig, f.grace)
		select {
		case err = <-f.copied:
		case <-time.After(f.grace):
			f.log.Warnf("Stopping: stdin did not end within %v of the signal; metrics sent from now on are lost", f.grace)
		}
	}
	if err != nil {
		f.log.Errorf("Stopping: reading stdin failed: %v", err)
	}
	close(f.ended)
}
