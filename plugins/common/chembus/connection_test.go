package chembus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// becomes returns a condition: the connection has a link, or none.
func becomes(t *testing.T, c *Connection, up bool) func() bool {
	return func() bool {
		require.NoError(t, c.Update(time.Now()))
		return c.Up() == up
	}
}

func TestConnectionSeesTheBusComeAndGo(t *testing.T) {
	bus := startBus(t)
	require.NoError(t, bus.Kill())
	c := newSubscriber(t, newContext(t), bus.XPub(), 1000, "S")

	for range 3 {
		require.NoError(t, bus.Restart())
		require.Eventually(t, becomes(t, c, true), patience, poll)
		before := c.Losses()
		require.NoError(t, bus.Kill())
		require.Eventually(t, becomes(t, c, false), patience, poll)
		require.Greater(t, c.Losses(), before)
	}
}

func TestFailedAttemptsAreNoDisconnects(t *testing.T) {
	// A port at which nobody listens.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	c := newSubscriber(t, newContext(t), "tcp://"+listener.Addr().String(), 1000, "S")
	p := newTestPoller(t)
	require.NoError(t, p.Watch(c.socket, c.events))
	for attempts := 0; attempts < 2; attempts++ {
		require.True(t, returns(t, p, patience), "no attempt")
		require.NoError(t, c.Update(time.Now()))
		require.False(t, c.Up())
		require.Zero(t, c.Losses())
	}
}

// A bus whose host is gone without a word, as behind a cable that was cut, is given up and found again. TCP alone
// takes it for quiet: nothing is sent that it could find to be lost.
func TestConnectionToAHostThatIsGone(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	way := newWay(t, strings.TrimPrefix(bus.XPub(), "tcp://"))
	c := newSubscriber(t, newContext(t), "tcp://"+way.Addr().String(), 1000, "S")
	require.Eventually(t, becomes(t, c, true), patience, poll)
	way.Cut(t)
	require.Eventually(t, becomes(t, c, false), patience+zmtpHeartbeatInterval+unacknowledgedLimit, poll)
	way.Mend()
	require.Eventually(t, becomes(t, c, true), patience, poll)
}

// A host that answers nothing, not even that nobody listens, is asked anew all the time: TCP alone asks at intervals that
// double, so that a bus could be back for a minute before it is found.
func TestHostThatAnswersNothingIsAskedAnew(t *testing.T) {
	t.Parallel()
	address := silentAddress(t)
	newSubscriber(t, newContext(t), "tcp://"+address.String(), 1000, "S")
	attempts := make(map[string]bool) // by port
	require.Eventually(t, func() bool {
		for _, port := range connecting(t, address) {
			attempts[port] = true
		}
		return len(attempts) >= 3
	}, patience, poll)
}

// silentAddress is one at which the operating system drops each attempt to connect: somebody listens, and takes nobody.
func silentAddress(t *testing.T) *net.TCPAddr {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	bound, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	address := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: bound.(*syscall.SockaddrInet4).Port}
	waiting, err := net.DialTCP("tcp4", nil, address) // there is room for one
	require.NoError(t, err)
	t.Cleanup(func() { _ = waiting.Close() })
	return address
}

// connecting returns the ports from which connections to an address are attempted at present.
func connecting(t *testing.T, to *net.TCPAddr) (ports []string) {
	t.Helper()
	const synSent = "02"
	table, err := os.ReadFile("/proc/net/tcp")
	require.NoError(t, err)
	for line := range strings.Lines(string(table)) {
		// Number, local and remote address, state.
		fields := strings.Fields(line)
		if len(fields) > 3 && fields[2] == fmt.Sprintf("0100007F:%04X", to.Port) && fields[3] == synSent {
			ports = append(ports, fields[1])
		}
	}
	return ports
}

// way is what lies between two hosts. While it is cut nothing gets through, not even an acknowledgement of TCP, and neither side
// gets an error.
type way struct {
	net.Listener
	mu   sync.Mutex // guards what follows
	cut  bool
	near []*net.TCPConn
}

func newWay(t *testing.T, to string) *way {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &way{Listener: listener}
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil || !w.enter(near.(*net.TCPConn)) {
				_ = near.Close()
				continue
			}
			go carry(near, far)
			go carry(far, near)
		}
	}()
	return w
}

// enter takes a connection, unless the way is cut.
func (w *way) enter(near *net.TCPConn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.near = append(w.near, near)
	return !w.cut
}

// carry carries bytes until a connection ends.
func carry(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

// Cut has the kernel drop what comes by the present connections.
func (w *way) Cut(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	none := unix.SockFprog{Len: 1, Filter: &unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}}
	for _, near := range w.near {
		conn, err := near.SyscallConn()
		require.NoError(t, err)
		require.NoError(t, conn.Control(func(fd uintptr) {
			require.NoError(t, unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &none))
		}))
	}
}

func (w *way) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}

