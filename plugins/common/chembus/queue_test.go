package chembus

import (
	"bytes"
	"strings"
	"testing"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"
)

// newQueue returns a queue that is freed at the end of the test.
func newQueue(t *testing.T, limit, frameLimit int) *Queue {
	t.Helper()
	q := NewQueue(limit, frameLimit)
	t.Cleanup(q.Free)
	return q
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

func TestQueueHoldsTheMessagesInTheirOrder(t *testing.T) {
	from, to := pipe(t, newContext(t))
	q := newQueue(t, 1<<20, 20_000)
	_, err := q.Fill(from)
	require.True(t, Again(err), "nothing waits: %v", err)
	require.Nil(t, q.Head())

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
	b, err := q.Fill(from)
	require.NoError(t, err)
	require.Same(t, b, q.Head())
	require.Equal(t, len(messages), b.Len())
	require.False(t, b.Full())
	for i, message := range messages {
		m := b.Message(i)
		require.Equal(t, string(message[0]), string(m.Topic))
		require.Len(t, message, m.Count)
		expected := ""
		if m.Count > 1 {
			expected = string(message[1])
		}
		require.Equal(t, expected, string(m.Payload))
		require.Equal(t, len(message[0])+len(expected), m.Size)
	}
	q.Done()
	require.Nil(t, q.Head())
	_, err = q.Fill(from)
	require.True(t, Again(err), "each is received once: %v", err)
}

func TestBatchIsBounded(t *testing.T) {
	from, to := pipe(t, newContext(t))
	q := newQueue(t, 10<<20, 1<<20)
	const sent = batchCapacity + 7
	for range sent {
		_, err := to.SendMessage("S", "payload")
		require.NoError(t, err)
	}
	for _, expected := range []int{batchCapacity, sent - batchCapacity} {
		b, err := q.Fill(from)
		require.NoError(t, err)
		require.Equal(t, expected, b.Len())
		require.Equal(t, expected == batchCapacity, b.Full())
	}

	// Of large messages it takes in no more than it takes to exceed its limit.
	large := make([]byte, enoughBytes/2)
	for range 5 {
		_, err := to.SendMessage("S", large)
		require.NoError(t, err)
	}
	for _, expected := range []int{2, 2, 1} {
		b, err := q.Fill(from)
		require.NoError(t, err)
		require.Equal(t, expected, b.Len())
		require.Equal(t, expected == 2, b.Full())
	}
	_, err := q.Fill(from)
	require.True(t, Again(err))
}

// TestQueueIsBounded sends more than there is room for: what was received first is kept, the rest is counted.
func TestQueueIsBounded(t *testing.T) {
	from, to := pipe(t, newContext(t))
	const size, messages, room = 10_000, 500, 1_000_000
	q := newQueue(t, room, size)
	send := func(payload []byte) {
		_, err := to.SendMessage("S", payload)
		require.NoError(t, err)
	}
	fill := func() (kept, dropped int) {
		for {
			b, err := q.Fill(from)
			if Again(err) {
				return kept, dropped
			}
			require.NoError(t, err)
			kept += b.Len()
			dropped += b.Dropped()
			require.LessOrEqual(t, q.size, room)
		}
	}
	for n := range messages {
		send(bytes.Repeat([]byte{byte(n)}, size))
	}
	kept, dropped := fill()
	require.Equal(t, messages, kept+dropped)
	require.Greater(t, kept, 80)
	require.Less(t, kept, 100)
	send(make([]byte, size))
	kept, dropped = fill()
	require.Equal(t, []int{0, 1}, []int{kept, dropped}, "full")

	first := 0
	for q.Head() != nil {
		for i := range q.Head().Len() {
			require.EqualValues(t, first, q.Head().Message(i).Payload[0])
			first++
		}
		q.Done()
	}
	require.Zero(t, q.size)
	send(make([]byte, size))
	kept, dropped = fill()
	require.Equal(t, []int{1, 0}, []int{kept, dropped}, "room again")
}

// TestLongFrameTakesTheRoomOfItsBeginning has a message that is too large for anything but to be counted.
func TestLongFrameTakesTheRoomOfItsBeginning(t *testing.T) {
	from, to := pipe(t, newContext(t))
	q := newQueue(t, 1<<20, 1000)
	long := strings.Repeat("x", 500_000)
	for range 10 {
		_, err := to.SendMessage("S", "beginning"+long)
		require.NoError(t, err)
	}
	_, err := to.SendMessage("topic"+long, long)
	require.NoError(t, err)
	kept := 0
	for {
		b, err := q.Fill(from)
		if Again(err) {
			break
		}
		require.NoError(t, err)
		require.Zero(t, b.Dropped())
		for i := range b.Len() {
			m := b.Message(i)
			require.Len(t, m.Payload, excerptLength)
			if kept++; kept == 11 {
				require.Equal(t, "topic"+long[:excerptLength-5], string(m.Topic))
				require.Equal(t, 5+2*len(long), m.Size)
			} else {
				require.Equal(t, "beginning"+long[:excerptLength-9], string(m.Payload))
				require.Equal(t, 10+len(long), m.Size)
			}
		}
	}
	require.Equal(t, 11, kept)
}

func TestQueueOfATerminatedContext(t *testing.T) {
	ctx, err := zmq.NewContext()
	require.NoError(t, err)
	c, err := NewSubscriber(ctx, "tcp://127.0.0.1:1", nil, 1000)
	require.NoError(t, err)
	q := newQueue(t, 1<<20, 1000)
	terminated := make(chan error)
	go func() { terminated <- ctx.Term() }()
	require.Eventually(t, func() bool {
		_, err = q.Fill(c)
		return !Again(err)
	}, patience, poll)
	require.Equal(t, zmq.ETERM, zmq.AsErrno(err))
	c.Close(0)
	require.NoError(t, <-terminated)
	_, err = q.Fill(c)
	require.Error(t, err, "a closed socket")
}
