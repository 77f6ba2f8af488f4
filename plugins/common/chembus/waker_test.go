package chembus

import (
	"sync"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"
)

func TestWakerEndsAWait(t *testing.T) {
	w, err := NewWaker(newContext(t))
	require.NoError(t, err)
	t.Cleanup(w.Close)
	poller := zmq.NewPoller()
	poller.Add(w.Socket(), zmq.POLLIN)
	woken := func(wait time.Duration) bool {
		events, err := poller.Poll(wait)
		require.NoError(t, err)
		return len(events) > 0
	}

	require.False(t, woken(0))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5000 { // more than a queue holds: nobody may be made to wait
				w.Wake()
			}
		})
	}
	require.True(t, woken(patience))
	wg.Wait()
	for range 200 {
		for range 2500 {
			w.Wake()
		}
		w.Drain()
		require.False(t, woken(0), "drained")
		w.Wake()
		require.True(t, woken(patience), "drained, and woken again")
	}

	w.Close()
	w.Close()
	w.Wake()
}

func TestWakerWithoutASocketLeft(t *testing.T) {
	for sockets := range 2 {
		ctx := newContext(t)
		require.NoError(t, ctx.SetMaxSockets(1))
		for range 1 - sockets {
			socket, err := ctx.NewSocket(zmq.PAIR)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, socket.Close()) })
		}
		_, err := NewWaker(ctx)
		require.Error(t, err)
	}
}
