package logging

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// gate is a log that nobody reads until it is opened.
type gate struct {
	opened chan struct{}
	began  chan struct{} // receives that somebody wants to write
	text   bytes.Buffer
}

func newGate() *gate { return &gate{opened: make(chan struct{}), began: make(chan struct{}, 1)} }

func (g *gate) Write(b []byte) (int, error) {
	select {
	case g.began <- struct{}{}:
	default:
	}
	<-g.opened
	return g.text.Write(b)
}

func sayDropped(lines int) string { return fmt.Sprintf("%d dropped\n", lines) }

func TestQueueKeepsOrderAndEndsEmpty(t *testing.T) {
	g := newGate()
	q := NewQueue(g, sayDropped)
	var want strings.Builder
	for n := range 1000 {
		line := fmt.Sprintf("line %d\n", n)
		want.WriteString(line)
		_, err := io.WriteString(q, line)
		require.NoError(t, err)
	}
	close(g.opened)
	q.Close(time.Minute)
	require.Equal(t, want.String(), g.text.String())
	_, err := io.WriteString(q, "too late\n")
	require.NoError(t, err)
}

// TestFullQueueSaysWhatItDropped logs three times as much as fits while nobody reads, then lets the log be read.
func TestFullQueueSaysWhatItDropped(t *testing.T) {
	g := newGate()
	q := NewQueue(g, sayDropped)
	line := []byte(strings.Repeat("x", 199) + "\n")
	lines := 3 * maxQueued / len(line)
	for n := range lines {
		_, err := q.Write(line)
		require.NoError(t, err)
		if n == 0 {
			<-g.began // the others wait
		}
	}
	require.LessOrEqual(t, len(q.lines)+q.writing, maxQueued)
	close(g.opened)
	q.Close(time.Minute)
	written := strings.Count(g.text.String(), string(line))
	require.Greater(t, written, 10_000)
	require.True(t, strings.HasSuffix(g.text.String(), fmt.Sprintf("\n%d dropped\n", lines-written)), "one line says how many")
	require.Equal(t, 1, strings.Count(g.text.String(), "dropped"))
}

// TestQueueGoesOnAfterItWasFull requires that lines are written again after there was no room, and that a line is said to
// be dropped even if none follows it.
func TestQueueGoesOnAfterItWasFull(t *testing.T) {
	r, w := io.Pipe()
	q := NewQueue(w, sayDropped)
	_, _ = q.Write(bytes.Repeat([]byte("a\n"), maxQueued/2))
	_, _ = q.Write([]byte("b\n"))
	log := make([]byte, maxQueued)
	_, err := io.ReadFull(r, log)
	require.NoError(t, err)
	said := make([]byte, len("1 dropped\n"))
	_, err = io.ReadFull(r, said)
	require.NoError(t, err)
	require.Equal(t, "1 dropped\n", string(said))
	require.Eventually(t, func() bool { // what was read makes room once its Write returns
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.writing == 0
	}, time.Minute, time.Millisecond)
	_, _ = q.Write([]byte("c\n"))
	_, err = io.ReadFull(r, said[:2])
	require.NoError(t, err)
	require.Equal(t, "c\n", string(said[:2]))
	q.Close(time.Minute)
}

// TestQueueDoesNotWaitForeverAtTheEnd closes a queue that nobody reads.
func TestQueueDoesNotWaitForeverAtTheEnd(*testing.T) {
	g := newGate()
	q := NewQueue(g, sayDropped)
	_, _ = q.Write([]byte("a\n"))
	<-g.began
	q.Close(0)
	close(g.opened)
	<-q.done
}
