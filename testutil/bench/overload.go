package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	overloadTime = 30 * time.Second
	// calmTime is the time after the overload, longer than the threshold of 30 s.
	calmTime = 35 * time.Second
	// recovery is the budget for the time until all beats are prompt again.
	recovery = 5 * time.Second
	// sampling is the interval of memory readings during an overload.
	sampling = 500 * time.Millisecond
	// defaultThreshold is that of the processor.
	defaultThreshold = 30 * time.Second
	// prompt is the maximum time from the sending of a beat to its metric without an overload: up to two ticks, since a
	// second beat between two ticks waits for the next tick.
	prompt = 2 * time.Second
)

// load is an overload with the time after it.
type load struct {
	name   string
	zooids int
	rate   float64 // beats per second; 0: as fast as possible
	offers float64 // minimum of beats per second that must be offered
	calm   float64 // beats per second afterwards
}

var loads = []load{
	{"1000 zooids as fast as possible", 1000, 0, 100_000, 100},
	{"200 000 zooids at 20 000 beats/s", 200_000, 20_000, 19_000, 10_000},
}

// overload measures the effect of more beats than can be emitted one by one: the beats received and lost, zooids lost or
// falsely reported as silent, the memory, and the time until beats are prompt again.
func (b *bench) overload(ctx context.Context) (table, error) {
	var rows table
	for _, l := range loads {
		o, err := b.overloadWith(ctx, l)
		if err != nil {
			return nil, err
		}
		rows = append(rows, o.rows(l)...)
	}
	return rows, nil
}

// outcome is the outcome of an overload.
type outcome struct {
	offered, refused   int     // during the overload
	sent               int     // offered and not refused, during and after the overload
	messages, rejected float64 // counted by the input
	beats              float64 // counted by the processor
	lost               int     // zooids with a queued beat and no metric
	gaps, falseGaps    int
	longest            time.Duration // between two metrics of a zooid, during the overload
	idle, peak         float64       // memory of input and processor, in bytes
	recovered          time.Duration // from the end of the overload until all beats were prompt
}

func (o outcome) rows(l load) table {
	figure := "overload, " + l.name + ": "
	seconds := overloadTime.Seconds()
	offered, taken := float64(o.offered)/seconds, float64(o.offered-o.refused)/seconds
	notReceived, notProcessed := float64(o.sent)-o.messages, o.messages-o.rejected-o.beats
	return table{
		{figure + "beats offered, queued by the bus", fmt.Sprintf("%.0f /s, %.0f /s", offered, taken), "", "",
			fmt.Sprintf("%.0f /s", l.offers), within(offered >= l.offers)},
		{figure + "queued beats not received, rejected, not processed", fmt.Sprintf("%.0f, %.0f, %.0f", notReceived, o.rejected, notProcessed),
			"", "", "0, 0, 0", within(notReceived == 0 && o.rejected == 0 && notProcessed == 0)},
		{figure + "zooids lost, false gaps", fmt.Sprintf("%d, %d", o.lost, o.falseGaps), "", "", "0, 0", within(o.lost == 0 && o.falseGaps == 0)},
		{figure + "gaps of zooids whose beats the bus had dropped", strconv.Itoa(o.gaps - o.falseGaps), "", "", "", noBudget},
		{figure + "longest time without a metric of a zooid", fmt.Sprintf("%.1f s", o.longest.Seconds()), "", "", "", noBudget},
		{figure + "memory (PSS) of input and processor before, maximum", megabytes(o.idle) + ", " + megabytes(o.peak), "", "", "", noBudget},
		{figure + "time until every beat is processed within 2 s", fmt.Sprintf("%.1f s", o.recovered.Seconds()), "", "",
			fmt.Sprintf("%.1f s", recovery.Seconds()), within(o.recovered <= recovery)},
	}
}

// observer reads the metrics that the processor writes.
type observer struct {
	taken []atomic.Int64 // of the sender

	mu        sync.Mutex // guards what follows
	heard     []time.Time
	longest   time.Duration // between two metrics of a zooid
	beats     float64
	gaps      map[string]bool // by zooid
	falseGaps int             // of zooids with a beat queued within the threshold
	lastSlow  time.Time       // of the last beat that was not prompt
	messages  float64         // of the last chembus_bus, as rejected
	rejected  float64
}

