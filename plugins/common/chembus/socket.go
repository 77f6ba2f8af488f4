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
	// receiveHighWaterMark is larger: a subscriber that pauses for its garbage collector or the
	// operating system must not lose what the bus has already delivered.
	receiveHighWaterMark = 10_000

	// subscriptionSize is the longest subscription that a publisher takes, in bytes. A longer one costs the
	// connection, for as long as somebody insists on it.
	subscriptionSize = 64 << 10
	// subscriptionBurst bounds how many are taken in before something else gets its turn.
	subscriptionBurst = 1000

	// A lost bus is tried again at growing intervals, but at least once a second: it has to be
	// usable soon after it is back.
	reconnectInterval    = 100 * time.Millisecond
	reconnectIntervalMax = time.Second

	// ZMTP heartbeats find a peer whose host is gone without a word, for which TCP alone can take
	// a quarter of an hour.
	zmtpHeartbeatInterval = 5 * time.Second
	zmtpHeartbeatTimeout  = 15 * time.Second
)

// NewSubscriber opens a SUB socket for the topics, not connected yet. Messages over maxMessageSize
// bytes make ZeroMQ cut the connection for good (see Connection.Reconnect), so it should leave room for
// what is to be counted and dropped.
// The socket belongs to the goroutine that uses it.
func NewSubscriber(ctx *zmq.Context, maxMessageSize int64, topics ...string) (*zmq.Socket, error) {
	return open(ctx, zmq.SUB, func(socket *zmq.Socket) error {
		if err := socket.SetRcvhwm(receiveHighWaterMark); err != nil {
			return err
		}
		if err := socket.SetMaxmsgsize(maxMessageSize); err != nil {
			return err
		}
		for _, topic := range topics {
			if err := socket.SetSubscribe(topic); err != nil {
				return err
			}
		}
		return nil
	})
}

// NewPublisher opens an XPUB socket, not connected yet. Unlike PUB it tells by the messages it
// receives who listens; feed them to Subscriptions, and watch its Connection: a subscription that is too
// long makes ZeroMQ cut it for good. The socket belongs to the goroutine that uses it.
func NewPublisher(ctx *zmq.Context) (*zmq.Socket, error) {
	return open(ctx, zmq.XPUB, func(socket *zmq.Socket) error {
		if err := socket.SetSndhwm(highWaterMark); err != nil {
			return err
		}
		if err := socket.SetMaxmsgsize(subscriptionSize); err != nil {
			return err
		}
		// Without this the socket believes for as long as the bus is away that its former subscribers
		// still listen.
		if err := socket.SetImmediate(true); err != nil {
			return err
		}
		// A full queue is an error of Send, which waits for nothing, rather than a silent loss.
		return socket.SetXpubNodrop(true)
	})
}

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
		func() error { return socket.SetHeartbeatTimeout(zmtpHeartbeatTimeout) },
		func() error { return configure(socket) },
	} {
		if err := set(); err != nil {
			_ = socket.Close()
			return nil, fmt.Errorf("configuring a ZeroMQ %v socket: %w", kind, err)
		}
	}
	return socket, nil
}

// Connect connects a socket to the bus. ZeroMQ does so in the background, now and whenever the
// connection is lost; an error says that it cannot even try.
func Connect(socket *zmq.Socket, endpoint string) error {
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

// Publish sends a message without waiting. The error is EAGAIN when the bus takes no more at present;
// then nothing was sent.
func Publish(socket *zmq.Socket, topic string, payload []byte) error {
	if _, err := socket.SendBytes([]byte(topic), zmq.SNDMORE|zmq.DONTWAIT); err != nil {
		return err
	}
	_, err := socket.SendBytes(payload, zmq.DONTWAIT)
	return err
}

// ReceiveSubscriptions takes in who began or ceased to listen to a publisher. Of very many, some may be left
// for the next call.
func ReceiveSubscriptions(socket *zmq.Socket, subscriptions *Subscriptions) error {
	for range subscriptionBurst {
		message, _, _, err := ReceiveMessage(socket)
		if Again(err) {
			return nil
		}
		if err != nil {
			return err
		}
		subscriptions.Apply(message)
	}
	return nil
}

// ReceiveMessage receives one message without waiting. Only the first two frames are kept; frames
// tells how many there were. The error is zmq's EAGAIN when nothing waits and ETERM when the context
// is being closed.
func ReceiveMessage(socket *zmq.Socket) (topic, payload []byte, frames int, err error) {
	for more := true; more; frames++ {
		// The frames of a message arrive together, so only the first can be missing.
		frame, err := socket.RecvBytes(zmq.DONTWAIT)
		if err != nil {
			return nil, nil, frames, err
		}
		switch frames {
		case 0:
			topic = frame
		case 1:
			payload = frame
		}
		if more, err = socket.GetRcvmore(); err != nil {
			return nil, nil, frames, err
		}
	}
	return topic, payload, frames, nil
}

// Again reports whether an error only says that nothing waits, or that a signal came between.
func Again(err error) bool {
	number := errno(err)
	return number == zmq.Errno(syscall.EAGAIN) || number == zmq.Errno(syscall.EINTR)
}

// Terminated reports whether an error says that the context is being closed.
func Terminated(err error) bool {
	return errno(err) == zmq.ETERM
}

func errno(err error) zmq.Errno {
	var system syscall.Errno
	if errors.As(err, &system) {
		return zmq.Errno(system)
	}
	var number zmq.Errno
	errors.As(err, &number)
	return number
}
