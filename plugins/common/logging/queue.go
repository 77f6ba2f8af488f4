package logging

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// maxQueued bounds what waits in a Queue, in bytes: about 10 000 lines of usual length.
const maxQueued = 2 << 20

// Queue writes log lines from a goroutine of its own, so that whoever logs does not wait for whoever reads the log: a
// Telegraf that stands still does not read the pipe, which has room for some hundred lines only. Lines for which there
// is no room are dropped, and their number is logged. Close ends the goroutine.
type Queue struct {
	to      io.Writer
	dropped func(lines int) string // makes the line that says how many were dropped
	done    chan struct{}          // closed when the goroutine has ended

	mu      sync.Mutex
	changed *sync.Cond // of mu: there is something to write, or the queue is closed
	lines   []byte     // that wait
	writing int        // bytes that were taken from there and are being written
	lost    int        // lines that were dropped since some were taken
	closed  bool
}

// NewQueue starts a queue to a writer. The function makes the line, with its line end, that says how many were dropped.
func NewQueue(to io.Writer, dropped func(lines int) string) *Queue {
	q := &Queue{to: to, dropped: dropped, done: make(chan struct{})}
	q.changed = sync.NewCond(&q.mu)
	go q.run()
	return q
}

// Write queues whole lines. It neither blocks nor fails: what cannot be logged cannot be reported either.
func (q *Queue) Write(lines []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
	case len(q.lines)+q.writing+len(lines) > maxQueued:
		q.lost += bytes.Count(lines, []byte("\n"))
	default:
		q.lines = append(q.lines, lines...)
		q.changed.Signal()
	}
	return len(lines), nil
}

// Close waits until what is queued is written, for so long at most. What comes later is dropped.
func (q *Queue) Close(limit time.Duration) {
	q.mu.Lock()
	q.closed = true
	q.changed.Signal()
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(limit):
	}
}

func (q *Queue) run() {
	defer close(q.done)
	for lines := q.take(); len(lines) > 0; lines = q.take() {
		_, _ = q.to.Write(lines) // likewise
	}
}

// take waits for lines and returns all that are queued; none: the queue is closed.
func (q *Queue) take() []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writing = 0
	for len(q.lines) == 0 && q.lost == 0 && !q.closed {
		q.changed.Wait()
	}
	lines := q.lines
	if q.lost > 0 {
		lines = append(lines, q.dropped(q.lost)...)
	}
	q.lines, q.writing, q.lost = nil, len(lines), 0
	return lines
}
