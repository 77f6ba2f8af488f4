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
	// calmTime is how long afterwards is watched: longer than the judge's threshold of 30 s.
	calmTime = 35 * time.Second
	// recovery is how soon all must be normal.
	recovery = 5 * time.Second
	// sampling is how often memory is read during an overload.
	sampling = 500 * time.Millisecond
	// defaultThreshold is the judge's.
	defaultThreshold = 30 * time.Second
	// prompt is how soon after it was sent a beat is judged when all is normal: up to two ticks, since a second
	// beat between two ticks waits for the next.
	prompt = 2 * time.Second
)

// load is an overload, and the calm after it.
type load struct {
	name   string
	zooids int
	rate   float64 // beats a second; 0: as fast as possible
	offers float64 // beats a second that must have been offered at least
	calm   float64 // beats a second afterwards
}

var loads = []load{
	{"1000 zooids as fast as they can", 1000, 0, 100_000, 100},
	{"200 000 zooids at 20 000 beats/s", 200_000, 20_000, 19_000, 10_000},
}

// overload measures what becomes of more beats than can be told one by one: what is received and what is
// not, whether anybody is lost or falsely found silent, the memory meanwhile, and how soon all is normal.
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

// outcome is what became of an overload.
type outcome struct {
	offered, refused   int     // of the overload alone
	sent               int     // and of the calm: what was offered and not refused
	messages, rejected float64 // as the sensor counts
	beats              float64 // as the judge was told
	lost               int     // zooids of which the bus took a beat, and the judge was never told
	gaps, falseGaps    int
	longest            time.Duration // for which the judge was told nothing of a zooid, in the overload
	idle, peak         float64       // bytes of sensor and judge
	recovered          time.Duration // when all was normal, after the end
}

func (o outcome) rows(l load) table {
	figure := "overload, " + l.name + ": "
	seconds := overloadTime.Seconds()
	offered, taken := float64(o.offered)/seconds, float64(o.offered-o.refused)/seconds
	unheard, untold := float64(o.sent)-o.messages, o.messages-o.rejected-o.beats
	return table{
		{figure + "beats offered, and taken by the bus", fmt.Sprintf("%.0f /s, %.0f /s", offered, taken), "", "",
			fmt.Sprintf("%.0f /s", l.offers), judged(offered >= l.offers)},
		{figure + "of those taken not received, rejected, not told to the judge", fmt.Sprintf("%.0f, %.0f, %.0f", unheard, o.rejected, untold),
			"", "", "0, 0, 0", judged(unheard == 0 && o.rejected == 0 && untold == 0)},
		{figure + "zooids lost, false gaps", fmt.Sprintf("%d, %d", o.lost, o.falseGaps), "", "", "0, 0", judged(o.lost == 0 && o.falseGaps == 0)},
		{figure + "gaps of zooids whose beats the bus had dropped", strconv.Itoa(o.gaps - o.falseGaps), "", "", "", told},
		{figure + "longest time without news of a zooid", fmt.Sprintf("%.1f s", o.longest.Seconds()), "", "", "", told},
		{figure + "memory (PSS) of sensor and judge before, at most", megabytes(o.idle) + ", " + megabytes(o.peak), "", "", "", told},
		{figure + "every beat told within 2 s again after", fmt.Sprintf("%.1f s", o.recovered.Seconds()), "", "",
			fmt.Sprintf("%.1f s", recovery.Seconds()), judged(o.recovered <= recovery)},
	}
}

// witness watches what the judge says.
type witness struct {
	taken []atomic.Int64 // the sender's

	mu        sync.Mutex // guards what follows
	heard     []time.Time
	longest   time.Duration // between two metrics of a zooid
	beats     float64
	gaps      map[string]bool // by zooid
	falseGaps int             // of which the bus had taken a beat within the threshold
	lastSlow  time.Time       // when a beat came last that was not judged promptly
	messages  float64         // of the latest report of the sensor
	rejected  float64
}

func (w *witness) take(line []byte) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch measurement(line) {
	case "chembus_heartbeat":
		w.beats += field(line, "beats")
		if float64(now.UnixMicro())/1e6-field(line, "sent") > prompt.Seconds() {
			w.lastSlow = now
		}
		zooid := zooidNumber(tag(line, "zooid"))
		if before := w.heard[zooid]; !before.IsZero() {
			w.longest = max(w.longest, now.Sub(before))
		}
		w.heard[zooid] = now
	case "liveness_gap":
		name := tag(line, "zooid")
		if w.gaps[name] {
			return
		}
		w.gaps[name] = true
		if now.Sub(time.Unix(0, w.taken[zooidNumber(name)].Load())) < defaultThreshold {
			w.falseGaps++
		}
	case "chembus_bus":
		w.messages = field(line, "messages")
		w.rejected = 0
		for _, reason := range bus.Rejects {
			w.rejected += field(line, "rejected_"+string(reason))
		}
	}
}

// withoutNews is the longest time so far between two metrics of a zooid.
func (w *witness) withoutNews() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.longest
}

// lost counts the zooids of which the bus took a beat, and the judge was told of none.
func (w *witness) lost() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	lost := 0
	for zooid := range w.heard {
		if w.taken[zooid].Load() > 0 && w.heard[zooid].IsZero() {
			lost++
		}
	}
	return lost
}

// overloadOptions let the judge report everybody once a minute, which is no part of the load, and tell of
// each gap by itself.
const overloadOptions = sensorOptions + `
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
	w := &witness{taken: s.taken, heard: make([]time.Time, l.zooids), gaps: make(map[string]bool)}
	p, err := b.startPipeline(fmt.Sprintf(overloadOptions, s.endpoint, l.zooids), w.take)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if err := s.waitSubscribers(ctx, 1); err != nil {
		return o, err
	}
	if err := sleep(ctx, settling); err != nil {
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
	o.longest = w.withoutNews()

	calm, refused, err := s.offer(ctx, calmTime, l.calm)
	if err != nil {
		return o, err
	}
	o.sent = o.offered - o.refused + calm - refused
	if err := p.account(ctx, w, o.sent); err != nil {
		return o, err
	}
	o.lost = w.lost()
	w.mu.Lock()
	defer w.mu.Unlock()
	o.messages, o.rejected, o.beats = w.messages, w.rejected, w.beats
	o.gaps, o.falseGaps = len(w.gaps), w.falseGaps
	o.recovered = max(w.lastSlow.Sub(ended), 0)
	b.say("  %s: %+v", l.name, o)
	return o, nil
}

// account waits until the books are balanced, or nothing changes any more.
func (p *pipeline) account(ctx context.Context, w *witness, sent int) error {
	for before := math.NaN(); ; {
		if err := p.sensor.ask(); err != nil {
			return err
		}
		if err := sleep(ctx, 2*time.Second); err != nil {
			return err
		}
		w.mu.Lock()
		messages, beats := w.messages, w.beats
		w.mu.Unlock()
		if now := messages + beats; now == 2*float64(sent) || now == before {
			return nil
		} else {
			before = now
		}
	}
}

// samplePeak keeps the most memory that the processes take until it is stopped.
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