func (o *observer) take(line []byte) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch measurement(line) {
	case "chembus_heartbeat":
		o.beats += field(line, "beats")
		if float64(now.UnixMicro())/1e6-field(line, "sent") > prompt.Seconds() {
			o.lastSlow = now
		}
		zooid := zooidNumber(tag(line, "zooid"))
		if before := o.heard[zooid]; !before.IsZero() {
			o.longest = max(o.longest, now.Sub(before))
		}
		o.heard[zooid] = now
	case "liveness_gap":
		name := tag(line, "zooid")
		if o.gaps[name] {
			return
		}
		o.gaps[name] = true
		if now.Sub(time.Unix(0, o.taken[zooidNumber(name)].Load())) < defaultThreshold {
			o.falseGaps++
		}
	case "chembus_bus":
		o.messages = field(line, "messages")
		o.rejected = 0
		for _, reason := range bus.Rejects {
			o.rejected += field(line, "rejected_"+string(reason))
		}
	}
}

// longestPause returns the longest time between two metrics of a zooid.
func (o *observer) longestPause() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.longest
}

// lost counts the zooids with a queued beat and no metric.
func (o *observer) lost() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	lost := 0
	for zooid := range o.heard {
		if o.taken[zooid].Load() > 0 && o.heard[zooid].IsZero() {
			lost++
		}
	}
	return lost
}

// overloadOptions reduce the load by reports, and make each gap an incident of its own.
const overloadOptions = inputOptions + `
[[processors.liveness]]
  report_interval = "1m"
  mass_count = 1000000
`

func (b *bench) overloadWith(ctx context.Context, l load) (o outcome, err error) {
	s, err := newSender(l.zooids)
	if err != nil {
		return o, err
	}
	defer s.close()
	w := &observer{taken: s.taken, heard: make([]time.Time, l.zooids), gaps: make(map[string]bool)}
	p, err := b.startPipeline(fmt.Sprintf(overloadOptions, s.endpoint, l.zooids), w.take)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if err := s.waitSubscribers(ctx, 1); err != nil {
		return o, err
	}
	if err := sleep(ctx, startupTime); err != nil {
		return o, err
	}
	if o.idle, err = memory(p.pids()...); err != nil {
		return o, err
	}
	stopSampling := samplePeak(ctx, p.pids(), &o.peak)
	o.offered, o.refused, err = s.offer(ctx, overloadTime, l.rate)
	ended := time.Now()
	if err := errors.Join(err, stopSampling()); err != nil {
		return o, err
	}
	o.longest = w.longestPause()

	calm, refused, err := s.offer(ctx, calmTime, l.calm)
	if err != nil {
		return o, err
	}
	o.sent = o.offered - o.refused + calm - refused
	if err := p.awaitCounts(ctx, w, o.sent); err != nil {
		return o, err
	}
	o.lost = w.lost()
	w.mu.Lock()
	defer w.mu.Unlock()
	o.messages, o.rejected, o.beats = w.messages, w.rejected, w.beats
	o.gaps, o.falseGaps = len(w.gaps), w.falseGaps
	o.recovered = max(w.lastSlow.Sub(ended), 0)
	b.logf("  %s: %+v", l.name, o)
	return o, nil
}

// awaitCounts waits until all sent beats are counted, or the counts do not change any more.
func (p *pipeline) awaitCounts(ctx context.Context, w *observer, sent int) error {
	for before := math.NaN(); ; {
		if err := p.input.gather(); err != nil {
			return err
		}
		if err := sleep(ctx, 2*time.Second); err != nil {
			return err
		}
		w.mu.Lock()
		messages, beats := w.messages, w.beats
		w.mu.Unlock()
		now := messages + beats
		if now == 2*float64(sent) || now == before {
			return nil
		}
		before = now
	}
}

// samplePeak stores the maximum memory of the processes in peak until it is stopped.
func samplePeak(ctx context.Context, pids []int, peak *float64) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() {
		for {
			held, err := memory(pids...)
			*peak = slices.Max([]float64{*peak, held})
			if err == nil {
				err = sleep(ctx, sampling)
			}
			if ctx.Err() != nil {
				err = nil
			} else if err == nil {
				continue
			}
			done <- err
			return
		}
	}()
	return func() error {
		cancel()
		return <-done
	}
}
