package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// These limit the time between the starts of two faults.
	shortestPause = 300 * time.Millisecond
	longestPause  = 12 * time.Second

	// mostDisturbances is how many faults may disturb a death before its verdict is due.
	mostDisturbances = 2

	// choices is how many faults are tried at a time until one is possible.
	choices = 5

	// ongoing is the end of a span that has not ended.
	ongoing = 1000 * time.Hour
)

// campaign injects random faults into a stage and keeps the ledger. The seed determines the faults and their durations, but
// whether a fault is possible at its time depends on the machine.
type campaign struct {
	*stage
	out    io.Writer
	kinds  []fault    // that are possible
	random *rand.Rand // used by the main goroutine only
	ending chan struct{}
	faults sync.WaitGroup

	mu     sync.Mutex // guards what follows
	ledger ledger
	busy   map[string]bool          // parts and zooids with a fault in progress
	born   map[string]time.Duration // start of the current life of each zooid that is alive
	counts map[string]int           // faults by kind
	least  time.Duration            // shortest threshold that a component can have
	most   time.Duration            // and longest
	err    error                    // the first error of a fault
}

func newCampaign(s *stage, o options) *campaign {
	c := &campaign{
		stage:  s,
		out:    o.out,
		kinds:  faults,
		random: rand.New(rand.NewPCG(o.seed, uint64(s.number))),
		ending: make(chan struct{}),
		ledger: ledger{monitors: len(s.hosts), threshold: threshold, interval: beatInterval},
		busy:   make(map[string]bool),
		born:   make(map[string]time.Duration),
		counts: make(map[string]int),
		least:  threshold,
		most:   threshold,
	}
	if o.adaptive {
		c.least, c.most = minThreshold, maxThreshold
	}
	for _, name := range s.colony.Names() {
		c.born[name] = 0 // reported by the processor
	}
	return c
}

// run injects n faults and returns the ledger at the end.
func (c *campaign) run(ctx context.Context, n int) (ledger, error) {
	for done := 0; done < n && ctx.Err() == nil && c.failed() == nil; {
		c.sleep(ctx, c.between(shortestPause, longestPause))
		f, target, ok := c.choosePossible()
		if !ok {
			continue
		}
		done++
		duration := c.between(f.shortest, f.longest)
		c.logf("fault %d: %s %s, %v", done, f.kind, target, duration.Round(time.Millisecond))
		c.faults.Go(func() { c.do(f, target, duration) })
	}
	return c.finish(ctx)
}

// do does a fault that was reserved.
func (c *campaign) do(f fault, target string, duration time.Duration) {
	defer c.release(f, target)
	if err := f.do(c, target, duration); err != nil {
		c.fail(fmt.Errorf("%s %s: %w", f.kind, target, err))
	}
}

// finish waits until all faults are over and every gap should have been delivered, and returns the ledger.
func (c *campaign) finish(ctx context.Context) (ledger, error) {
	close(c.ending)
	c.faults.Wait()
	c.logf("the last fault is over")
	c.sleep(ctx, restarted+c.most+margin+delivery)
	return c.result(), errors.Join(c.failed(), ctx.Err())
}

// result returns the ledger at the end of the campaign.
func (c *campaign) result() ledger {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.ledger.deaths {
		c.ledger.deaths[i].revived = min(c.ledger.deaths[i].revived, c.now())
	}
	c.ledger.consumers = c.records()
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
	for _, f := range c.kinds {
		sum += f.weight
	}
	at := c.random.IntN(sum)
	for _, f := range c.kinds {
		if at -= f.weight; at < 0 {
			return f
		}
	}
	panic("unreachable: the index is below the sum of the weights")
}

// choosePossible returns a random fault that is possible now, with its target, which is reserved; false if a few are not.
func (c *campaign) choosePossible() (f fault, target string, ok bool) {
	for range choices {
		f = c.choose()
		if target, ok = c.reserve(f); ok {
			return f, target, true
		}
	}
	return fault{}, "", false
}

// reserve chooses the target of a fault and reserves it; false if the fault is not possible now.
func (c *campaign) reserve(f fault) (target string, ok bool) {
	if f.ofDisk && !c.disk.fillable() {
		return "", false
	}
	consumers := c.records()
	if names := c.colony.Names(); len(names) > 0 {
		target = names[c.random.IntN(len(names))]
	}
	monitor := 0
	if f.ofMonitor {
		monitor = c.random.IntN(len(c.hosts))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	parts := f.parts
	switch {
	case f.ofMonitor:
		target = c.hosts[monitor].link.name
		parts = append([]string{target}, parts...)
	case f.ofZooid:
		born, alive := c.born[target]
		if !alive || born > 0 && !c.ledger.certainlyHeard(born, c.now()) {
			return "", false
		}
		parts = []string{target}
		if c.busy[allZooids] {
			return "", false
		}
	default:
		target = ""
		if slices.Contains(parts, allZooids) && c.affectsAlive() {
			return "", false
		}
	}
	for _, part := range parts {
		if c.busy[part] {
			return "", false
		}
	}
	if !c.leavesVerdicts(f, consumers) {
		return "", false
	}
	for _, part := range parts {
		c.busy[part] = true
	}
	c.counts[f.kind]++
	return target, true
}

// affectsAlive reports whether a fault of a zooid that is alive is in progress, such as one that is about to kill it. The
// caller holds mu.
func (c *campaign) affectsAlive() bool {
	for name := range c.born {
		if c.busy[name] {
			return true
		}
	}
	return false
}

// leavesVerdicts reports whether a fault leaves the time in which the deaths of before can be decided: none is disturbed
// more than mostDisturbances times before its verdict is due, and no brief death by a loss of messages. It counts the
// fault, so it is to be done if so. The caller holds mu.
func (c *campaign) leavesVerdicts(f fault, consumers []record) bool {
	now := c.now()
	if _, lost := c.ledger.lossy().at(now); lost && (f.brief || f.toldOnce) {
		return false
	}
	if len(f.parts) == 0 && !f.ofMonitor {
		return true
	}
	var undecided []*death
	for i := range c.ledger.deaths {
		d := &c.ledger.deaths[i]
		switch {
		case f.forgets && now < d.revived && !c.ledger.due(*d, c.most, now, consumers):
			return false
		case f.loses && d.brief && now < d.revived+2*c.ledger.interval:
			return false
		case d.revived != ongoing || d.brief || c.ledger.due(*d, c.most, now, consumers):
		case d.disturbed >= mostDisturbances:
			return false
		default:
			undecided = append(undecided, d)
		}
	}
	for _, d := range undecided {
		d.disturbed++
	}
	return true
}

// verdictDue reports whether the death of that number is to be decided by now.
func (c *campaign) verdictDue(number int) bool {
	consumers := c.records()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ledger.due(c.ledger.deaths[number], c.most, c.now(), consumers)
}

// records returns what the consumers have handled up to now.
func (c *campaign) records() []record {
	var all []record
	for _, l := range c.listeners {
		all = append(all, l.record())
	}
	return all
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
