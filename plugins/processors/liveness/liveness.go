// Package liveness is the judge's seat in Telegraf: it feeds the metrics of the sensor to the judge
// and turns the judge's findings into metrics. It acts only inside Add: it has no goroutine, no timer
// and no clock, so a recorded stream gives the same verdicts again.
package liveness

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/filter"
	"github.com/influxdata/telegraf/plugins/processors"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
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
	Measurement    string           `toml:"measurement"`
	Identity       []string         `toml:"identity"`
	Threshold      config.Duration  `toml:"threshold"`
	LateAfter      *config.Duration `toml:"late_after"`
	BlindAfter     config.Duration  `toml:"blind_after"`
	ReportInterval config.Duration  `toml:"report_interval"`
	Ignore         []string         `toml:"ignore"`
	Log            telegraf.Logger  `toml:"-"`

	ignored  filter.Filter
	judge    *judge.Judge
	subjects map[string]*subject
	changes  changeLog
}

// subject is how a component of the judge looks as a metric.
type subject struct {
	name  string
	niche string
	tags  map[string]string // identity and host
}

// SampleConfig returns the documented default configuration.
func (*Liveness) SampleConfig() string {
	return sampleConfig
}

// Init checks the options.
func (l *Liveness) Init() error {
	lateAfter := l.Threshold / 2
	if l.LateAfter != nil {
		lateAfter = *l.LateAfter
	}
	for _, d := range []struct {
		name  string
		value config.Duration
	}{
		{"threshold", l.Threshold},
		{"late_after", lateAfter},
		{"blind_after", l.BlindAfter},
		{"report_interval", l.ReportInterval},
	} {
		if d.value < config.Duration(time.Millisecond) {
			return option.TooSmall(d.name, time.Duration(d.value), time.Millisecond)
		}
	}
	if lateAfter > l.Threshold {
		return &option.Error{
			Name:    "late_after",
			Problem: fmt.Sprintf("%q is above the threshold of %q", time.Duration(lateAfter), time.Duration(l.Threshold)),
			Allowed: "use at most the threshold, or leave it out for half of it",
		}
	}
	if l.Measurement == "" {
		return &option.Error{Name: "measurement", Problem: "is empty", Allowed: `name the metric that carries heartbeats, such as "chembus_heartbeat"`}
	}
	if len(l.Identity) == 0 || slices.Contains(l.Identity, "") {
		return &option.Error{Name: "identity", Problem: "is empty or names an empty tag", Allowed: `name the tags that tell components apart, such as ["zooid"]`}
	}
	var err error
	if l.ignored, err = filter.Compile(l.Ignore); err != nil {
		return &option.Error{Name: "ignore", Problem: err.Error(), Allowed: `use globs such as ["test_*"]`}
	}
	l.judge = judge.New(judge.Config{
		Threshold:      time.Duration(l.Threshold),
		LateAfter:      time.Duration(lateAfter),
		BlindAfter:     time.Duration(l.BlindAfter),
		ReportInterval: time.Duration(l.ReportInterval),
	})
	l.subjects = make(map[string]*subject)
	l.changes = changeLog{log: l.Log}
	return nil
}

// Start has nothing to start.
func (*Liveness) Start(telegraf.Accumulator) error {
	return nil
}

// Add takes one metric. Ticks end here, everything else is passed on, followed by what it made the
// judge find.
func (l *Liveness) Add(m telegraf.Metric, acc telegraf.Accumulator) error {
	observed, timed := seconds(m, "observed_s")
	at := m.Time() // once it is passed on a metric belongs to others
	switch {
	case !timed:
		acc.AddMetric(m)
	case m.Name() == tickMeasurement:
		l.report(acc, l.judge.Tick(observed), at)
		l.changes.Flush()
		m.Drop()
	case m.Name() == killMeasurement:
		acc.AddMetric(m)
		l.report(acc, l.judge.Kill(observed), at)
	case m.Name() == l.Measurement:
		beat, ok := l.beat(m, observed)
		acc.AddMetric(m)
		if ok {
			l.report(acc, l.judge.Beat(beat), at)
		}
	default:
		acc.AddMetric(m)
	}
	return nil
}

// Stop says what has not been said yet. Metrics must not be added here: the shim has closed its channel
// by now.
func (l *Liveness) Stop() {
	l.changes.Flush()
}

// beat reads a heartbeat; false if it is of nobody who is to be judged.
func (l *Liveness) beat(m telegraf.Metric, observed time.Duration) (judge.Beat, bool) {
	values := make([]string, 0, len(l.Identity))
	for _, tag := range l.Identity {
		value, ok := m.GetTag(tag)
		if !ok {
			return judge.Beat{}, false
		}
		values = append(values, value)
	}
	key := strings.Join(values, "\x1f")
	s, known := l.subjects[key]
	if !known {
		s = &subject{name: strings.Join(values, "/"), tags: make(map[string]string, len(values)+1)}
		if l.ignored != nil && l.ignored.Match(s.name) {
			return judge.Beat{}, false
		}
		for i, tag := range l.Identity {
			s.tags[tag] = values[i]
		}
		if host, ok := m.GetTag("host"); ok {
			s.tags["host"] = host
		}
		l.subjects[key] = s
	}
	s.niche, _ = m.GetTag("niche")
	return judge.Beat{
		Key:      key,
		Name:     s.name,
		Observed: observed,
		LastSeen: number(m, "sent", float64(m.Time().UnixNano())/1e9),
		// A heartbeat that does not say how many it stands for is one.
		Beats:  count(m, "beats", 1),
		Starts: count(m, "starts", 0),
	}, true
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
			Measurement:    "chembus_heartbeat",
			Identity:       []string{"zooid"},
			Threshold:      config.Duration(30 * time.Second),
			BlindAfter:     config.Duration(3 * time.Second),
			ReportInterval: config.Duration(10 * time.Second),
		}
	})
}
