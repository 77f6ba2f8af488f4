package main

import (
	"context"
	"errors"
	"time"
)

const (
	idleZooids   = 50
	idleInterval = 10 * time.Second
	// idleWarmUp is how long the plugins run before the measurement.
	idleWarmUp = 30 * time.Second
)

// idle measures the CPU and memory of the three plugins for 50 zooids with a heartbeat every 10 s, under a Telegraf with the
// drop-in and the default options; compared with the Python daemon.
func (b *bench) idle(ctx context.Context) (rows table, err error) {
	s, err := b.newStage(ctx, "")
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return nil, err
	}
	beating, stop := context.WithCancel(ctx)
	wait := s.beatInTurn(beating, idleZooids, idleInterval)
	defer func() {
		stop()
		err = errors.Join(err, wait())
	}()
	if err := sleep(ctx, idleWarmUp); err != nil {
		return nil, err
	}
	plugins, err := s.plugins()
	if err != nil {
		return nil, err
	}

	var ours, theirs, cpuRatio, size, theirSize, sizeRatio []float64
	for round := range rounds {
		spent, err := spending(append(plugins, s.monitor.Pid()), func() error { return sleep(ctx, idleInterval) })
		if err != nil {
			return nil, err
		}
		for i := range spent {
			spent[i] /= idleInterval.Seconds()
		}
		together := spent[0] + spent[1] + spent[2]
		held, err := memory(plugins...)
		if err != nil {
			return nil, err
		}
		theyHeld, err := memory(s.monitor.Pid())
		if err != nil {
			return nil, err
		}
		b.logf("  round %d: input %s, processor %s, output %s of a core, %s; Python %s, %s", round+1, percent(spent[0]),
			percent(spent[1]), percent(spent[2]), megabytes(held), percent(spent[3]), megabytes(theyHeld))
		ours, theirs, cpuRatio = append(ours, together), append(theirs, spent[3]), append(cpuRatio, together/spent[3])
		size, theirSize, sizeRatio = append(size, held), append(theirSize, theyHeld), append(sizeRatio, held/theyHeld)
	}
	return table{
		{"memory (PSS) of the three processes, 50 zooids", megabytes(median(size)), "Python " + megabytes(median(theirSize)),
			times(median(sizeRatio)), "30 MB", within(median(size) <= 30e6)},
		{"CPU of the three processes, 50 zooids, share of a core", percent(median(ours)), "Python " + percent(median(theirs)),
			times(median(cpuRatio)), "0.5 %", within(median(ours) <= 0.005)},
	}, nil
}
