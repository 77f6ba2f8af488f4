package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

const (
	// threshold is a third of the default, to shorten the bench.
	threshold = 10 * time.Second
	// daemonPoll is the Python daemon's interval of checks, that for the default threshold.
	daemonPoll   = 15 * time.Second
	daemonSignal = "POLLED_GAP"
	ourSignal    = "CAPABILITY_GAP"

	// In each series seriesKills zooids die within a time shorter than the threshold, so none of them is heard while
	// their deadlines pass. Each series begins at another phase of the daemon's checks.
	seriesKills = 40
	seriesTime  = 8 * time.Second
	seriesCount = 3
	seriesApart = 20 * time.Second

	// A busy bus has this many other zooids.
	busyZooids   = 1000
	busyInterval = 10 * time.Second

	// gapTimeout is how long after the last deadline the bench waits for gaps.
	gapTimeout = daemonPoll + 15*time.Second
)

// delayOptions change no option that affects the delay. With mass_count out of reach, each death is an incident of its own.
const delayOptions = `
[[inputs.chembus]]
  announce_as = ""

[[processors.liveness]]
  threshold = "10s"
  mass_count = 1000000

[[outputs.chembus]]
`

// delay measures the time from a zooid's deadline until a subscriber receives the gap, through a Telegraf with the drop-in,
// on a quiet and on a busy bus; compared with the Python daemon's for the same deaths.
func (b *bench) delay(ctx context.Context) (table, error) {
	var rows table
	for _, bus := range []struct {
		name   string
		zooids int
		budget float64
	}{{"quiet", 0, 1.2}, {"busy", busyZooids, 0.1}} {
		ours, theirs, err := b.delayOn(ctx, bus.zooids)
		if err != nil {
			return nil, err
		}
		kills := seriesCount * seriesKills
		b.logf("  %s bus, %d kills: %s; Python: %s", bus.name, kills, distribution(ours), distribution(theirs))
		rows = append(rows,
			row{fmt.Sprintf("delay past the deadline, %s bus, p99 of %d kills", bus.name, kills), seconds(quantile(ours, 0.99)),
				"Python " + seconds(quantile(theirs, 0.99)), times(quantile(ours, 0.99) / quantile(theirs, 0.99)),
				seconds(bus.budget), within(quantile(ours, 0.99) <= bus.budget)},
			row{fmt.Sprintf("delay past the deadline, %s bus, mean", bus.name), seconds(mean(ours)),
				"Python " + seconds(mean(theirs)), times(mean(ours) / mean(theirs)), "", noBudget},
		)
	}
	return rows, nil
}

func distribution(delays []float64) string {
	return fmt.Sprintf("mean %s, median %s, p90 %s, p99 %s, max %s", seconds(mean(delays)), seconds(median(delays)),
		seconds(quantile(delays, 0.9)), seconds(quantile(delays, 0.99)), seconds(slices.Max(delays)))
}

// delayOn returns our delays and the daemon's, in seconds, on a bus with that many other zooids.
func (b *bench) delayOn(ctx context.Context, others int) (ours, theirs []float64, err error) {
	s, err := b.newStage(ctx, delayOptions, "--signal", daemonSignal,
		"--threshold", fmt.Sprint(threshold.Seconds()), "--poll", fmt.Sprint(daemonPoll.Seconds()))
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return nil, nil, err
	}
	var listeners [2]*consumer.Consumer
	for i, signal := range []string{ourSignal, daemonSignal} {
		if listeners[i], err = s.listen(signal); err != nil {
			return nil, nil, err
		}
		defer func() { err = errors.Join(err, listeners[i].Close()) }()
	}
	beating, stop := context.WithCancel(ctx)
	defer stop()
	if others > 0 {
		wait := s.beatInTurn(beating, others, busyInterval)
		defer func() {
			stop()
			err = errors.Join(err, wait())
		}()
	}

	deadlines, err := s.kill(ctx)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, gapTimeout)
	defer cancel()
	var delays [2][]float64
	for i, listener := range listeners {
		if delays[i], err = delaysOf(ctx, listener, deadlines); err != nil {
			return nil, nil, fmt.Errorf("%w; the log of Telegraf:\n%s", err, s.telegraf.Output())
		}
	}
	return delays[0], delays[1], nil
}

// kill sends the last beat of each zooid, and returns the deadline of each.
func (s *stage) kill(ctx context.Context) (map[string]time.Time, error) {
	deadlines := make(map[string]time.Time)
	random := rand.New(rand.NewPCG(1, 1))
	start := time.Now()
	for n := range seriesCount {
		for k := range seriesKills {
			// At a random time within each of seriesKills equal parts.
			part := seriesTime / seriesKills
			at := time.Duration(n)*seriesApart + time.Duration(k)*part + time.Duration(random.Int64N(int64(part)))
			if err := sleep(ctx, time.Until(start.Add(at))); err != nil {
				return nil, err
			}
			name := fmt.Sprintf("victim_%d_%d", n, k)
			deadlines[name] = time.Now().Add(threshold)
			if err := s.beat(name); err != nil {
				return nil, err
			}
		}
	}
	return deadlines, sleep(ctx, threshold)
}

// delaysOf waits until the consumer has received a gap for each deadline, and returns the delays in seconds.
func delaysOf(ctx context.Context, listener *consumer.Consumer, deadlines map[string]time.Time) ([]float64, error) {
	received := make(map[string]time.Time)
	err := listener.Wait(ctx, func(messages []consumer.Message) bool {
		for _, m := range messages {
			name, _ := m.Facts["zooid"].(string)
			if _, died := deadlines[name]; died && received[name].IsZero() {
				received[name] = m.Received
			}
		}
		return len(received) == len(deadlines)
	})
	if err != nil {
		return nil, err
	}
	var delays []float64
	for name, deadline := range deadlines {
		delays = append(delays, received[name].Sub(deadline).Seconds())
	}
	return delays, nil
}
