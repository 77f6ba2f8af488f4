package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// Between the beginnings of two faults.
	shortestPause = 300 * time.Millisecond
	longestPause  = 12 * time.Second

	// ongoing is the end of what has not ended yet.
	ongoing = 1000 * time.Hour
)

// campaign does random faults to a stage and keeps the ledger. The seed fixes which faults are tried, and
// how long they last; which of them are possible at the time depends on the machine.
type campaign struct {
	*stage
	out    io.Writer
	random *rand.Rand // the main goroutine's own
	ending chan struct{}
	faults sync.WaitGroup

	mu     sync.Mutex // guards what follows
	ledger ledger
	held   map[string]bool          // parts and zooids that a fault has in hand
	born   map[string]time.Duration // when the present life of a zooid began; of none that is dead
	counts map[string]int           // faults by kind
	err    error                    // the first in a fault
}

func newCampaign(s *stage, seed uint64, out io.Writer) *campaign {
	c := &campaign{
		stage:  s,
		out:    out,
		random: rand.New(rand.NewPCG(seed, 0)),
		ending: make(chan struct{}),
		ledger: ledger{threshold: threshold, interval: beatInterval},
		held:   make(map[string]bool),
		born:   make(map[string]time.Duration),
		counts: make(map[string]int),
	}
	for _, name := range s.colony.Names() {
		c.born[name] = 0 // the judge has reported it
	}
	return c
}

// run does n faults, waits until everything has had the time to be told of, and returns the ledger.
func (c *campaign) run(ctx context.Context, n int) (ledger, error) {
	for done := 0; done < n && ctx.Err() == nil && c.failed() == nil; {
		c.rest(ctx, c.between(shortestPause, longestPause))
		f := c.draw()
		target, ok := c.take(f)
		if !ok {
			continue
		}
		done++
		duration := c.between(f.shortest, f.longest)
		c.say("fault %d: %s %s, %v", done, f.kind, target, duration.Round(time.Millisecond))
		c.faults.Go(func() {
			defer c.giveBack(f, target)
			if err := f.do(c, target, duration); err != nil {
				c.fail(fmt.Errorf("%s %s: %w", f.kind, target, err))
			}
		})
	}
	close(c.ending)
	c.faults.Wait()
	c.say("the last fault is over")
	c.rest(ctx, restarted+threshold+margin+delivery)
	return c.balance(), errors.Join(c.failed(), ctx.Err())
}

// balance returns the ledger as it stands.
func (c *campaign) balance() ledger {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.ledger.deaths {
		c.ledger.deaths[i].revived = min(c.ledger.deaths[i].revived, c.now())
	}
	for _, l := range c.listeners {
		c.ledger.consumers = append(c.ledger.consumers, l.listening())
	}
	return c.ledger
}

// between draws a duration, short ones as often as long ones of the same proportion.
func (c *campaign) between(shortest, longest time.Duration) time.Duration {
	if shortest == 0 {
		return 0
	}
	low, high := logarithm(shortest), logarithm(longest)
	return exponential(low + c.random.Float64()*(high-low))
}

// draw chooses a kind of fault.
func (c *campaign) draw() fault {
	sum := 0
	for _, f := range faults {
		sum += f.weight
	}
	at := c.random.IntN(sum)
	for _, f := range faults {
		if at -= f.weight; at < 0 {
			return f
		}
	}
	panic("unreachable: the weights were summed")
}

// take gets hold of what a fault is done to; false if another fault has it.
func (c *campaign) take(f fault) (target string, ok bool) {
	if f.ofDisk && !c.disk.fillable() {
		return "", false
	}
	names := c.colony.Names()
	target = names[c.random.IntN(len(names))]
	c.mu.Lock()
	defer c.mu.Unlock()
	parts := f.parts
	if f.ofZooid {
		born, alive := c.born[target]
		if !alive || born > 0 && !c.ledger.surelyHeard(born, c.now()) {
			return "", false
		}
		parts = []string{target}
	} else {
		target = ""
	}
	for _, part := range parts {
		if c.held[part] {
			return "", false
		}
	}
	for _, part := range parts {
		c.held[part] = true
	}
	c.counts[f.kind]++
	return target, true
}

func (c *campaign) giveBack(f fault, target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, target)
	for _, part := range f.parts {
		delete(c.held, part)
	}
}

// rest waits.
func (c *campaign) rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// disturb enters an outage that begins now; the result ends it, and says until when nobody could hear and
// what the judge had not saved.
func (c *campaign) disturb(o outage) func(deafUntil, forgets time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o.span = span{c.now(), ongoing}
	c.ledger.outages = append(c.ledger.outages, o)
	at := len(c.ledger.outages) - 1
	return func(deafUntil, forgets time.Duration) {
		c.mu.Lock()
		defer c.mu.Unlock()
		ended := &c.ledger.outages[at]
		ended.to, ended.deafUntil, ended.forgets = c.now(), deafUntil, forgets
	}
}

func (c *campaign) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

func (c *campaign) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *campaign) say(format string, args ...any) {
	fmt.Fprintf(c.out, "%8.3f  %s\n", c.now().Seconds(), fmt.Sprintf(format, args...))
}
