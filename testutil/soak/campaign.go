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
	// These limit the time between the starts of two faults.
	shortestPause = 300 * time.Millisecond
	longestPause  = 12 * time.Second

	// ongoing is the end of a span that has not ended.
	ongoing = 1000 * time.Hour
)

// campaign injects random faults into a stage and keeps the ledger. The seed determines the faults and their durations, but
// whether a fault is possible at its time depends on the machine.
type campaign struct {
	*stage
	number int // of the stage
	out    io.Writer
	random *rand.Rand // used by the main goroutine only
	ending chan struct{}
	faults sync.WaitGroup

	mu     sync.Mutex // guards what follows
	ledger ledger
	busy   map[string]bool          // parts and zooids with a fault in progress
	born   map[string]time.Duration // start of the current life of each zooid that is alive
	counts map[string]int           // faults by kind
	err    error                    // the first error of a fault
}

func newCampaign(s *stage, number int, o options) *campaign {
	c := &campaign{
		stage:  s,
		number: number,
		out:    o.out,
		random: rand.New(rand.NewPCG(o.seed, uint64(number))),
		ending: make(chan struct{}),
		ledger: ledger{threshold: threshold, interval: beatInterval},
		busy:   make(map[string]bool),
		born:   make(map[string]time.Duration),
		counts: make(map[string]int),
	}
	for _, name := range s.colony.Names() {
		c.born[name] = 0 // reported by the processor
	}
	return c
}

// run injects n faults, waits until every gap should have been delivered, and returns the ledger.
func (c *campaign) run(ctx context.Context, n int) (ledger, error) {
	for done := 0; done < n && ctx.Err() == nil && c.failed() == nil; {
		c.sleep(ctx, c.between(shortestPause, longestPause))
		f := c.choose()
		target, ok := c.reserve(f)
		if !ok {
			continue
		}
		done++
		duration := c.between(f.shortest, f.longest)
		c.logf("fault %d: %s %s, %v", done, f.kind, target, duration.Round(time.Millisecond))
		c.faults.Go(func() {
			defer c.release(f, target)
			if err := f.do(c, target, duration); err != nil {
				c.fail(fmt.Errorf("%s %s: %w", f.kind, target, err))
			}
		})
	}
	close(c.ending)
	c.faults.Wait()
	c.logf("the last fault is over")
	c.sleep(ctx, restarted+threshold+margin+delivery)
	return c.result(), errors.Join(c.failed(), ctx.Err())
}

// result returns the ledger at the end of the campaign.
func (c *campaign) result() ledger {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.ledger.deaths {
		c.ledger.deaths[i].revived = min(c.ledger.deaths[i].revived, c.now())
	}
	for _, l := range c.listeners {
		c.ledger.consumers = append(c.ledger.consumers, l.record())
	}
	return c.ledger
}

// between returns a random duration. Its logarithm is distributed uniformly.
func (c *campaign) between(shortest, longest time.Duration) time.Duration {
	if shortest == 0 {
		return 0
	}
	low, high := logarithm(shortest), logarithm(longest)
	return exponential(low + c.random.Float64()*(high-low))
}

// choose returns a random fault by weight.
func (c *campaign) choose() fault {
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
	panic("unreachable: the index is below the sum of the weights")
}

// reserve chooses the target of a fault and reserves it; false if the fault is not possible now.
func (c *campaign) reserve(f fault) (target string, ok bool) {
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
		if !alive || born > 0 && !c.ledger.certainlyHeard(born, c.now()) {
			return "", false
		}
		parts = []string{target}
	} else {
		target = ""
	}
	for _, part := range parts {
		if c.busy[part] {
			return "", false
		}
	}
	for _, part := range parts {
		c.busy[part] = true
	}
	c.counts[f.kind]++
	return target, true
}

// release ends the reservation of a fault.
func (c *campaign) release(f fault, target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.busy, target)
	for _, part := range f.parts {
		delete(c.busy, part)
	}
}

func (c *campaign) sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// disturb records a disturbance that begins now. The returned function ends it, with the time until which the bus was not
// observed and the time that the processor had not saved.
func (c *campaign) disturb(d disturbance) func(blindUntil, unsaved time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d.span = span{c.now(), ongoing}
	c.ledger.disturbances = append(c.ledger.disturbances, d)
	at := len(c.ledger.disturbances) - 1
	return func(blindUntil, unsaved time.Duration) {
		c.mu.Lock()
		defer c.mu.Unlock()
		ended := &c.ledger.disturbances[at]
		ended.to, ended.blindUntil, ended.unsaved = c.now(), blindUntil, unsaved
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

func (c *campaign) logf(format string, args ...any) {
	fmt.Fprintf(c.out, "bus %d, %8.3f s: %s\n", c.number, c.now().Seconds(), fmt.Sprintf(format, args...))
}
