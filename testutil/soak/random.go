package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// zooidsOnBus is how many zooids are on each bus of a campaign of random faults.
const zooidsOnBus = 50

// soakRandom does random faults on one or several buses at the same time.
func soakRandom(ctx context.Context, o options) error {
	r, err := randomFaults(ctx, o)
	return r.judge(o.out, err)
}

// randomFaults divides the faults among the stages and returns the report on all.
func randomFaults(ctx context.Context, o options) (*report, error) {
	o.stages = min(o.stages, o.n)
	fmt.Fprintf(o.out, "%s: %d faults on %d buses with %d zooids each, seed %d, adaptive = %v\n",
		time.Now().Format(time.TimeOnly), o.n, o.stages, zooidsOnBus, o.seed, o.adaptive)
	return onRandomStages(ctx, o, quickSetting(zooidsOnBus, o.adaptive), func(ctx context.Context, i int, c *campaign) (ledger, error) {
		n := o.n / o.stages
		if i < o.n%o.stages {
			n++
		}
		return c.run(ctx, n)
	})
}

// onRandomStages does a campaign on each stage and returns the report on all.
func onRandomStages(ctx context.Context, o options, set setting, do func(ctx context.Context, i int, c *campaign) (ledger, error)) (*report, error) {
	var mu sync.Mutex // guards r, and the output
	out := o.out
	r := &report{faults: make(map[string]int)}
	err := onStages(ctx, o, set, o.stages, func(i int, on *round) error {
		c := newCampaign(on.stage, o)
		c.out = lockedWriter{&mu, out}
		l, err := do(on.ctx, i, c)
		if err == nil && o.adaptive {
			l.adaptive, err = readThresholds(on.metricsFile(), on.start)
		}
		mu.Lock()
		defer mu.Unlock()
		r.add(c, l)
		return err
	})
	return r, err
}

// lockedWriter is used by several goroutines.
type lockedWriter struct {
	mu  *sync.Mutex
	out io.Writer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}
