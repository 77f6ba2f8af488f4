package chembus

import (
	"sync"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"
)

func newTestPoller(t *testing.T) *poller {
	t.Helper()
	p, err := newPoller()
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() }) // a test may have closed it
	return p
}

// pair opens two sockets that are connected.
func pair(t *testing.T) (here, there *zmq.Socket) {
	t.Helper()
	ctx := newContext(t)
	for _, socket := range []**zmq.Socket{&here, &there} {
		var err error
		*socket, err = ctx.NewSocket(zmq.PAIR)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, (*socket).Close()) })
	}
	require.NoError(t, here.Bind("inproc://pair"))
	require.NoError(t, there.Connect("inproc://pair"))
	return here, there
}

// returns reports whether a wait ends before its time.
func returns(t *testing.T, p *poller, timeout time.Duration) bool {
	t.Helper()
	start := time.Now()
	require.NoError(t, p.Wait(timeout))
	return time.Since(start) < timeout
}

func TestPollerWaitsForMessages(t *testing.T) {
	p := newTestPoller(t)
	here, there := pair(t)
	require.NoError(t, p.Watch(here))
	for returns(t, p, 50*time.Millisecond) { // what the connecting has brought
	}
	for _, before := range []bool{true, false} {
		send := func() {
			_, err := there.Send("message", 0)
			require.NoError(t, err)
		}
		if before {
			send()
		} else {
			time.AfterFunc(20*time.Millisecond, send)
		}
		require.True(t, returns(t, p, patience))
		require.True(t, returns(t, p, patience), "it still waits to be received")
		for received := false; !received; {
			_, err := here.Recv(zmq.DONTWAIT)
			received = err == nil
			require.True(t, received || Again(err))
		}
	}
	// A descriptor is quiet about a message that came with another command.
	_, err := there.Send("message", 0)
	require.NoError(t, err)
	require.Eventually(t, func() bool { events, err := here.GetEvents(); return err == nil && events&zmq.POLLIN != 0 }, patience, time.Millisecond)
	require.True(t, returns(t, p, patience))
}

func TestWakeEndsTheWait(t *testing.T) {
	p := newTestPoller(t)
	require.False(t, returns(t, p, 0))
	require.False(t, returns(t, p, time.Millisecond))
	p.Wake()
	p.Wake()
	require.True(t, returns(t, p, patience), "woken before")
	require.False(t, returns(t, p, time.Millisecond), "once only")

	// Whatever was done before a wake is seen after the wait that it ends.
	var wg sync.WaitGroup
	var mu sync.Mutex
	done, seen := 0, 0
	const wakes = 2000
	for range 4 {
		wg.Go(func() {
			for range wakes {
				mu.Lock()
				done++
				mu.Unlock()
				p.Wake()
			}
		})
	}
	for seen < 4*wakes {
		require.True(t, returns(t, p, patience))
		mu.Lock()
		seen = done
		mu.Unlock()
	}
	wg.Wait()
	require.NoError(t, p.Close())
	p.Wake()
}

func TestPollerOfAClosedSocket(t *testing.T) {
	p := newTestPoller(t)
	socket, err := newContext(t).NewSocket(zmq.PAIR)
	require.NoError(t, err)
	require.NoError(t, socket.Close())
	require.Error(t, p.Watch(socket))
	require.Error(t, p.Wait(patience))
}
