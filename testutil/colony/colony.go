// Package colony is a ChemBus and the components on it, for demos, tests and load: a proxy that can be
// paused and killed, zooids that beat exactly like the real ones, and raw access to the wire.
package colony

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// connections is how many connections the zooids share; queuePerConnection is how many messages each
// queues towards a bus that takes none. A real emitter has a connection of its own that queues 1000.
const (
	connections        = 4
	queuePerConnection = 100 * hwm
)

// Config says what a Colony is.
type Config struct {
	XSub string           // the endpoint of the bus to which publishers connect
	Now  func() time.Time // the senders' clock, for ts and uptime_s; nil: time.Now
	Seed uint64           // of jitter and processed counts
}

// Colony is a set of zooids that beat on a bus. Its methods may be called from any goroutine.
//
// One goroutine keeps all their appointments, and the zooids share four connections to the bus, so a
// thousand of them are cheap. Each zooid stays on its connection, so its beats keep their order, and those
// of different zooids need not, as on the real bus. The connections outlive a zooid's death: once
// WaitSubscribed has returned, the first beat of each zooid that is added or revived gets through.
type Colony struct {
	publishers []*Publisher

	mu      sync.Mutex // guards what follows, and Now
	now     func() time.Time
	random  *rand.Rand
	members []*life // the present or last life of each zooid
	queue   schedule
	err     error // the first failure to send

	wake chan struct{} // holds one: the queue's head may have changed
	stop chan struct{}
	done chan struct{}
}

// New connects a colony without zooids to a bus, which need not be there yet. Close it after use.
func New(config Config) (*Colony, error) {
	c := &Colony{
		now:    config.Now,
		random: rand.New(rand.NewPCG(config.Seed, 0)),
		wake:   make(chan struct{}, 1),
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
	}
	if c.now == nil {
		c.now = time.Now
	}
	for range connections {
		p, err := newPublisher(config.XSub, queuePerConnection, false)
		if err != nil {
			return nil, errors.Join(err, c.disconnect())
		}
		c.publishers = append(c.publishers, p)
	}
	go c.run()
	return c, nil
}

// WaitSubscribed waits until the bus has passed a subscription to the topic through to the colony. It
// serves after a start of the bus; over a Restart the connections, as those of the real emitters,
// remember the subscriptions from before and queue.
func (c *Colony) WaitSubscribed(ctx context.Context, topic string) error {
	for _, p := range c.publishers {
		if err := p.WaitSubscribed(ctx, topic); err != nil {
			return err
		}
	}
	return nil
}

// Add starts zooids: the first stream of each beats at once. An error leaves out the zooid that it names
// and those after it.
func (c *Colony) Add(zooids ...Zooid) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, z := range zooids {
		z, err := z.normal()
		if err != nil {
			return err
		}
		if c.member(z.Name) >= 0 {
			return fmt.Errorf("colony: cannot add %q: a zooid has this name; a dead one can be revived", z.Name)
		}
		c.members = append(c.members, c.begin(z, c.publishers[len(c.members)%connections]))
	}
	return nil
}

// Kill ends a zooid's heartbeats: when it returns, no more of them will be sent.
func (c *Colony) Kill(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.member(name)
	if i < 0 {
		return fmt.Errorf("colony: cannot kill %q: no zooid has this name", name)
	}
	if c.members[i].dead {
		return fmt.Errorf("colony: cannot kill %q: it is dead already", name)
	}
	c.members[i].dead = true
	return nil
}

// Revive starts a new life of a killed zooid, with new streams: each beats and taps as at first.
func (c *Colony) Revive(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.member(name)
	if i < 0 {
		return fmt.Errorf("colony: cannot revive %q: no zooid has this name", name)
	}
	if !c.members[i].dead {
		return fmt.Errorf("colony: cannot revive %q: it is alive", name)
	}
	last := c.members[i]
	c.members[i] = c.begin(last.zooid, last.publisher)
	return nil
}

// LastBeat returns when a zooid sent its last heartbeat in its present or last life, by the machine's clock;
// zero if it has sent none.
func (c *Colony) LastBeat(name string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.member(name); i >= 0 {
		return c.members[i].lastBeat
	}
	return time.Time{}
}

// Names returns the names of the zooids that live, in the order in which they were added.
func (c *Colony) Names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for _, l := range c.members {
		if !l.dead {
			names = append(names, l.zooid.Name)
		}
	}
	return names
}

// Close ends all heartbeats and disconnects. It returns the first error in sending, if there was one. A
// second Close does nothing.
func (c *Colony) Close() error {
	c.mu.Lock()
	select {
	case <-c.stop:
		c.mu.Unlock()
		<-c.done
		return nil
	default:
		close(c.stop)
	}
	c.mu.Unlock()
	<-c.done
	return errors.Join(c.err, c.disconnect())
}

func (c *Colony) disconnect() error {
	var err error
	for _, p := range c.publishers {
		err = errors.Join(err, p.Close())
	}
	return err
}

func (c *Colony) member(name string) int {
	return slices.IndexFunc(c.members, func(l *life) bool { return l.zooid.Name == name })
}

// begin starts a life of a zooid.
func (c *Colony) begin(z Zooid, p *Publisher) *life {
	l := &life{zooid: z, publisher: p}
	now := time.Now()
	for n := range z.Streams {
		heap.Push(&c.queue, &stream{life: l, due: now.Add(time.Duration(n) * streamStagger)})
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return l
}
