package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// ownNetwork in the environment says that the process is in a network namespace of its own.
	ownNetwork = "CHEMBUS_SOAK_OWN_NETWORK"
	// anyAddress is where a bus binds that is reached by links.
	anyAddress = "tcp://0.0.0.0:*"
	// lowRate is less than what the bus sends.
	lowRate = "20kbit"
)

// canHaveNetworks returns why there cannot be links.
func canHaveNetworks() error {
	if os.Geteuid() != 0 {
		return errors.New("this is not root")
	}
	_, noIP := exec.LookPath("ip")
	_, noTC := exec.LookPath("tc")
	return errors.Join(noIP, noTC)
}

// enterOwnNetwork starts this program again in a network namespace of its own: its addresses and links concern nobody
// else, and end with the process, however that ends. It returns if this is done, or not possible.
func enterOwnNetwork() error {
	if os.Getenv(ownNetwork) != "" {
		return command("ip", "link", "set", "lo", "up")
	}
	if err := canHaveNetworks(); err != nil {
		return err
	}
	runtime.LockOSThread() // it becomes the process
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), ownNetwork+"=1"))
}

// link connects the bus with a host in a network namespace of its own, which ends with the last process in it.
type link struct {
	name        string // of the host
	number      int
	here, there *os.File // the namespaces of the bus and of the host
}

// newLink makes a link, and the namespace behind it.
func newLink(number int) (*link, error) {
	l := &link{name: fmt.Sprintf("monitor%d", number), number: number}
	var err error
	if l.here, err = currentNamespace(); err != nil {
		return nil, err
	}
	enter := func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		l.there, err = currentNamespace()
		return err
	}
	if err := inNamespace(l.here, enter); err != nil {
		return nil, fmt.Errorf("making the network namespace of %s: %w", l.name, err)
	}
	near, far := l.interfaces()
	move := exec.Command("ip", "link", "set", far, "netns", "/proc/self/fd/3")
	move.ExtraFiles = []*os.File{l.there}
	return l, errors.Join(
		command("ip", "link", "add", near, "address", l.hardware(1), "type", "veth", "peer", "name", far, "address", l.hardware(2)),
		run(move),
		l.beyond(func() error {
			return errors.Join(
				command("ip", "link", "set", "lo", "up"),
				command("ip", "address", "add", l.address(2)+"/24", "dev", far),
				command("ip", "link", "set", far, "up"),
			)
		}),
		command("ip", "address", "add", l.address(1)+"/24", "dev", near),
		l.down(false),
	)
}

// interfaces returns the names of the ends of the link.
func (l *link) interfaces() (near, far string) {
	return fmt.Sprintf("bus%d", l.number), fmt.Sprintf("host%d", l.number)
}

// address is that of the bus on this link (1), or of the host (2).
func (l *link) address(end int) string { return fmt.Sprintf("10.77.%d.%d", l.number, end) }

// hardware is the hardware address of an end.
func (l *link) hardware(end int) string { return fmt.Sprintf("02:00:00:77:%02x:%02x", l.number, end) }

// endpoint returns the bus's endpoint as it is reached by the link.
func (l *link) endpoint(bound string) string {
	if l == nil {
		return bound
	}
	return strings.Replace(bound, "0.0.0.0", l.address(1), 1)
}

// down takes the interfaces down, or up again: both sides see that at once.
func (l *link) down(down bool) error {
	near, _ := l.interfaces()
	if down {
		return command("ip", "link", "set", near, "down")
	}
	return errors.Join(command("ip", "link", "set", near, "up"), l.lose(false, false))
}

// lose makes the link lose all packets of the bus, of the host, or of both, which nobody is told: they are sent to a
// hardware address that there is not.
func (l *link) lose(ofBus, ofHost bool) error {
	near, far := l.interfaces()
	to := func(end int, lost bool) string {
		if lost {
			end = 9
		}
		return l.hardware(end)
	}
	return errors.Join(
		command("ip", "neighbour", "replace", l.address(2), "lladdr", to(2, ofBus), "dev", near),
		l.beyond(func() error {
			return command("ip", "neighbour", "replace", l.address(1), "lladdr", to(1, ofHost), "dev", far)
		}),
	)
}

// slow makes the link slow in both directions, so that packets are late and lost, or fast again.
func (l *link) slow(slow bool) error {
	near, far := l.interfaces()
	change := func(name string) error {
		if slow {
			return command("tc", "qdisc", "add", "dev", name, "root", "tbf", "rate", lowRate, "burst", "3000", "limit", "6000")
		}
		return command("tc", "qdisc", "del", "dev", name, "root")
	}
	return errors.Join(change(near), l.beyond(func() error { return change(far) }))
}

// beyond does something, such as to start a process, on the host at the other end; without a link, here.
func (l *link) beyond(do func() error) error {
	if l == nil {
		return do()
	}
	return inNamespace(l.here, func() error {
		if err := unix.Setns(int(l.there.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return do()
	})
}

// inNamespace does something on a thread that may change its network namespace, and brings it back.
func inNamespace(back *os.File, do func() error) error {
	runtime.LockOSThread()
	err := do()
	if failed := unix.Setns(int(back.Fd()), unix.CLONE_NEWNET); failed != nil {
		return errors.Join(err, failed) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

func currentNamespace() (*os.File, error) { return os.Open("/proc/thread-self/ns/net") }

// command runs a program; an error has its output.
func command(name string, args ...string) error { return run(exec.Command(name, args...)) }

func run(cmd *exec.Cmd) error {
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, strings.TrimSpace(string(output)))
	}
	return nil
}
