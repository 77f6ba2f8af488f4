// Package liveness is the judge's seat in Telegraf: it feeds the metrics of the sensor to the judge
// and turns the judge's findings into metrics. It acts only inside Add: it has no goroutine, no timer
// and no clock, so a recorded stream gives the same verdicts again.
package liveness

import (
	_ "embed"
	"math"
	"strings"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/processors"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/judge"
)

//go:embed sample.conf
var sampleConfig string

// The sensor's metrics that are no heartbeats.
const (
	tickMeasurement = "chembus_tick"
	killMeasurement = "chembus_kill"
)

// Liveness is the processor's configuration and state.
type Liveness struct {
	Measurement        string           `toml:"measurement"`
	Identity           []string         `toml:"identity"`
	Threshold          config.Duration  `toml:"threshold"`
	LateAfter          *config.Duration `toml:"late_after"`
	BlindAfter         config.Duration  `toml:"blind_after"`
	ReportInterval     config.Duration  `toml:"report_interval"`
	Ignore             []string         `toml:"ignore"`
	Expected           []string         `toml:"expected"`
	ExpectWithin       config.Duration  `toml:"expect_within"`
	RetireAfter        config.Duration  `toml:"retire_after"`
	RetireUnnamedAfter config.Duration  `toml:"retire_unnamed_after"`
	UnnamedGaps        bool             `toml:"unnamed_gaps"`
	MassCount          int              `toml:"mass_count"`
	MassWindow         config.Duration  `toml:"mass_window"`
	FlapCount          int              `toml:"flap_count"`
	FlapWindow         config.Duration  `toml:"flap_window"`
	Adaptive           bool             `toml:"adaptive"`
	Phi                float64          `toml:"phi"`
	MinThreshold       config.Duration  `toml:"min_threshold"`
	MaxThreshold       config.Duration  `toml:"max_threshold"`
	StateFile          string           `toml:"state_file"`
	Overrides          []*Override      `toml:"override"`
	Log                telegraf.Logger  `toml:"-"`

	ignored globs
	rules   ruleSet
	judge   *judge.Judge // nil before Init
	changes changeLog

	namelessTold bool // that a heartbeat has no name

	statePath   string  // empty: nothing is kept
	standby     bool    // nobody is judged: the state is not locked yet, or by another copy
	standbyTold bool    // that it is another copy's
	early       []early // heard before the first tick
	earlyLost   int     // for want of room there
	state       *statefile.File
	news        bool          // since it was saved
	saved       time.Duration // when, in observed time
	saveTook    time.Duration
	saveFailed  bool
}

// leapsToTell is after how many ticks in a row with leaps before them the operator is told.
const leapsToTell = 10

// early is what the judge was to be told before the state was loaded.
type early struct {
	tell func() []judge.Finding
	at   time.Time
}

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
	l.judge = judge.New(l.judgeConfig())
	l.changes = changeLog{log: l.Log}
	return nil
}

// Start finds the place of the state. The state itself is locked and loaded with the first tick; a copy
// that finds it locked stands by.
func (l *Liveness) Start(telegraf.Accumulator) error {
	return l.findState()
}

// Add takes one metric. Ticks end here, everything else is passed on, followed by what it made the
// judge find.
func (l *Liveness) Add(m telegraf.Metric, acc telegraf.Accumulator) error {
	observed, timed := seconds(m, "observed_s")
	if !timed {
		acc.AddMetric(m)
		return nil
	}
	at := m.Time() // once it is passed on a metric belongs to others
	switch m.Name() {
	case tickMeasurement:
		if l.standby {
			l.takeOver(acc)
		}
		if l.standby {
			m.Drop()
			return nil
		}
		from := sensorOf(m)
		l.report(acc, l.judge.Tick(from, observed), at)
		l.changes.Flush()
		if l.judge.Leaps(from) == leapsToTell {
			l.Log.Warnf("What sensor %q hears is judged late, or never: before each of its last %d ticks its clock leapt by more than "+
				"blind_after, %v. Use a blind_after longer than the tick_interval of inputs.chembus, or see what holds its metrics up",
				from, leapsToTell, time.Duration(l.BlindAfter))
		}
		m.Drop()
		l.saveIfDue()
	case killMeasurement:
		from := sensorOf(m)
		acc.AddMetric(m)
		if l.standby {
			l.later(at, func() []judge.Finding { return l.judge.Kill(from, observed) })
			return nil
		}
		l.report(acc, l.judge.Kill(from, observed), at)
	case l.Measurement:
		beat, ok := l.beat(m, observed)
		acc.AddMetric(m)
		switch {
		case !ok:
		case l.standby:
			kept := beat
			l.later(at, func() []judge.Finding { return l.judge.Beat(&kept) })
		default:
			l.report(acc, l.judge.Beat(&beat), at)
		}
	default:
		acc.AddMetric(m)
	}
	return nil
}

