package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	crowdZooids = 100_000
	// crowdInterval is how often each zooid beats, as the real ones do.
	crowdInterval = 10 * time.Second
	// apart is how long after one round the next begins.
	apart = 2 * time.Second
	// crowdLimit is how long one round may take; it is not what it should take.
	crowdLimit = 2 * time.Minute
)

// crowdOptions are for all three plugins on the sender's bus, to which nothing can be published.
const crowdOptions = sensorOptions + `
[[processors.liveness]]
  report_interval = %q

[[outputs.chembus]]
  subscribe_endpoint = %[1]q
  publish_endpoint = "tcp://127.0.0.1:9"
`

// crowd measures what one beat from each of 100 000 zooids takes on its way through sensor and judge, back
// to line protocol, and what memory the crowd takes; beside the Python daemon on the same bus.
func (b *bench) crowd(ctx context.Context) (table, error) {
	burst, err := b.crowdWith(ctx, 0, forever)
	if err != nil {
		return nil, err
	}
	paced, err := b.crowdWith(ctx, crowdZooids/crowdInterval.Seconds(), crowdInterval)
	if err != nil {
		return nil, err
	}
	return table{
		{"sensor and judge, CPU a beat, one of each of 100 000 zooids", micros(median(burst.ours)),
			"Python " + micros(median(burst.monitor)), times(median(burst.ratio)), "15 µs", judged(median(burst.ours) <= 15e-6)},
		{"the same, all new to both", micros(burst.first), "", "", "", told},
		{"the same over 10 s, with one report of each", micros(median(paced.ours)),
			"Python " + micros(median(paced.monitor)), times(median(paced.ratio)), "", told},
		{"memory (PSS) of the three processes, 100 000 zooids", megabytes(paced.memory),
			"Python " + megabytes(paced.monitorMemory), times(paced.memory / paced.monitorMemory), "", told},
	}, nil
}

// crowdCosts are CPU seconds a beat, one for each round, and bytes at the end.
type crowdCosts struct {
	first                 float64 // of ours, when all are new
	ours, monitor, ratio  []float64
	memory, monitorMemory float64
}

// crowdWith lets the crowd beat so many times a second, or as fast as it is heard.
func (b *bench) crowdWith(ctx context.Context, rate float64, reportInterval time.Duration) (costs crowdCosts, err error) {
	s, err := newSender(crowdZooids)
	if err != nil {
		return costs, err
	}
	defer s.close()
	options := fmt.Sprintf(crowdOptions, s.endpoint, crowdZooids, reportInterval)
	var judged atomic.Int64
	p, err := b.startPipeline(options, func(line []byte) {
		if measurement(line) == "chembus_heartbeat" {
			judged.Add(int64(field(line, "beats")))
		}
	})
	if err != nil {
		return costs, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	// The voice has nothing to do, but takes memory.
	voice, err := b.startPlugin("output", options, nil, nil)
	if err != nil {
		return costs, err
	}
	defer func() { err = errors.Join(err, voice.stop()) }()
	monitor, err := b.startMonitor(s.endpoint, 0)
	if err != nil {
		return costs, err
	}
	defer monitor.stop()
	if err := s.waitSubscribers(ctx, 2); err != nil {
		return costs, err
	}
	if err := sleep(ctx, settling); err != nil {
		return costs, err
	}

	for round := range rounds + 1 { // in the first all are new
		// A second beat within one tick interval would be merged with the first.
		if err := sleep(ctx, apart); err != nil {
			return costs, err
		}
		pids := []int{p.sensor.Pid(), p.judge.Pid(), monitor.Pid()}
		spent, err := spending(pids, func() error {
			ctx, cancel := context.WithTimeout(ctx, crowdLimit)
			defer cancel()
			if err := s.send(ctx, crowdZooids, rate); err != nil {
				return err
			}
			return await(ctx, "every beat was judged", func() bool { return judged.Load() == int64(round+1)*crowdZooids })
		})
		if err != nil {
			return costs, err
		}
		sensor, judge, theirs := spent[0]/crowdZooids, spent[1]/crowdZooids, spent[2]/crowdZooids
		ours := sensor + judge
		b.say("  round %d: sensor %s, judge %s, Python %s", round, micros(sensor), micros(judge), micros(theirs))
		if round == 0 {
			costs.first = ours
			continue
		}
		costs.ours, costs.monitor = append(costs.ours, ours), append(costs.monitor, theirs)
		costs.ratio = append(costs.ratio, ours/theirs)
	}
	if costs.memory, err = memory(append(p.pids(), voice.Pid())...); err != nil {
		return costs, err
	}
	costs.monitorMemory, err = memory(monitor.Pid())
	return costs, err
}
