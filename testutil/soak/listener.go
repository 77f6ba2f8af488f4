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
	// pingTopic is heard by whoever subscribes to gapTopic, since subscriptions match by prefix, and
	// handled by nobody. So it comes the same way as a gap and tells when a consumer could hear one.
	pingTopic = gapTopic + ".ping"
	// pingInterval is how often a ping is sent, pingGap how far apart two may be received by one who could
	// hear all the while.
	pingInterval = 100 * time.Millisecond
	pingGap      = 600 * time.Millisecond
)

// listener is a consumer with the replay defence that can go away and come back, as a process that is
// restarted does: with an empty memory.
type listener struct {
	name  string
	xpub  string
	start time.Time // of the campaign

	consumer *consumer.Consumer // nil while away

	mu      sync.Mutex // guards what follows
	life    int
	handled []handling
	hearing spans
}

// subscribe begins a life of the consumer.
func (l *listener) subscribe() error {
	l.mu.Lock()
	l.life++
	life := l.life
	l.mu.Unlock()
	heard := false // in this life
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
				l.hear(time.Since(l.start), heard)
				heard = true
			}
		},
	})
	return err
}

// leave ends a life of the consumer.
func (l *listener) leave() error {
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
		h.incident = fmt.Sprintf("none, at %v", h.at) // each is one of its own
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handled = append(l.handled, h)
}

// hear takes a ping; goesOn says that it is not the first in this life.
func (l *listener) hear(at time.Duration, goesOn bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := len(l.hearing) - 1; goesOn && last >= 0 && at-l.hearing[last].to <= pingGap {
		l.hearing[last].to = at
		return
	}
	l.hearing = append(l.hearing, span{at, at})
}

// listening returns what the ledger has to know of it.
func (l *listener) listening() listening {
	l.mu.Lock()
	defer l.mu.Unlock()
	return listening{name: l.name, handled: slices.Clone(l.handled), hearing: slices.Clone(l.hearing)}
}

// hears reports whether it heard a ping since a moment.
func (l *listener) hears(since time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.hearing) > 0 && l.hearing[len(l.hearing)-1].to >= since
}
