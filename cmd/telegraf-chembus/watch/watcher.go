// Package watch shows the state of the components on a bus without Telegraf: it runs the input and the processor in its
// own process and makes a table of their metrics.
//
// It changes nothing: it sends no heartbeats of its own, publishes no gaps and writes no state files. With the option
// probe, the default, the input sends its probe to a private topic. Only the probe distinguishes a quiet bus from a
// proxy that is connected and does not forward.
package watch

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/logger"
	"github.com/influxdata/telegraf/metric"

	"github.com/kloros/telegraf-chembus/cmd/telegraf-chembus/accumulator"
	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
	"github.com/kloros/telegraf-chembus/plugins/inputs/chembus"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// Watcher is a running input and processor, with a view of their metrics.
type Watcher struct {
	input     *chembus.ChemBus
	processor *liveness.Liveness
	output    outputFile
	tags      map[string]string // added to the input's metrics
	bus       map[string]string // tags of the bus that is shown
	started   time.Time
	fromInput telegraf.Accumulator
	found     telegraf.Accumulator // of the processor

	mu       sync.Mutex            // guards the processor and what follows
	state    liveness.Recollection // of the processor in Telegraf
	stateErr error
	view     *view
}

// Configure sets the options of an input for a watch, before its Init: it must not send heartbeats of its own.
func Configure(input *chembus.ChemBus) {
	input.AnnounceAs = ""
}

// Start starts a watch with an input, see Configure, and a processor, both initialized and not started. output is the
// state file of the output in Telegraf, empty if unknown. Stop it after use.
func Start(input *chembus.ChemBus, processor *liveness.Liveness, output string) (*Watcher, error) {
	endpoint, err := bus.SubscribeEndpoint(input.SubscribeEndpoint)
	if err != nil {
		return nil, err
	}
	w := &Watcher{
		input:     input,
		processor: processor,
		output:    outputFile{path: output},
		started:   time.Now(),
	}
	w.state, w.stateErr = processor.Recall()
	hostname, _ := os.Hostname() // after an error it is empty, as in Telegraf
	w.tags = busTags(w.state, endpoint, hostname)
	w.bus = ownBus(processor.Bus, w.tags, endpoint)
	w.view = newView(processor.Measurement, processor.Identity, processor.Bus, w.bus)
	w.fromInput = accumulator.Of(sink(w.process))
	w.found = accumulator.Of(sink(w.view.Add))
	if err := input.Start(w.fromInput); err != nil {
		return nil, err
	}
	return w, nil
}

// ownBus returns the tags of the bus that the input listens to: those of names that its metrics have.
func ownBus(names []string, tags map[string]string, endpoint string) map[string]string {
	own := make(map[string]string)
	for _, name := range names {
		if value, ok := tags[name]; ok {
			own[name] = value
		} else if name == "endpoint" {
			own[name] = endpoint
		}
	}
	return own
}

// process passes a metric of the input to the view and the processor. It may be called from several goroutines.
func (w *Watcher) process(m telegraf.Metric) {
	for name, value := range w.tags {
		m.AddTag(name, value) // as Telegraf does with host
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.view.Add(m)
	// The processor passes the metric on to the view; adding it twice does no harm.
	_ = w.processor.Add(m, w.found) // the error is always nil
}

// Snapshot returns the present state.
func (w *Watcher) Snapshot(now time.Time) (Snapshot, error) {
	if err := w.input.Gather(w.fromInput); err != nil {
		return Snapshot{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processor.Report(w.found, now)
	s := w.view.Snapshot(now)
	s.Bus.Known = w.readiness().known(s.Bus, now.Sub(w.started))
	s.Memory = w.memory(now)
	s.Output = w.output.read()
	s.Notes = append(s.Notes, notes(w.state, w.stateErr, w.bus, w.started)...)
	return s, nil
}

// memory returns what is known of the state file of the processor in Telegraf.
func (w *Watcher) memory(now time.Time) Memory {
	m := Memory{File: w.state.Path}
	if w.stateErr != nil {
		return m
	}
	if saved := statefile.Written(w.state.Path).UTC(); !saved.IsZero() {
		m.Saved, m.Fresh = &saved, now.Sub(saved) < freshFor
	}
	return m
}

// Once returns a snapshot as soon as enough was received for a correct one, or after the time in which it should have been.
func (w *Watcher) Once(ctx context.Context) (Snapshot, error) {
	r := w.readiness()
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		if err := w.input.Gather(w.fromInput); err != nil {
			return Snapshot{}, err
		}
		w.mu.Lock()
		b := w.view.bus
		w.mu.Unlock()
		if r.reached(b, time.Since(w.started)) {
			w.catchUp()
			return w.Snapshot(time.Now())
		}
		select {
		case <-ctx.Done():
			return Snapshot{}, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// catchUp loads the state of the running processor again if it was saved since the start of the watch: that processor
// has received all that the watch has, but for the beats since it saved.
func (w *Watcher) catchUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if fresh(w.state, w.started) && w.state.Outdated() {
		w.state, w.stateErr = w.processor.Recall()
	}
}

// lookInterval is how often Once checks whether it is ready.
const lookInterval = 50 * time.Millisecond

func (w *Watcher) readiness() readiness {
	r := readiness{
		interval: time.Duration(w.input.TickInterval),
		blind:    time.Duration(w.input.BlindAfter),
	}
	if !fresh(w.state, w.started) {
		r.observe = time.Duration(w.processor.ReportInterval)
	}
	return r
}

// readiness decides when Once has received enough.
type readiness struct {
	interval time.Duration // within which the input has evidence on a quiet bus, too
	blind    time.Duration // without evidence for this time the bus is not observable
	observe  time.Duration // observed time in which every component sends a heartbeat; 0: the state names them
}

// reached reports whether Once can return, that long after the start.
func (r readiness) reached(b Bus, elapsed time.Duration) bool {
	if elapsed >= r.interval+r.observe+r.blind {
		return true
	}
	forwards := !b.Probing || b.ProbeRTTS != nil // received beats do not prove that the bus takes what is published
	return b.Observable && forwards && elapsed >= r.interval && b.ObservedS >= r.observe.Seconds()
}

// known reports whether it can be said of the bus whether it is observable, that long after the start.
func (r readiness) known(b Bus, elapsed time.Duration) bool {
	return b.Observable || b.ObservedS > 0 || b.Disconnects > 0 || elapsed >= r.interval+r.blind
}

// Stop stops both plugins.
func (w *Watcher) Stop() {
	w.input.Stop()
	w.processor.Stop()
}

// sink is an accumulator.Taker that hands each metric on.
type sink func(telegraf.Metric)

// AddFields takes a metric.
func (s sink) AddFields(measurement string, fields map[string]any, tags map[string]string, t ...time.Time) {
	at := time.Now()
	if len(t) > 0 {
		at = t[0]
	}
	s(metric.New(measurement, tags, fields, at))
}

// AddMetric takes a metric.
func (s sink) AddMetric(m telegraf.Metric) { s(m) }

// AddError logs an error of a plugin.
func (sink) AddError(err error) {
	if err != nil {
		logger.New("", "watch", "").Errorf("Error in plugin: %v", err)
	}
}
