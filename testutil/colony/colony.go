// Package colony simulates a ChemBus and its components for demos, tests and load: a proxy that can be paused and killed,
// zooids with the heartbeats of the real ones, and a publisher of any message.
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

// The zooids share connections, each of which queues up to queuePerConnection messages. A real emitter has a connection
// of its own that queues 1000.
const (
	connections        = 4
	queuePerConnection = 100 * hwm
)

// Config is the configuration of a Colony.
type Config struct {
	XSub string           // endpoint of the bus for publishers
	Now  func() time.Time // clock for ts and uptime_s; nil: time.Now
	Seed uint64           // of jitter and processed counts
}

// Colony is a set of zooids that send heartbeats to a bus. Its methods may be called from any goroutine.
//
// One goroutine sends the heartbeats of all zooids over four connections, so a thousand zooids are cheap. Each zooid uses
// one connection: its beats keep their order, while those of different zooids need not, as on the real bus. The
// connections stay open when a zooid is killed: once WaitSubscribed has returned, the first beat of each added or revived
// zooid is delivered.
type Colony struct {
	publishers []*Publisher

	mu      sync.Mutex // guards what follows, and Now
	now     func() time.Time
	random  *rand.Rand
	members []*life // the current or last life of each zooid
	queue   schedule
	err     error // the first failure to send

	wake chan struct{} // the head of the queue may have changed
	stop chan struct{}
	done chan struct{}
}

// New connects a colony without zooids to a bus, which may start later. Close it after use.
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

// WaitSubscribed waits until all connections have received a subscription to the topic. It detects the start of a bus but
// not a Restart: the connections, like those of the real emitters, keep their subscriptions and queue messages.
func (c *Colony) WaitSubscribed(ctx context.Context, topic string) error {
	for _, p := range c.publishers {
		if err := p.WaitSubscribed(ctx, topic); err != nil {
			return err
		}
	}
	return nil
}

// Add starts zooids: the first stream of each sends a heartbeat at once. On an error, the zooid named in it and those
// after it are not added.
func (c *Colony) Add(zooids ...Zooid) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, z := range zooids {
		z, err := z.withDefaults()
		if err != nil {
			return err
		}
		if c.member(z.Name) >= 0 {
			return fmt.Errorf("colony: cannot add %q: there is a zooid of this name", z.Name)
		}
		l, err := c.begin(z, c.publishers[len(c.members)%connections])
		if err != nil {
			return err
		}
		c.members = append(c.members, l)
	}
	return nil
}

// Kill stops a zooid's heartbeats: after it returns, none is sent.
func (c *Colony) Kill(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.end(name, "kill")
	return err
}

// end ends the life of a zooid and returns it. The caller holds mu.
func (c *Colony) end(name, verb string) (*life, error) {
	i := c.member(name)
	if i < 0 {
		return nil, fmt.Errorf("colony: cannot %s %q: there is no such zooid", verb, name)
	}
	if c.members[i].dead {
		return nil, fmt.Errorf("colony: cannot %s %q: it is already dead", verb, name)
	}
	c.members[i].dead = true
	return c.members[i], nil
}

// Revive starts a killed or stopped zooid again, with new streams.
func (c *Colony) Revive(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.member(name)
	if i < 0 {
		return fmt.Errorf("colony: cannot revive %q: there is no such zooid", name)
	}
	if !c.members[i].dead {
		return fmt.Errorf("colony: cannot revive %q: it is alive", name)
	}
	last := c.members[i]
	l, err := c.begin(last.zooid, last.publisher)
	if err != nil {
		return err
	}
	c.members[i] = l
	return nil
}

// LastBeat returns when a zooid has sent the last heartbeat of its current or last life, by the clock of this machine; zero
// if it has sent none.
func (c *Colony) LastBeat(name string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.member(name); i >= 0 {
		return c.members[i].lastBeat
	}
	return time.Time{}
}

// Names returns the names of the zooids that are alive, in the order in which they were added.
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

// Close stops all heartbeats and disconnects. It returns the first error in sending, if any. A second Close does nothing.
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

// begin starts a life of a zooid, which announces it first. The caller holds mu.
func (c *Colony) begin(z Zooid, p *Publisher) (*life, error) {
	l := &life{zooid: z, publisher: p}
	if err := c.announce(l, "READY"); err != nil {
		return nil, err
	}
	now := time.Now()
	for n := range z.Streams + z.RuntimeStreams {
		s := &stream{life: l, runtime: n >= z.Streams, due: now.Add(time.Duration(n) * streamStagger)}
		heap.Push(&c.queue, s)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return l, nil
}
