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
	// settling is how long a process has to be done with its start.
	settling = 300 * time.Millisecond
	// floodLimit is how long a flood may take; it is not what it should take.
	floodLimit = 3 * time.Minute
)

// sensorOptions let a sensor hear the sender, with which there is no way back for a probe.
const sensorOptions = `
[[inputs.chembus]]
  subscribe_endpoint = %q
  publish_endpoint = "none"
  max_zooids = %d
`

// receive measures the CPU that a heartbeat takes while 1000 zooids flood: the sensor's, the raw loop's and
// the Python daemon's, one after the other.
func (b *bench) receive(ctx context.Context) (table, error) {
	s, err := newSender(floodZooids)
	if err != nil {
		return nil, err
	}
	defer s.close()
	contestants := []func(endpoint string) (contestant, error){b.rawContestant, b.sensorContestant, b.monitorContestant}
	var raw, sensor, monitor, toRaw, toMonitor []float64
	for round := range rounds {
		var cost [3]float64
		for i, start := range contestants {
			if cost[i], err = floodOne(ctx, s, start); err != nil {
				return nil, err
			}
		}
		b.say("  round %d: raw loop %s, sensor %s, Python %s", round+1, micros(cost[0]), micros(cost[1]), micros(cost[2]))
		raw, sensor, monitor = append(raw, cost[0]), append(sensor, cost[1]), append(monitor, cost[2])
		toRaw, toMonitor = append(toRaw, cost[1]/cost[0]), append(toMonitor, cost[1]/cost[2])
	}
	figure := "sensor, CPU a beat, 1000 zooids flooding"
	return table{
		{figure, micros(median(sensor)), "raw loop " + micros(median(raw)), times(median(toRaw)), "3.2×", judged(median(toRaw) <= 3.2)},
		{figure, micros(median(sensor)), "Python " + micros(median(monitor)), times(median(toMonitor)), "0.33×", judged(median(toMonitor) <= 0.33)},
	}, nil
}

// contestant is a process that receives, and tells when it has received the whole flood.
type contestant struct {
	pid      int
	received func() bool
	stop     func() error
}

func (b *bench) rawContestant(endpoint string) (contestant, error) {
	return peerContestant(b.startRawLoop(endpoint, floodBeats))
}

func (b *bench) monitorContestant(endpoint string) (contestant, error) {
	return peerContestant(b.startMonitor(endpoint, floodBeats))
}

func peerContestant(p peer, err error) (contestant, error) {
	if err != nil {
		return contestant{}, err
	}
	return contestant{p.Pid(), p.received.Load, p.stop}, nil
}

// sensorContestant is the sensor with its output drained.
func (b *bench) sensorContestant(endpoint string) (contestant, error) {
	var beats atomic.Int64
	p, err := b.startPlugin("input", fmt.Sprintf(sensorOptions, endpoint, floodZooids), nil, &lines{take: func(line []byte) {
		if measurement(line) == "chembus_heartbeat" {
			beats.Add(int64(field(line, "beats")))
		}
	}})
	if err != nil {
		return contestant{}, err
	}
	return contestant{p.Pid(), func() bool { return beats.Load() >= floodBeats }, p.stop}, nil
}

// floodOne returns the CPU seconds a beat of the flood that a contestant takes.
func floodOne(ctx context.Context, s *sender, start func(endpoint string) (contestant, error)) (cost float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, floodLimit)
	defer cancel()
	c, err := start(s.endpoint)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := s.waitSubscribers(ctx, 1); err != nil {
		return 0, err
	}
	if err := sleep(ctx, settling); err != nil {
		return 0, err
	}
	spent, err := spending([]int{c.pid}, func() error {
		if err := s.send(ctx, floodBeats, 0); err != nil {
			return err
		}
		return await(ctx, "the whole flood was received", c.received)
	})
	if err != nil {
		return 0, err
	}
	return spent[0] / floodBeats, nil
}
