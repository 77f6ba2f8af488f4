// Package liveness finds components that fell silent: it feeds the metrics of inputs.chembus to a detector for each
// bus and turns what the detectors find into metrics. It acts only inside Add: it has no goroutine and no timer, so the
// same metrics give the same result again.
package liveness

import (
	_ "embed"
	"strings"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/processors"

	"github.com/kloros/telegraf-chembus/plugins/common/glob"
	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
	"github.com/kloros/telegraf-chembus/plugins/common/logging"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

//go:embed sample.conf
var sampleConfig string

// The input's metrics that are no heartbeats.
const (
	tickMeasurement = "chembus_tick"
	busMeasurement  = "chembus_bus" // which is only passed on
	killMeasurement = "chembus_kill"
	stopMeasurement = "chembus_stop"
)

// Liveness is the processor's configuration and state.
type Liveness struct {
	Measurement        string          `toml:"measurement"`
	Bus                []string        `toml:"bus"`
	MaxBuses           int             `toml:"max_buses"`
	Identity           []string        `toml:"identity"`
	BlindAfter         config.Duration `toml:"blind_after"`
	RetireUnnamedAfter config.Duration `toml:"retire_unnamed_after"`
	UnnamedGaps        bool            `toml:"unnamed_gaps"`
	Adopt              bool            `toml:"adopt"`
	Phi                *float64        `toml:"phi"` // of versions before mistakes_per_year; has no effect
	StateFile          string          `toml:"state_file"`
	RuleOptions
	Overrides []*Override     `toml:"override"`
	Watches   []*Watch        `toml:"watch"`
	Log       telegraf.Logger `toml:"-"`

	ignored  glob.Globs
	rules    ruleSet
	expected expectations
	buses    *buses // nil before Init
	watches  watches
	renamed  renamed
	pipeline pipeline
	changes  changeLog
	maps     reportMaps

	namelessLogged  bool // that a heartbeat has no name
	ambiguousLogged bool // that it may be of several buses
	relearnLogged   bool // that the state has no rhythms

	statePath    string  // empty: nothing is kept
	standby      bool    // nothing is judged: the state file is not locked yet, or another instance has locked it
	copyLogged   bool    // that another instance has it, or that it cannot be used; events are not kept from then on
	early        []event // that came before the first tick
	earlyDropped int     // for want of room there
	badHoleLists logging.RateLimit
	store        *store           // nil: nothing is kept, or not yet
	now          func() time.Time // the time of the machine; only for watches, saving, the limits of log lines and missing ticks
}

// jumpsToLog is the number of ticks in a row, each after a jump or a restart of observed_s, at which a warning is logged.
const jumpsToLog = 10

// maxEarly bounds what is kept until the first tick, which comes within a second.
const maxEarly = 10_000

// SampleConfig returns the documented default configuration.
func (*Liveness) SampleConfig() string {
	return sampleConfig
}

// Init checks the options.
func (l *Liveness) Init() error {
	if err := l.checkOptions(); err != nil {
		return err
	}
	if l.Phi != nil {
		l.Log.Warnf("The option phi has no effect and can be removed: mistakes_per_year (%g) has replaced it", l.MistakesPerYear)
	}
	l.pipeline = pipeline{ticks: tickCheck{blindAfter: l.mostSilence() / 2}}
	l.changes = changeLog{log: l.Log}
	l.maps = reportMaps{tags: make(map[string]string), fields: make(map[string]any)}
	l.watches = watches{all: l.Watches, byName: make(map[string][]taker), started: l.now()}
	l.reset()
	return nil
}

// reset forgets all that is known.
func (l *Liveness) reset() {
	config := l.detectorConfig(l.ignored, l.rules)
	config.BlindAfter = time.Duration(l.BlindAfter)
	config.Identity = strings.Join(l.Identity, detector.KeySeparator)
	config.Expected = l.expected.everywhere
	l.renamed = renamed{}
	l.buses = &buses{
		tags: l.Bus, most: l.mostBuses, retireAfter: time.Duration(l.RetireAfter), mostSilence: l.mostSilence(), log: l.Log,
		byKey: make(map[string]*bus),
		create: func(key string) *detector.Detector {
			name := busName(valuesOf(key))
			id := name
			if strings.Contains(key, " ") {
				id = key // another bus can have the same name
			}
			d := detector.New(config, id)
			for _, key := range l.expected.on[name] {
				d.Expect(key, true)
			}
			return d
		},
	}
	for key := range l.expected.anywhere {
		l.expected.anywhere[key], l.expected.undecided = nil, true
	}
	for _, w := range l.Watches {
		w.reset()
	}
}

// Start finds the place of the state. The state itself is locked and loaded with the first tick. An instance that finds
// it locked passes all metrics on and tries again at each tick.
func (l *Liveness) Start(telegraf.Accumulator) error {
	return l.findState()
}

// event is what a metric says to a detector.
type event struct {
	kind detectorInput
	at   time.Time     // of the metric
	beat detector.Beat // of which a tick, a kill and a stop use a part
	// Of a tick, by the input's clock:
	killed  time.Duration // at the last kill signal; -1: there was none
	resumed time.Duration // at the end of the last maintenance; -1: there was none
	lasted  time.Duration // of that; not by that clock, which stood still
	// And how many holes there were in this run, and the last of them.
	holes  int
	listed []detector.Hole
	level  *detector.Level // if it is one

	// Only of one that is kept:
	key      string // of the bus
	complete bool   // whether the metric had all tags of it
}

// detectorInput is what a detector takes.
type detectorInput int

const (
	tick detectorInput = iota
	kill
	stop
	heartbeat
	level // of a gap
)

// Add takes one metric. Ticks of inputs.chembus end here, with adopt also gaps of other processors; everything else is
// passed on, followed by what was found.
func (l *Liveness) Add(m telegraf.Metric, acc telegraf.Accumulator) error {
	watched := l.watches.Read(m, l.now, l.Log)
	l.addToBus(m, acc)
	for i := range watched {
		e := &watched[i]
		if l.standby && (e.kind == tick || !l.copyLogged) {
			l.takeOver(acc, nil)
		}
		if !l.standby {
			l.feedWatch(acc, e)
		}
	}
	return nil
}

// addToBus passes a metric on and takes what it says to the detector of a bus.
func (l *Liveness) addToBus(m telegraf.Metric, acc telegraf.Accumulator) {
	if l.Adopt && m.Name() == livenessgap.Name {
		l.addLevel(m, acc)
		return
	}
	e, judged := l.read(m)
	if judged && e.kind == tick {
		l.pipeline.Ticked(l.arrived())
	} else if l.pipeline.Look(m, l.Measurement, l.arrived) {
		l.warnOfPipeline(m.Name())
	}
	var key []byte
	var complete bool
	if judged {
		key, complete = l.buses.Key(m)
	}
	if judged && e.kind == tick {
		m.Drop()
	} else {
		if m.Name() == busMeasurement {
			l.addUnjudged(m)
		}
		acc.AddMetric(m) // it belongs to Telegraf from now on
	}
	if !judged {
		return
	}
	if l.standby {
		if e.kind != tick {
			l.keep(key, complete, e)
			return
		}
		e.key, e.complete = string(key), complete
		if l.takeOver(acc, &e); l.standby {
			return
		}
		key = []byte(e.key)
	}
	l.undoRenamed(acc, key, &e)
	if b := l.busOf(acc, key, complete, &e); b != nil {
		l.feed(acc, b, &e)
	}
}

// busOf returns the bus that an event is of; nil if there is no room for it.
func (l *Liveness) busOf(acc telegraf.Accumulator, key []byte, complete bool, e *event) *bus {
	if e.kind == level {
		return l.buses.withLevels(string(key), e.level.Open)
	}
	if !complete && e.kind != tick {
		candidates := l.buses.Candidates(key, l.renamed.former)
		if len(candidates) == 1 {
			return candidates[0]
		}
		if len(candidates) > 1 {
			return l.knownOn(candidates, e)
		}
	}
	b, evicted := l.buses.FindOrAdd(key, complete, e.at)
	if evicted != nil { // its gaps would stay open otherwise
		if l.store != nil {
			l.store.Removed(evicted)
		}
		for _, c := range evicted.detector.Snapshot().Components {
			l.report(acc, evicted, evicted.detector.Remove(c.Key, false), e)
		}
		l.forgetExpectations(evicted)
		if evicted == l.renamed.former || evicted == l.renamed.heir {
			l.renamed = renamed{}
		}
	}
	return b
}

// knownOn returns the only one of some buses on which the component of an event is known; nil if it is known on none, or
// on several.
func (l *Liveness) knownOn(several []*bus, e *event) *bus {
	var only *bus
	for _, b := range several {
		if e.beat.Key == "" || !b.detector.IsSeen(e.beat.Key) {
			continue
		}
		if only != nil {
			only = nil
			break
		}
		only = b
	}
	if only == nil && !l.ambiguousLogged {
		l.ambiguousLogged = true
		l.Log.Warnf("Metrics that lack a tag that bus = [\"%s\"] names are not judged, such as one of %q: it may be of the bus %q or %q. "+
			"Let their input set the tags, or name in bus those that all inputs set",
			strings.Join(l.Bus, `", "`), detector.Name(e.beat.Key), several[0].name(), several[1].name())
	}
	return only
}

// mostBuses is how many buses are kept. Another name of the only one that was known needs room beside it.
func (l *Liveness) mostBuses() int {
	if l.renamed.former != nil {
		return max(l.MaxBuses, 2)
	}
	return l.MaxBuses
}

// feed hands an event to the detector of a bus, and adds what was found.
func (l *Liveness) feed(acc telegraf.Accumulator, b *bus, e *event) {
	switch e.kind {
	case tick:
		if b.watch == nil {
			l.expectOn(b)
		}
		b.detector.Holes(e.beat.Run, e.beat.Observed, e.at, e.holes, e.listed)
		if e.killed >= 0 {
			l.kill(acc, b, e, e.killed)
		}
		if e.resumed >= 0 {
			b.detector.Resume(e.beat.Run, e.resumed, e.lasted)
		}
		l.report(acc, b, b.detector.Tick(e.beat.Run, e.beat.Observed), e)
		if b.watch == nil {
			b.ticks.Tick(l.arrived())
			l.checkRenamed(acc, b, e)
			l.checkExpected()
		}
		l.changes.Flush()
		l.warn(b)
		if l.store != nil {
			l.store.Tick(b)
		}
	case kill:
		l.kill(acc, b, e, e.beat.Observed)
	case stop:
		l.report(acc, b, b.detector.Stop(e.beat.Key, e.beat.Run, e.beat.Observed), e)
	case heartbeat:
		l.report(acc, b, b.detector.Beat(&e.beat), e)
		if b.watch == nil {
			l.checkTicks(b)
		}
	case level:
		l.adopt(acc, b, e)
	}
}

// kill takes a kill signal.
func (l *Liveness) kill(acc telegraf.Accumulator, b *bus, e *event, observed time.Duration) {
	found := b.detector.Kill(e.beat.Run, observed)
	if len(found) > 0 && l.saves(b) {
		l.store.Killed(b)
	}
	l.report(acc, b, found, e)
}

// warn logs what keeps a detector from finding silence in time.
func (l *Liveness) warn(b *bus) {
	jumps := b.detector.Jumps()
	if jumps == jumpsToLog && jumps != b.jumps && b.watch == nil { // the same number again: the tick was a copy
		l.Log.Warnf("Silence on the bus %q is found late, or never: before each of the last %d ticks observed_s went on "+
			"by more than blind_after, %v, or began anew. "+
			"Set blind_after above the tick_interval of inputs.chembus, or find out what delays its metrics, or whether several inputs report this bus",
			b.name(), jumpsToLog, time.Duration(l.BlindAfter))
	}
	b.jumps = jumps
	l.warnOfUnjudged(b)
	if refused := b.detector.Refused(); refused > b.refused && b.refusals.Allow(l.now()) {
		l.Log.Warnf("%d heartbeats of new components of %s were dropped: max_components = %d are known, and each of them beats. "+
			"Raise max_components, or see who sends so many names", refused-b.refused, b.title(), l.mostComponents(b))
		b.refused = refused
	}
	if b.detector.Duplicate() && !b.warned {
		b.warned = true
		l.Log.Warnf("Two inputs report the bus %q; only one of them is judged. Let one input report it, or give them different tags "+
			"and name these in bus", b.name())
	}
}

// mostComponents is how many components of a bus, or of a watch, are kept.
func (l *Liveness) mostComponents(b *bus) int {
	if b.watch != nil {
		return b.watch.MaxComponents
	}
	return l.MaxComponents
}

// keep keeps an event until the state is loaded.
func (l *Liveness) keep(key []byte, complete bool, e event) {
	switch {
	case l.copyLogged:
	case len(l.early) == maxEarly:
		l.earlyDropped++
	default:
		e.key, e.complete = string(key), complete
		l.early = append(l.early, e)
	}
}

// Stop saves the state, and logs what has not been logged yet. Metrics must not be added here: the shim
// has closed its channel by now.
func (l *Liveness) Stop() {
	l.changes.Flush()
	l.closeState()
}

func init() {
	processors.AddStreaming("liveness", func() telegraf.StreamingProcessor {
		return &Liveness{
			Measurement:        "chembus_heartbeat",
			Bus:                []string{"host", "endpoint"},
			MaxBuses:           10_000,
			Identity:           []string{"zooid"},
			BlindAfter:         config.Duration(3 * time.Second),
			RetireUnnamedAfter: config.Duration(10 * time.Minute),
			RuleOptions:        defaultRules(),
			now:                time.Now,
		}
	})
}
