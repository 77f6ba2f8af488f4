package chembus

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"
	"golang.org/x/sys/unix"
)

// poller waits for ZeroMQ sockets by Go's own poller rather than in a call to libzmq, after each of which Go's monitor
// thread looks for a while whether another goroutine has to run in its place. On a quiet bus that takes more CPU time
// than all the rest. It belongs to one goroutine, but for Wake.
type poller struct {
	sockets []*zmq.Socket
	file    *os.File // of epoll; ready when a socket may be
	conn    syscall.RawConn
	woken   atomic.Bool
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	err = unix.SetNonblock(fd, true) // else Go would not poll it
	p := &poller{file: os.NewFile(uintptr(fd), "epoll")}
	if err == nil {
		p.conn, err = p.file.SyscallConn()
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Watch lets Wait wait for these sockets, and for no others.
func (p *poller) Watch(sockets ...*zmq.Socket) error {
	p.sockets = sockets
	for _, socket := range sockets {
		fd, err := socket.GetFd()
		if err != nil {
			return fmt.Errorf("asking a ZeroMQ socket for its file descriptor: %w", err)
		}
		// Closing the socket removes it.
		if err := unix.EpollCtl(int(p.file.Fd()), unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return os.NewSyscallError("epoll_ctl", err)
		}
	}
	return nil
}

// Wait waits until something may have happened to a socket, somebody calls Wake, or the time is over.
func (p *poller) Wait(timeout time.Duration) error {
	if err := p.file.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	defer p.woken.Store(false)
	var failure error
	looked := false
	err := p.conn.Read(func(uintptr) (done bool) {
		if looked || p.woken.Load() { // Wake may have been called before the deadline was set
			return true
		}
		looked = true
		// A descriptor only tells that something has changed since its socket was used last.
		done, failure = p.ready()
		return done
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return errors.Join(failure, err)
}

// ready reports whether something waits at a socket, or one of them fails.
func (p *poller) ready() (bool, error) {
	for _, socket := range p.sockets {
		switch events, err := socket.GetEvents(); {
		case Again(err), err == nil && events&zmq.POLLIN != 0:
			return true, nil
		case err != nil:
			return true, fmt.Errorf("asking a ZeroMQ socket what it holds: %w", err)
		}
	}
	return false, nil
}

// Wake ends the wait, or the next one. It may be called from any goroutine, also after Close.
func (p *poller) Wake() {
	p.woken.Store(true)
	_ = p.file.SetReadDeadline(time.Unix(1, 0)) // fails only after Close
}

// Close ends the use. The sockets are closed by whoever opened them.
func (p *poller) Close() error {
	return p.file.Close()
}
