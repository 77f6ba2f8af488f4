package chembus

import (
	"bytes"
	"testing"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"
)

// newBatch returns a batch that is freed at the end of the test.
func newBatch(t *testing.T) *Batch {
	t.Helper()
	b := NewBatch()
	t.Cleanup(b.Free)
	return b
}

// pipe returns a connection that receives what a socket sends.
func pipe(t *testing.T, ctx *zmq.Context) (from *Connection, to *zmq.Socket) {
	t.Helper()
	ends := make([]*zmq.Socket, 2)
	for i, attach := range []func(*zmq.Socket) error{
		func(s *zmq.Socket) error { return s.Bind("inproc://pipe") },
		func(s *zmq.Socket) error { return s.Connect("inproc://pipe") },
	} {
		socket, err := open(ctx, zmq.PAIR, attach)
		require.NoError(t, err)
		t.Cleanup(func() { _ = socket.Close() })
		ends[i] = socket
	}
	return &Connection{socket: ends[0]}, ends[1]
}

func TestBatchHoldsTheMessagesInTheirOrder(t *testing.T) {
	from, to := pipe(t, newContext(t))
	batch := newBatch(t)
	n, err := batch.Receive(from)
	require.True(t, Again(err), "nothing waits: %v", err)
	require.Zero(t, n)
	require.False(t, batch.Full())

	large := bytes.Repeat([]byte("x"), 10_000)
	messages := [][][]byte{
		{[]byte("S")},
		{[]byte("S"), []byte("payload")},
		{[]byte("S"), large, []byte("more"), {}, large},
		{{}, {}},
		{[]byte("S"), large},
	}
	for _, message := range messages {
		_, err := to.SendMessage(message)
		require.NoError(t, err)
	}
	n, err = batch.Receive(from)
	require.NoError(t, err)
	require.Len(t, messages, n)
	for i, message := range messages {
		topic, payload, frames := batch.Message(i)
		require.Equal(t, string(message[0]), string(topic))
		require.Len(t, message, frames)
		if frames > 1 {
			require.Equal(t, string(message[1]), string(payload))
		} else {
			require.Empty(t, payload)
		}
	}
	_, err = batch.Receive(from)
	require.True(t, Again(err), "each is received once: %v", err)
}

func TestBatchIsBounded(t *testing.T) {
	from, to := pipe(t, newContext(t))
	batch := newBatch(t)
	const sent = batchCapacity + 7
	for range sent {
		_, err := to.SendMessage("S", "payload")
		require.NoError(t, err)
	}
	for _, expected := range []int{batchCapacity, sent - batchCapacity} {
		n, err := batch.Receive(from)
		require.NoError(t, err)
		require.Equal(t, expected, n)
		require.Equal(t, n == batchCapacity, batch.Full())
	}

	// Of large messages it holds no more than it takes to exceed its limit.
	large := make([]byte, enoughBytes/2)
	for range 5 {
		_, err := to.SendMessage("S", large)
		require.NoError(t, err)
	}
	for _, expected := range []int{2, 2, 1} {
		n, err := batch.Receive(from)
		require.NoError(t, err)
		require.Equal(t, expected, n)
		require.Equal(t, n == 2, batch.Full())
	}
	_, err := batch.Receive(from)
	require.True(t, Again(err))
	require.False(t, batch.Full(), "nothing waits any more")
}

func TestBatchOfATerminatedContext(t *testing.T) {
	ctx, err := zmq.NewContext()
	require.NoError(t, err)
	c, err := NewSubscriber(ctx, "tcp://127.0.0.1:1", nil, 1000)
	require.NoError(t, err)
	batch := newBatch(t)
	terminated := make(chan error)
	go func() { terminated <- ctx.Term() }()
	require.Eventually(t, func() bool {
		_, err = batch.Receive(c)
		return !Again(err)
	}, patience, poll)
	require.Equal(t, zmq.ETERM, zmq.AsErrno(err))
	c.Close(0)
	require.NoError(t, <-terminated)
	_, err = batch.Receive(c)
	require.Error(t, err, "a closed socket")
}
