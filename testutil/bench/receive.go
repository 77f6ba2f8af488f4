package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	floodZooids = 1000
	floodBeats  = 300_000
	// startupTime is how long a process may take to start.
	startupTime = 300 * time.Millisecond
	// floodLimit is the timeout of a flood, not its budget.
	floodLimit = 3 * time.Minute
)

// inputOptions configure an input for the sender, to which no probe can be published.
const inputOptions = `
[[inputs.chembus]]
  subscribe_endpoint = %q
  publish_endpoint = "none"
  max_zooids = %d
`

// receive measures the CPU time of a heartbeat while 1000 zooids send as fast as possible: of the input, the raw loop and
// the Python daemon, one after the other.
func (b *bench) receive(ctx context.Context) (table, error) {
	s, err := newSender(floodZooids)
	if err != nil {
		return nil, err
	}
	defer s.close()
	receivers := []func(endpoint string) (receiver, error){b.rawReceiver, b.inputReceiver, b.monitorReceiver}
	var raw, input, monitor, toRaw, toMonitor []float64
	for round := range rounds {
		var cost [3]float64
		for i, start := range receivers {
			if cost[i], err = floodOne(ctx, s, start); err != nil {
				return nil, err
			}
		}
		b.logf("  round %d: raw loop %s, input %s, Python %s", round+1, micros(cost[0]), micros(cost[1]), micros(cost[2]))
		raw, input, monitor = append(raw, cost[0]), append(input, cost[1]), append(monitor, cost[2])
		toRaw, toMonitor = append(toRaw, cost[1]/cost[0]), append(toMonitor, cost[1]/cost[2])
	}
	return table{
		{"input and raw loop, CPU per beat, 1000 zooids as fast as possible", micros(median(input)), "raw loop " + micros(median(raw)),
			times(median(toRaw)), "1.5×", within(median(toRaw) <= 1.5)},
		{"input and Python, CPU per beat, 1000 zooids as fast as possible", micros(median(input)), "Python " + micros(median(monitor)),
			times(median(toMonitor)), "0.17×", within(median(toMonitor) <= 0.17)},
	}, nil
}

// receiver is a process that receives the flood.
type receiver struct {
	pid      int
	received func() bool // the whole flood
	stop     func() error
}

func (b *bench) rawReceiver(endpoint string) (receiver, error) {
	return baselineReceiver(b.startRawLoop(endpoint, floodBeats))
}

func (b *bench) monitorReceiver(endpoint string) (receiver, error) {
	return baselineReceiver(b.startMonitor(endpoint, floodBeats))
}

func baselineReceiver(p baseline, err error) (receiver, error) {
	if err != nil {
		return receiver{}, err
	}
	return receiver{p.Pid(), p.received.Load, p.stop}, nil
}

// inputReceiver starts the input and reads its metrics.
func (b *bench) inputReceiver(endpoint string) (receiver, error) {
	var beats atomic.Int64
	p, err := b.startPlugin("input", fmt.Sprintf(inputOptions, endpoint, floodZooids), nil, &lines{take: func(line []byte) {
		if measurement(line) == "chembus_heartbeat" {
			beats.Add(int64(field(line, "beats")))
		}
	}})
	if err != nil {
		return receiver{}, err
	}
	return receiver{p.Pid(), func() bool { return beats.Load() >= floodBeats }, p.stop}, nil
}

// floodOne starts a receiver and returns its CPU seconds per beat.
func floodOne(ctx context.Context, s *sender, start func(endpoint string) (receiver, error)) (cost float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, floodLimit)
	defer cancel()
	r, err := start(s.endpoint)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	if err := s.waitSubscribers(ctx, 1); err != nil {
		return 0, err
	}
	if err := sleep(ctx, startupTime); err != nil {
		return 0, err
	}
	spent, err := spending([]int{r.pid}, func() error {
		if err := s.send(ctx, floodBeats, 0); err != nil {
			return err
		}
		return await(ctx, "the whole flood was received", r.received)
	})
	if err != nil {
		return 0, err
	}
	return spent[0] / floodBeats, nil
}
