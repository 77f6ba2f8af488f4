package chembus

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"
)

// testConnections are connections that are none. Each Open and each Step returns what is sent to it.
type testConnections struct {
	loop   *Loop
	opened chan error
	step   chan error
	steps  atomic.Int32
	closed atomic.Int32
}

func (c *testConnections) Open() error {
	return errors.Join(c.loop.Watch(), <-c.opened)
}

func (c *testConnections) Step() error {
	c.steps.Add(1)
	if err := c.loop.Poll(patience); err != nil {
		return err
	}
	return <-c.step
}

func (c *testConnections) Close() { c.closed.Add(1) }

func startLoop(t *testing.T) (*testConnections, chan error) {
	t.Helper()
	c := &testConnections{loop: new(Loop), opened: make(chan error), step: make(chan error)}
	failed := make(chan error)
	require.NoError(t, c.loop.Init())
	c.loop.Start(c, func(err error) { failed <- err })
	return c, failed
}

// TestLoopOpensAgain has a loop fail to open, and then fail in a step.
func TestLoopOpensAgain(t *testing.T) {
	c, failed := startLoop(t)
	cannot := errors.New("cannot")
	c.opened <- cannot
	require.ErrorIs(t, <-failed, cannot)
	c.opened <- nil
	c.loop.Wake()
	c.step <- cannot
	require.ErrorIs(t, <-failed, cannot)
	require.EqualValues(t, 2, c.closed.Load(), "also what could not be opened")
	close(c.opened) // if it does not wait to try again any more
	close(c.step)
	require.NoError(t, c.loop.Stop(nil))
}

// TestLoopStepsUntilNothingIsPending stops a loop while something is pending.
func TestLoopStepsUntilNothingIsPending(t *testing.T) {
	c, _ := startLoop(t)
	c.opened <- nil
	close(c.step)
	var left atomic.Int32
	left.Store(2)
	stopped := make(chan error, 1)
	go func() { stopped <- c.loop.Stop(func() bool { return left.Add(-1) >= 0 }) }()
	require.Eventually(t, func() bool {
		c.loop.Wake()
		return len(stopped) > 0
	}, patience, time.Millisecond)
	require.NoError(t, <-stopped)
	require.GreaterOrEqual(t, c.steps.Load(), int32(2), "one for each time that something was pending")
	require.EqualValues(t, -1, left.Load(), "it asks no more when nothing is pending")
	require.EqualValues(t, 1, c.closed.Load())
	c.loop.Wake() // without effect
	require.NoError(t, c.loop.Init(), "a plugin can be started again")
	require.NoError(t, c.loop.Stop(nil))
}

// TestStopDoesNotWaitForLibzmq stops a loop whose context cannot be closed, as while libzmq waits for a name server.
func TestStopDoesNotWaitForLibzmq(t *testing.T) {
	c, _ := startLoop(t)
	open, err := c.loop.Context.NewSocket(zmq.SUB)
	require.NoError(t, err)
	c.opened <- nil
	stopped := make(chan error, 1)
	go func() { stopped <- c.loop.Stop(nil) }()
	close(c.step) // if the loop was in one
	select {
	case err := <-stopped:
		require.ErrorContains(t, err, "name server")
	case <-time.After(patience):
		require.Fail(t, "it waits")
	}
	require.NoError(t, open.Close())
}

// TestLoopAfterAFailedInit has too few files for all that Init opens, and then enough: Telegraf may start a plugin again.
func TestLoopAfterAFailedInit(t *testing.T) {
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	l, err, failures := new(Loop), error(syscall.EMFILE), 0
	for few := limit; err != nil; failures++ {
		few.Cur = uint64(failures) + 3 // libzmq ends the process if it cannot poll a file because of the limit
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few)
		err = l.Init()
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	require.Greater(t, failures, 1)
	socket, err := l.Context.NewSocket(zmq.SUB)
	require.NoError(t, err)
	require.NoError(t, socket.Close())
	require.NoError(t, l.Stop(nil))
}
