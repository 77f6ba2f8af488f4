package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// zooidsOnBus is how many zooids are on each bus of a campaign of random faults.
const zooidsOnBus = 50

// soakRandom does random faults on one or several buses at the same time.
func soakRandom(ctx context.Context, o options) error {
	r, err := randomFaults(ctx, o)
	if err != nil {
		return err
	}
	r.print(o.out)
	if !r.good() {
		return errWrong
	}
	return nil
}

// randomFaults divides the faults among the stages and returns the report on all.
func randomFaults(ctx context.Context, o options) (*report, error) {
	var mu sync.Mutex // guards r
	r := &report{faults: make(map[string]int)}
	o.stages = min(o.stages, o.n)
	fmt.Fprintf(o.out, "%s: %d faults on %d buses with %d zooids each, seed %d, adaptive = %v\n",
		time.Now().Format(time.TimeOnly), o.n, o.stages, zooidsOnBus, o.seed, o.adaptive)
	err := onStages(ctx, o, quickSetting(zooidsOnBus, o.adaptive), o.stages, func(i int, on *round) error {
		n := o.n / o.stages
		if i < o.n%o.stages {
			n++
		}
		c := newCampaign(on.stage, i, o)
		l, err := c.run(on.ctx, n)
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