// TestSubscriberThatIsNotReadForLong fills a socket, and reads it after a time in which no heartbeat of ZMTP was answered, since
// the answer is behind the messages. With a limit for that, libzmq ended the process.
func TestSubscriberThatIsNotReadForLong(t *testing.T) {
	t.Parallel()
	const sent = 3 * ReceiveHighWaterMark
	p, err := newContext(t).NewSocket(zmq.XPUB)
	require.NoError(t, err)
	defer p.Close()
	require.NoError(t, errors.Join(p.SetLinger(0), p.SetSndhwm(0), p.Bind("tcp://127.0.0.1:*")))
	endpoint, err := p.GetLastEndpoint()
	require.NoError(t, err)
	c := newSubscriber(t, newContext(t), endpoint, 1<<20, "S")
	require.NoError(t, p.SetRcvtimeo(patience))
	_, err = p.Recv(0) // the subscription
	require.NoError(t, err)
	body := make([]byte, 10_000) // more than the buffers of the system hold
	for range sent {
		_, err := p.SendMessage("S", body)
		require.NoError(t, err)
	}
	// No condition shows that libzmq has given an answer up, but the end of the process. The limit was 15 s.
	time.Sleep(zmtpHeartbeatInterval + 20*time.Second)
	for received, end := 0, time.Now().Add(patience); received < sent; {
		require.True(t, time.Now().Before(end), "%d of %d messages came", received, sent)
		require.NoError(t, c.Update(time.Now()))
		if _, _, _, err := c.Receive(); !Again(err) {
			require.NoError(t, err)
			received++
		}
	}
	require.Zero(t, c.Losses())
}

// lost waits until the link was lost so often.
func lost(t *testing.T, c *Connection, losses uint64) time.Time {
	t.Helper()
	var now time.Time
	require.Eventually(t, func() bool {
		now = time.Now()
		require.NoError(t, c.Update(now))
		return c.Losses() == losses
	}, patience, poll)
	require.False(t, c.Up())
	return now
}

// ZeroMQ itself never connects again after such a message.
func TestConnectionSurvivesAMessageOverTheLimit(t *testing.T) {
	bus := startBus(t)
	c := newSubscriber(t, newContext(t), bus.XPub(), 1000, "S")
	require.Zero(t, c.NextUpdate(), "nothing to do")
	p := connectPublisher(t, bus)

	for n := range uint64(3) {
		require.NoError(t, p.Send([]byte("S"), bytes.Repeat([]byte("x"), 1001)))
		lost(t, c, n+1)
		require.False(t, c.NextUpdate().IsZero(), "ZeroMQ does not try again")
		require.Eventually(t, func() bool {
			require.NoError(t, c.Update(time.Now()))
			// What is sent before the bus knows the new subscription is lost.
			require.NoError(t, p.Send([]byte("S"), []byte("small")))
			_, payload, _, err := c.Receive()
			return err == nil && string(payload) == "small" && c.Up()
		}, patience, poll)
		require.Zero(t, c.NextUpdate())
		require.Equal(t, n+1, c.Refusals())
	}
	require.NoError(t, bus.Kill())
	require.Eventually(t, becomes(t, c, false), patience, poll)
	require.NoError(t, bus.Restart())
	require.Eventually(t, becomes(t, c, true), patience, poll)
	require.EqualValues(t, 3, c.Refusals(), "that was the bus")
}

// TestReconnectTakesNothingApart updates the connection all the while that what came by the former link waits.
// Without care ZeroMQ ends the process.
func TestReconnectTakesNothingApart(t *testing.T) {
	bus := startBus(t)
	c := newSubscriber(t, newContext(t), bus.XPub(), 1000, "S")
	p := connectPublisher(t, bus)
	const messages = 500
	for range messages {
		require.NoError(t, p.Send([]byte("S"), []byte("waits")))
	}
	require.NoError(t, p.Send([]byte("S"), bytes.Repeat([]byte("x"), 1001)))
	now := lost(t, c, 1)
	for range 100 {
		now = now.Add(repeatInterval)
		require.NoError(t, c.Update(now))
	}
	for range messages {
		_, payload, frames, err := c.Receive()
		require.NoError(t, err)
		require.Equal(t, "waits", string(payload))
		require.Equal(t, 2, frames)
	}
	topic, _, _, err := c.Receive()
	require.True(t, Again(err))
	require.Nil(t, topic)
	require.Eventually(t, becomes(t, c, true), patience, poll)
}

func TestConnectionWithoutASocketLeft(t *testing.T) {
	// The monitored end is a socket, too.
	for sockets := 1; sockets <= 3; sockets++ {
		ctx := newContext(t)
		require.NoError(t, ctx.SetMaxSockets(sockets))
		first, err := NewSubscriber(ctx, "tcp://127.0.0.1:1", nil, 1000)
		if sockets < 3 {
			require.ErrorIs(t, err, zmq.Errno(syscall.EMFILE), "of %d sockets", sockets)
			continue
		}
		require.NoError(t, err)
		_, err = NewPublisher(ctx, "tcp://127.0.0.1:1", nil)
		require.ErrorContains(t, err, "opening a ZeroMQ XPUB socket")
		first.Close(0)
	}
}

// TestLongSubscriptionMutesNobody has somebody subscribe to what is too long for any topic. The bus passes it on.
func TestLongSubscriptionMutesNobody(t *testing.T) {
	bus := startBus(t)
	ctx := newContext(t)
	c := newPublisher(t, ctx, bus.XSub(), "S")
	sub := newSubscriber(t, ctx, bus.XPub(), 1000, "S")
	covered := func() bool {
		require.NoError(t, c.Update(time.Now()))
		return c.Listeners.Covers("S")
	}
	require.Eventually(t, covered, patience, poll)
	// One of more than about 105 KiB ends the bus itself when it is taken back.
	long := "long" + strings.Repeat("q", 70<<10)
	c.Listeners = newSubscriptions("S", long)
	newSubscriber(t, ctx, bus.XPub(), 1000, long)
	require.Eventually(t, func() bool {
		require.NoError(t, c.Update(time.Now()))
		return c.Listeners.Has(long)
	}, patience, poll)
	require.Zero(t, c.Losses())
	require.NoError(t, c.Publish("S", []byte("payload")))
	_, payload, _ := receive(t, sub)
	require.Equal(t, "payload", string(payload))
}
