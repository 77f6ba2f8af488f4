package chembus

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"
)

const (
	// highWaterMark is the bus's own on every socket; past it ZeroMQ drops silently.
	highWaterMark = 1000
	// ReceiveHighWaterMark is what waits in a subscriber's socket to be received at most, in messages. What is more waits
	// in the buffers of the operating system, which are bounded in bytes, and in those of the bus.
	ReceiveHighWaterMark = 1000

	// subscriptionLimit is the longest subscription that a publisher takes, in bytes. The bus passes on subscriptions of
	// any length, and ZeroMQ keeps them at some 32 bytes for each of theirs. A longer one costs the connection, for as long
	// as somebody insists on it.
	subscriptionLimit = 1 << 20
	// subscriptionBurst bounds how many are taken in before something else gets its turn.
	subscriptionBurst = 1000

	// A lost bus is tried again almost at once and then at growing intervals, but at least once a second: what it
	// forwards meanwhile is not heard.
	reconnectInterval    = 20 * time.Millisecond
	reconnectIntervalMax = time.Second
	// A link that ZeroMQ has cut before it has lasted for stableAfter is made again after repeatInterval, since each
	// makes the bus renew the subscriptions.
	stableAfter    = time.Second
	repeatInterval = 100 * time.Millisecond

	// ZMTP has heartbeats of its own, which are no messages of the bus. With them there is always something to acknowledge, so
	// that TCP finds a bus whose host is gone without closing the connection. ZMTP's limit for the answer is not used: it cuts
	// a link also while a full socket is not read, and libzmq ends the process when that is read later
	// (https://github.com/zeromq/libzmq/issues/3937).
	zmtpHeartbeatInterval = 5 * time.Second

	// A network that loses everything leaves TCP with intervals that double: after an outage of a minute it may ask for a
	// connection a minute later. So each attempt is short.
	connectTimeout = 2 * time.Second
	// What the bus's host has not acknowledged for so long is given up, with the connection. Else a gap that a monitor has
	// published into such a network could arrive minutes later. By then others have published it: they wait for 5 s.
	unacknowledgedLimit = 3 * time.Second
)

// open opens a socket that is not connected yet.
func open(ctx *zmq.Context, kind zmq.Type, configure func(*zmq.Socket) error) (*zmq.Socket, error) {
	socket, err := ctx.NewSocket(kind)
	if err != nil {
		return nil, fmt.Errorf("opening a ZeroMQ %v socket: %w", kind, err)
	}
	for _, set := range []func() error{
		func() error { return socket.SetLinger(0) }, // else closing the context waits for a dead bus
		func() error { return socket.SetReconnectIvl(reconnectInterval) },
		func() error { return socket.SetReconnectIvlMax(reconnectIntervalMax) },
		func() error { return socket.SetHeartbeatIvl(zmtpHeartbeatInterval) },
		func() error { return socket.SetHeartbeatTimeout(0) }, // none, see above
		func() error { return socket.SetConnectTimeout(connectTimeout) },
		func() error { return socket.SetTcpMaxrt(unacknowledgedLimit) },
		func() error { return configure(socket) },
	} {
		if err := set(); err != nil {
			_ = socket.Close()
			return nil, fmt.Errorf("configuring a ZeroMQ %v socket: %w", kind, err)
		}
	}
	return socket, nil
}

// connectSocket begins to connect a socket, which ZeroMQ does in the background.
func connectSocket(socket *zmq.Socket, endpoint string) error {
	// Only for an address: of a name with addresses of both kinds, as localhost often is, ZeroMQ would
	// try none but the IPv6 one, where no bus is bound.
	if strings.HasPrefix(endpoint, "tcp://[") {
		if err := socket.SetIpv6(true); err != nil {
			return fmt.Errorf("enabling IPv6 for %q: %w", endpoint, err)
		}
	}
	if err := socket.Connect(endpoint); err != nil {
		return fmt.Errorf("connecting to %q: %w", endpoint, err)
	}
	return nil
}

// Again reports whether an error only says that nothing waits, that the bus takes no more at present, or that an
// operating system's signal interrupted the call.
func Again(err error) bool {
	var number zmq.Errno
	var system syscall.Errno
	if errors.As(err, &system) {
		number = zmq.Errno(system)
	} else if !errors.As(err, &number) {
		return false
	}
	return number == zmq.Errno(syscall.EAGAIN) || number == zmq.Errno(syscall.EINTR)
}
