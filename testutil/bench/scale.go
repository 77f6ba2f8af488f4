package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	scaleZooids = 100_000
	// scaleInterval is the heartbeat interval of the real components.
	scaleInterval = 10 * time.Second
	// betweenRounds is longer than a tick interval, within which a second beat would be merged with the first.
	betweenRounds = 2 * time.Second
	// scaleLimit is the timeout of a round, not its budget.
	scaleLimit = 2 * time.Minute
)

// scaleOptions configure all three plugins for the sender's bus, on which nothing can be published.
const scaleOptions = inputOptions + `
[[processors.liveness]]
  report_interval = %q

[[outputs.chembus]]
  subscribe_endpoint = %[1]q
  publish_endpoint = "tcp://127.0.0.1:9"
`

// scale measures the CPU time of one beat of each of 100 000 zooids, through the input and the processor back to line
// protocol, and the memory of the plugins; compared with the Python daemon on the same bus.
func (b *bench) scale(ctx context.Context) (table, error) {
	burst, err := b.scaleWith(ctx, 0, forever)
	if err != nil {
		return nil, err
	}
	paced, err := b.scaleWith(ctx, scaleZooids/scaleInterval.Seconds(), scaleInterval)
	if err != nil {
		return nil, err
	}
	return table{
		{"input and processor, CPU per beat, one beat of each of 100 000 zooids", micros(median(burst.ours)),
			"Python " + micros(median(burst.monitor)), times(median(burst.ratio)), "10 µs", within(median(burst.ours) <= 10e-6)},
		{"the same, all zooids new to both", micros(burst.first), "", "", "", noBudget},
		{"the same over 10 s, with one report of each zooid", micros(median(paced.ours)),
			"Python " + micros(median(paced.monitor)), times(median(paced.ratio)), "20 µs", within(median(paced.ours) <= 20e-6)},
		{"memory (PSS) of the three processes, 100 000 zooids", megabytes(paced.memory),
			"Python " + megabytes(paced.monitorMemory), times(paced.memory / paced.monitorMemory), "", noBudget},
	}, nil
}

// scaleCosts are CPU seconds per beat, one value for each round, and bytes at the end.
type scaleCosts struct {
	first                 float64 // ours, with all zooids new
	ours, monitor, ratio  []float64
	memory, monitorMemory float64
}

// scaleWith sends the beats at a rate per second, or with a rate of 0 as fast as they are received.
func (b *bench) scaleWith(ctx context.Context, rate float64, reportInterval time.Duration) (costs scaleCosts, err error) {
	s, err := newSender(scaleZooids)
	if err != nil {
		return costs, err
	}
	defer s.close()
	options := fmt.Sprintf(scaleOptions, s.endpoint, scaleZooids, reportInterval)
	var processed atomic.Int64
	p, err := b.startPipeline(options, func(line []byte) {
		if measurement(line) == "chembus_heartbeat" {
			processed.Add(int64(field(line, "beats")))
		}
	})
	if err != nil {
		return costs, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	// The output is idle, but its memory counts.
	output, err := b.startPlugin("output", options, nil, nil)
	if err != nil {
		return costs, err
	}
	defer func() { err = errors.Join(err, output.stop()) }()
	monitor, err := b.startMonitor(s.endpoint, 0)
	if err != nil {
		return costs, err
	}
	defer func() { err = errors.Join(err, monitor.stop()) }()
	if err := s.waitSubscribers(ctx, 2); err != nil {
		return costs, err
	}
	if err := sleep(ctx, startupTime); err != nil {
		return costs, err
	}

	for round := range rounds + 1 { // in the first round all zooids are new
		if err := sleep(ctx, betweenRounds); err != nil {
			return costs, err
		}
		pids := []int{p.input.Pid(), p.processor.Pid(), monitor.Pid()}
		spent, err := spending(pids, func() error {
			ctx, cancel := context.WithTimeout(ctx, scaleLimit)
			defer cancel()
			if err := s.send(ctx, scaleZooids, rate); err != nil {
				return err
			}
			return await(ctx, "every beat was processed", func() bool { return processed.Load() == int64(round+1)*scaleZooids })
		})
		if err != nil {
			return costs, err
		}
		input, processor, theirs := spent[0]/scaleZooids, spent[1]/scaleZooids, spent[2]/scaleZooids
		ours := input + processor
		b.logf("  round %d: input %s, processor %s, Python %s", round, micros(input), micros(processor), micros(theirs))
		if round == 0 {
			costs.first = ours
			continue
		}
		costs.ours, costs.monitor = append(costs.ours, ours), append(costs.monitor, theirs)
		costs.ratio = append(costs.ratio, ours/theirs)
	}
	if costs.memory, err = memory(append(p.pids(), output.Pid())...); err != nil {
		return costs, err
	}
	costs.monitorMemory, err = memory(monitor.Pid())
	return costs, err
}
