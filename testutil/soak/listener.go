package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

const (
	gapTopic = "CAPABILITY_GAP"
	// gapMissing is the gap_type of a component that fell silent.
	gapMissing = "heartbeat_missing"
	// pingTopic is received by subscribers to gapTopic, since subscriptions match by prefix, and dropped by them. It
	// takes the same way as a gap, and so shows when a consumer could receive one.
	pingTopic = gapTopic + ".ping"
	// pingInterval is the interval of pings. A consumer counts as connected between two that it receives at most
	// pingGap apart.
	pingInterval = 100 * time.Millisecond
	pingGap      = 600 * time.Millisecond
)

// listener is a consumer that can disconnect and connect again, as a process that is restarted: it then knows no
// incidents.
type listener struct {
	name  string
	xpub  string
	start time.Time // of the campaign

	consumer *consumer.Consumer // nil while disconnected

	mu        sync.Mutex // guards what follows
	life      int
	handled   []handling
	connected spans
}

// connect begins a life of the consumer.
func (l *listener) connect() error {
	l.mu.Lock()
	l.life++
	life := l.life
	l.mu.Unlock()
	pinged := false // in this life
	var err error
	l.consumer, err = consumer.New(consumer.Config{
		XPub:  l.xpub,
		Topic: gapTopic,
		OnMessage: func(m consumer.Message) {
			if m.Handled {
				l.handle(m, life)
			}
		},
		OnDropped: func(frames [][]byte) {
			if string(frames[0]) == pingTopic {
				l.ping(time.Since(l.start), pinged)
				pinged = true
			}
		},
	})
	return err
}

// disconnect ends a life of the consumer.
func (l *listener) disconnect() error {
	if l.consumer == nil {
		return nil
	}
	err := l.consumer.Close()
	l.consumer = nil
	return err
}

func (l *listener) handle(m consumer.Message, life int) {
	h := handling{at: m.Received.Sub(l.start), life: life}
	h.zooid, _ = m.Facts["zooid"].(string)
	h.kind, _ = m.Facts["gap_type"].(string)
	if m.IncidentID != nil {
		h.incident = *m.IncidentID
	} else {
		h.incident = fmt.Sprintf("none, at %v", h.at) // each is an incident of its own
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handled = append(l.handled, h)
}

// ping records a received ping; again is false for the first one of a life.
func (l *listener) ping(at time.Duration, again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := len(l.connected) - 1; again && last >= 0 && at-l.connected[last].to <= pingGap {
		l.connected[last].to = at
		return
	}
	l.connected = append(l.connected, span{at, at})
}

// record returns the consumer's part of the ledger.
func (l *listener) record() record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return record{name: l.name, handled: slices.Clone(l.handled), connected: slices.Clone(l.connected)}
}

// pingedSince reports whether it has received a ping since then.
func (l *listener) pingedSince(since time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.connected) > 0 && l.connected[len(l.connected)-1].to >= since
}