// later keeps what the judge is to be told as soon as it knows what it knew before.
func (l *Liveness) later(at time.Time, tell func() []judge.Finding) {
	switch {
	case l.standbyTold:
	case len(l.early) == maxEarly:
		l.earlyLost++
	default:
		l.early = append(l.early, early{tell: tell, at: at})
	}
}

// Stop saves the state, and says what has not been said yet. Metrics must not be added here: the shim
// has closed its channel by now.
func (l *Liveness) Stop() {
	l.changes.Flush()
	l.closeState()
}

// beat reads a heartbeat; false if it is of nobody who is to be judged.
func (l *Liveness) beat(m telegraf.Metric, observed time.Duration) (judge.Beat, bool) {
	key, ok := l.key(m)
	if !ok && !l.namelessTold {
		l.namelessTold = true
		l.Log.Warnf("A metric %q is of nobody, and not judged, for it lacks a tag that identity = [\"%s\"] names. Name the tags that its sensor sets",
			m.Name(), strings.Join(l.Identity, `", "`))
	}
	if !ok || l.ignored.Match(judge.Name(key)) {
		return judge.Beat{}, false
	}
	niche, _ := m.GetTag("niche")
	host, _ := m.GetTag("host")
	return judge.Beat{
		Sensor:   sensorOf(m),
		Host:     host,
		Key:      key,
		Niche:    niche,
		Observed: observed,
		LastSeen: number(m, "sent", float64(m.Time().UnixNano())/1e9),
		// A heartbeat that does not say how many it stands for is one.
		Beats:  count(m, "beats", 1),
		Starts: count(m, "starts", 0),
	}, true
}

// key joins the tags that tell components apart; false if one of them is missing.
func (l *Liveness) key(m telegraf.Metric) (string, bool) {
	if len(l.Identity) == 1 {
		value, _ := m.GetTag(l.Identity[0])
		return storable(value), value != ""
	}
	values := make([]string, len(l.Identity))
	for i, tag := range l.Identity {
		if values[i], _ = m.GetTag(tag); values[i] == "" {
			return "", false
		}
	}
	return storable(strings.Join(values, judge.KeySeparator)), true
}

// storable is a name as the state file gives it back.
func storable(name string) string {
	return strings.ToValidUTF8(name, "\uFFFD")
}

// sensorOf names the sensor that a metric comes from: each has a clock of its own.
func sensorOf(m telegraf.Metric) string {
	host, _ := m.GetTag("host")
	endpoint, _ := m.GetTag("endpoint")
	return storable(host + " " + endpoint)
}

// seconds reads a duration in seconds; false if the metric has none.
func seconds(m telegraf.Metric, field string) (time.Duration, bool) {
	s := number(m, field, -1)
	if s < 0 || s > maxSeconds {
		return 0, false
	}
	// Cutting off instead would turn a silence as long as the threshold into a longer one.
	return time.Duration(math.Round(s * float64(time.Second))), true
}

// maxSeconds is well within what a time.Duration can hold.
const maxSeconds = float64(math.MaxInt64/time.Second) / 2

// count reads how many there were of something.
func count(m telegraf.Metric, field string, missing int) int {
	return int(min(max(number(m, field, float64(missing)), 0), math.MaxInt32))
}

// number reads a field of any numeric type; without one that is finite it returns what stands for
// missing.
func number(m telegraf.Metric, field string, missing float64) float64 {
	v, _ := m.GetField(field)
	switch n := v.(type) {
	case int64:
		return float64(n)
	case uint64:
		return float64(n)
	case float64:
		if !math.IsNaN(n) && !math.IsInf(n, 0) {
			return n
		}
	}
	return missing
}

func init() {
	processors.AddStreaming("liveness", func() telegraf.StreamingProcessor {
		return &Liveness{
			Measurement:        "chembus_heartbeat",
			Identity:           []string{"zooid"},
			Threshold:          config.Duration(30 * time.Second),
			BlindAfter:         config.Duration(3 * time.Second),
			ReportInterval:     config.Duration(10 * time.Second),
			ExpectWithin:       config.Duration(time.Minute),
			RetireAfter:        config.Duration(24 * time.Hour),
			RetireUnnamedAfter: config.Duration(10 * time.Minute),
			MassCount:          5,
			MassWindow:         config.Duration(10 * time.Second),
			FlapCount:          5,
			FlapWindow:         config.Duration(10 * time.Minute),
			Phi:                8,
			MinThreshold:       config.Duration(5 * time.Second),
			MaxThreshold:       config.Duration(2 * time.Minute),
		}
	})
}
