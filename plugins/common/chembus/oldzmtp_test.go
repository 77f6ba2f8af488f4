package chembus

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// oldBus is the XPUB socket of a bus that speaks ZMTP 2.0, as that of libzmq 3 does. It has no handshake that libzmq tells
// of. It publishes a message to each subscriber again and again, until it is told to cut the connection.
type oldBus struct {
	net.Listener
	cut chan struct{}
}

func startOldBus(t *testing.T) *oldBus {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &oldBus{listener, make(chan struct{})}
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			if b.greet(connection) == nil {
				b.publish(connection)
			}
			_ = connection.Close()
		}
	}()
	return b
}

// greet greets as XPUB, without an identity, and takes the subscription to "S".
func (*oldBus) greet(connection net.Conn) error {
	const (
		signature    = "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f"
		greeting     = signature + "\x01\x09" + "\x00\x00" // revision, kind of socket, identity
		subscription = "\x00\x02\x01S"
	)
	if _, err := io.WriteString(connection, greeting); err != nil {
		return err
	}
	_, err := io.ReadFull(connection, make([]byte, len(greeting+subscription)))
	return err
}

func (b *oldBus) publish(connection net.Conn) {
	for {
		_, _ = io.WriteString(connection, "\x01\x01S"+"\x00\x02{}")
		select {
		case <-b.cut:
			return
		case <-time.After(poll):
		}
	}
}

// A link to a bus with an older ZMTP counts, and its loss does: else what was missed would count as silence.
func TestLinkToABusWithAnOlderZMTP(t *testing.T) {
	b := startOldBus(t)
	c := newSubscriber(t, newContext(t), "tcp://"+b.Addr().String(), 1000, "S")
	for losses := range uint64(3) {
		require.False(t, c.Up())
		require.Eventually(t, func() bool {
			if topic, payload, _, err := c.Receive(); err == nil {
				require.Equal(t, []string{"S", "{}"}, []string{string(topic), string(payload)})
			}
			return becomes(t, c, true)()
		}, patience, poll)
		require.Equal(t, losses, c.Losses())
		b.cut <- struct{}{}
		require.Eventually(t, becomes(t, c, false), patience, poll)
		require.Equal(t, losses+1, c.Losses())
	}
}

// A connection that is taken and over which nothing is said is no link.
func TestSilentPeerIsNoLink(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	require.NoError(t, listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience)))
	c := newSubscriber(t, newContext(t), "tcp://"+listener.Addr().String(), 1000, "S")
	connection, err := listener.Accept()
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetReadDeadline(time.Now().Add(patience)))
	_, err = io.ReadFull(connection, make([]byte, 10)) // of the greeting: libzmq has the connection, too
	require.NoError(t, err)
	// Not by require.Never, which may return while it still looks, and so uses the socket while it is closed.
	for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); time.Sleep(poll) {
		require.False(t, becomes(t, c, true)())
	}
}
