package main

import (
	"io"
	"time"
)

const (
	// gather is how long metrics gather on a busy stdin before they are read. Busy is one on which less than busyGap passes
	// between two reads.
	gather  = 10 * time.Millisecond
	busyGap = 50 * time.Millisecond
	// enough is how much comes at a time, in bytes, if it need not gather.
	enough = 16 << 10
)

// gatherer reads stdin. Telegraf writes each metric by itself, and to be woken for each takes longer than to handle it.
type gatherer struct {
	stdin io.Reader
	last  time.Time // read
	busy  bool
}

// Read reads what has come.
func (g *gatherer) Read(p []byte) (int, error) {
	if g.busy {
		time.Sleep(gather)
	}
	n, err := g.stdin.Read(p)
	now := time.Now()
	g.busy = n < enough && now.Sub(g.last) < busyGap
	g.last = now
	return n, err
}
