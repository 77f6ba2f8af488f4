// Package watch shows who is alive on the bus, without a Telegraf: it runs the sensor and the judge in its own
// process and makes a table of what they say.
//
// It reads only. It announces itself to nobody and publishes no gap, and the state files stay as they are. One
// thing it does send, if the options say so as they do by default: the sensor's probe, to a private topic to
// which nobody else subscribes. Only its return tells a quiet bus from a proxy that is connected and forwards
// nothing, and it is in such trouble that somebody looks.
package watch

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/agent"
	"github.com/influxdata/telegraf/logger"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/inputs/chembus"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// Watcher is a sensor and a judge at work, with a view of both.
type Watcher struct {
	sensor    *chembus.ChemBus
	judge     *liveness.Liveness
	endpoint  string
	host      string // of the sensor in whose place this one stands
	started   time.Time
	memory    liveness.Recollection
	memoryErr error
	heard     telegraf.Accumulator // takes what the sensor says
	judged    telegraf.Accumulator // takes what the judge says

	mu   sync.Mutex // guards the judge with what it recalls, and the view
	view *view
}

// Configure sets what a watch needs in a sensor that is not initialised yet: it must not be taken for a
// component.
func Configure(sensor *chembus.ChemBus) {
	sensor.AnnounceAs = ""
}

// Start begins to listen with a sensor that was configured, and a judge, both initialised and not started. Stop
// it after use.
func Start(sensor *chembus.ChemBus, judge *liveness.Liveness) (*Watcher, error) {
	endpoint, err := bus.SubscribeEndpoint(sensor.SubscribeEndpoint)
	if err != nil {
		return nil, err
	}
	w := &Watcher{
		sensor:   sensor,
		judge:    judge,
		endpoint: endpoint,
		started:  time.Now(),
		view:     newView(judge.Measurement, judge.Identity),
	}
	w.heard = agent.NewAccumulator(sink(w.hear), nil)
	w.judged = agent.NewAccumulator(sink(w.view.Add), nil)
	w.memory, w.memoryErr = judge.Recall()
	hostname, _ := os.Hostname() // without one there is only less to choose by
	w.host = stead(w.memory, endpoint, hostname)
	if err := sensor.Start(w.heard); err != nil {
		return nil, err
	}
	return w, nil
}

// hear takes a metric of the sensor. It may be called from several goroutines.
func (w *Watcher) hear(m telegraf.Metric) {
	if w.host != "" {
		m.AddTag("host", w.host) // as Telegraf does
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.view.Add(m)
	// The judge passes on what it was given, and the view has that already; seeing it twice does no harm.
	_ = w.judge.Add(m, w.judged) // it has no error to return
}

// Snapshot returns what there is to see now.
func (w *Watcher) Snapshot(now time.Time) (Snapshot, error) {
	if err := w.sensor.Gather(w.heard); err != nil {
		return Snapshot{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.judge.Report(w.judged, now)
	s := w.view.Snapshot(now)
	s.Memory.File = w.memory.Path
	if saved := w.memory.Saved.UTC(); !w.memory.Saved.IsZero() {
		s.Memory.Saved = &saved
	}
	s.Notes = append(s.Notes, notes(w.memory, w.memoryErr, liveness.Sensor{Host: w.host, Endpoint: w.endpoint}, w.started)...)
	return s, nil
}

// Once returns a snapshot as soon as enough was heard for one to be true, or it is plain that nothing will be.
func (w *Watcher) Once(ctx context.Context) (Snapshot, error) {
	p := w.patience()
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		if err := w.sensor.Gather(w.heard); err != nil {
			return Snapshot{}, err
		}
		w.mu.Lock()
		b := w.view.bus
		w.mu.Unlock()
		if p.Over(b, time.Since(w.started)) {
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

// catchUp takes over what the judge that works has found since the watch began. It has heard all that was heard
// here up to then, and so no more than the beats of the last moment are missing.
func (w *Watcher) catchUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	info, err := os.Stat(w.memory.Path)
	if err == nil && fresh(w.memory, w.started) && info.ModTime().After(w.memory.Saved) {
		w.memory, w.memoryErr = w.judge.Recall()
	}
}

// lookInterval is how often Once looks whether it has heard enough.
const lookInterval = 50 * time.Millisecond

func (w *Watcher) patience() patience {
	p := patience{
		interval: time.Duration(w.sensor.TickInterval),
		blind:    time.Duration(w.sensor.BlindAfter),
	}
	if !fresh(w.memory, w.started) {
		p.observe = time.Duration(w.judge.ReportInterval)
	}
	return p
}

// patience says when Once has heard enough.
type patience struct {
	interval time.Duration // in which a quiet bus gives evidence
	blind    time.Duration // without evidence for so long it cannot be heard
	observe  time.Duration // for how long the bus must have been heard; 0: it is known who is there
}

// Over reports whether it has.
func (p patience) Over(b Bus, listened time.Duration) bool {
	if listened >= p.interval+p.observe+p.blind {
		return true
	}
	proved := !b.Probing || b.ProbeRTTS != nil // beats alone do not tell that the way to the bus is open
	return b.Observable && proved && listened >= p.interval && b.ObservedS >= p.observe.Seconds()
}

// Stop ends the listening.
func (w *Watcher) Stop() {
	w.sensor.Stop()
	w.judge.Stop()
}

// sink is an accumulator's maker that keeps the metrics for itself, so that they never get to its channel.
type sink func(telegraf.Metric)

// LogName returns how the sink is called in the log.
func (sink) LogName() string { return "watch" }

// Log returns where errors of plugins go.
func (sink) Log() telegraf.Logger { return logger.New("", "watch", "") }

// MakeMetric takes a metric.
func (s sink) MakeMetric(m telegraf.Metric) telegraf.Metric {
	s(m)
	return nil
}
