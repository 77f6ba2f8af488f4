package liveness

import (
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/metric"
	"github.com/influxdata/telegraf/plugins/parsers/influx"
	"github.com/influxdata/telegraf/plugins/processors"
	"github.com/influxdata/telegraf/testutil"

	"github.com/kloros/telegraf-chembus/plugins/common/field"
	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

// standard returns the processor as Telegraf makes it, before Init.
func standard() *Liveness {
	l := processors.Processors["liveness"]().(*Liveness)
	l.Log = testutil.Logger{Quiet: true}
	return l
}

func TestSampleConfigIsOfTheDefaults(t *testing.T) {
	// With every comment sign of an option gone the sample says what holds without it.
	active := strings.ReplaceAll(standard().SampleConfig(), "\n  # ", "\n  ")
	file := filepath.Join(t.TempDir(), "sample.conf")
	require.NoError(t, os.WriteFile(file, []byte(active), 0o600))
	cfg := config.NewConfig()
	require.NoError(t, cfg.LoadConfig(file))
	got := cfg.Processors[0].Processor.(*Liveness)

	want := standard()
	require.Equal(t, want.Measurement, got.Measurement)
	require.Equal(t, want.Bus, got.Bus)
	require.Equal(t, want.MaxBuses, got.MaxBuses)
	require.Equal(t, want.MaxComponents, got.MaxComponents)
	require.Equal(t, want.Identity, got.Identity)
	require.Equal(t, want.Threshold, got.Threshold)
	require.Equal(t, want.Threshold/2, *got.LateAfter)
	require.Equal(t, want.BlindAfter, got.BlindAfter)
	require.Equal(t, want.ReportInterval, got.ReportInterval)
	require.Empty(t, got.Ignore)
	require.Equal(t, want.ExpectWithin, got.ExpectWithin)
	require.Equal(t, want.RetireAfter, got.RetireAfter)
	require.Equal(t, want.RetireUnnamedAfter, got.RetireUnnamedAfter)
	require.Equal(t, want.UnnamedGaps, got.UnnamedGaps)
	require.Equal(t, want.MassCount, got.MassCount)
	require.Equal(t, want.MassWindow, got.MassWindow)
	require.Equal(t, want.FlapCount, got.FlapCount)
	require.Equal(t, want.FlapWindow, got.FlapWindow)
	require.Equal(t, want.Adaptive, got.Adaptive)
	require.InDelta(t, want.MistakesPerYear, got.MistakesPerYear, 0)
	require.Equal(t, want.Forgive, got.Forgive)
	require.Equal(t, want.MinThreshold, got.MinThreshold)
	require.Equal(t, want.MaxThreshold, got.MaxThreshold)
	require.Equal(t, want.Severity, got.Severity)
	require.Empty(t, got.Actions)
	require.Equal(t, want.StateFile, got.StateFile)
	require.NoError(t, got.Init())
	require.NoError(t, want.Init())
}

func TestInitNamesTheBadOption(t *testing.T) {
	duration := func(d time.Duration) *config.Duration { return (*config.Duration)(&d) }
	for _, test := range []struct {
		option, problem string
		set             func(*Liveness)
	}{
		{"threshold", `"0s" is too short`, func(l *Liveness) { l.Threshold = 0 }},
		{"threshold", `"-1s" is too short`, func(l *Liveness) { l.Threshold = config.Duration(-time.Second) }},
		{"late_after", `"0s" is too short`, func(l *Liveness) { l.LateAfter = duration(0) }},
		{"late_after", `"31s" is above the threshold of "30s"`, func(l *Liveness) { l.LateAfter = duration(31 * time.Second) }},
		{"blind_after", `"1µs" is too short`, func(l *Liveness) { l.BlindAfter = config.Duration(time.Microsecond) }},
		{"report_interval", `"0s" is too short`, func(l *Liveness) { l.ReportInterval = 0 }},
		{"max_components", "allows no component at all", func(l *Liveness) { l.MaxComponents = 0 }},
		{"measurement", "is empty", func(l *Liveness) { l.Measurement = "" }},
		{"measurement", `"chembus_tick" is no heartbeat`, func(l *Liveness) { l.Measurement = "chembus_tick" }},
		{"identity", "is empty", func(l *Liveness) { l.Identity = nil }},
		{"identity", "is empty", func(l *Liveness) { l.Identity = []string{"zooid", ""} }},
		{"identity", `["host"] names only tags that bus names`, func(l *Liveness) { l.Identity = []string{"host"} }},
		{"threshold", `"0s" is too short`, func(l *Liveness) { l.Overrides = []*Override{{Niche: []string{"a"}, Threshold: duration(0)}} }},
		{"late_after", `"6s" is above the threshold of "5s"`, func(l *Liveness) {
			l.Overrides = []*Override{{Niche: []string{"a"}, Threshold: duration(5 * time.Second), LateAfter: duration(6 * time.Second)}}
		}},
		{"override", "number 2 matches everything", func(l *Liveness) { l.Overrides = []*Override{{Zooid: []string{"a"}}, {Severity: "warning"}} }},
		{"override", "number 1: ", func(l *Liveness) { l.Overrides = []*Override{{Zooid: []string{"a["}}} }},
		{"retire_after", `"30s" is not above the threshold of "30s"`, func(l *Liveness) { l.RetireAfter = l.Threshold }},
		{"retire_after", `"24h0m0s" is not above the threshold of "48h0m0s"`, func(l *Liveness) {
			l.Overrides = []*Override{{Zooid: []string{"nightly"}, Threshold: duration(48 * time.Hour)}}
		}},
		{"retire_unnamed_after", `"10s" is not above the threshold of "30s"`, func(l *Liveness) {
			l.RetireUnnamedAfter, l.UnnamedGaps = config.Duration(10*time.Second), true
		}},
		{"expected", "holds an empty name", func(l *Liveness) { l.Expected = []string{""} }},
		{"expected", `"test_*" is a glob`, func(l *Liveness) { l.Expected = []string{"a", "test_*"} }},
		{"expected", `"test_a" is ignored`, func(l *Liveness) { l.Expected, l.Ignore = []string{"a", "test_a"}, []string{"test_*"} }},
		{"expected", `"a" is no name`, func(l *Liveness) { l.Expected, l.Identity = []string{"a"}, []string{"zooid", "host"} }},
		{"retire_after", `"2m0s" is not above the threshold of "2m0s"`, func(l *Liveness) { l.RetireAfter, l.Adaptive = l.MaxThreshold, true }},
		{"severity", "is empty", func(l *Liveness) { l.Severity = "" }},
		{"mass_count", "is below 1", func(l *Liveness) { l.MassCount = 0 }},
		{"flap_count", "is below 2", func(l *Liveness) { l.FlapCount = 1 }},
		{"mistakes_per_year", "0 is out of range", func(l *Liveness) { l.MistakesPerYear = 0 }},
		{"mistakes_per_year", "NaN is out of range", func(l *Liveness) { l.MistakesPerYear = math.NaN() }},
		{"forgive", "-1 is out of range", func(l *Liveness) { l.Forgive = -1 }},
		{"max_threshold", `"1s" is below min_threshold, "5s"`, func(l *Liveness) { l.MaxThreshold = config.Duration(time.Second) }},
		{"ignore", "unexpected end", func(l *Liveness) { l.Ignore = []string{"ok", "bad[", "*"} }},
	} {
		t.Run(test.option+" "+test.problem, func(t *testing.T) {
			l := standard()
			test.set(l)
			var problem *option.Error
			require.ErrorAs(t, l.Init(), &problem)
			require.Equal(t, test.option, problem.Name)
			require.Contains(t, problem.Problem, test.problem)
			require.NotEmpty(t, problem.Allowed)
		})
	}
}

// TestSecondMonitorNamesTheSameIncidents replays each case to a processor whose input has run for longer.
func TestSecondMonitorNamesTheSameIncidents(t *testing.T) {
	opened := 0
	for _, name := range cases(t) {
		var ids [2][]string
		for monitor, offset := range []float64{0, 512} {
			r := newReplay(t, name)
			for _, line := range input(t, name) {
				m := parse(t, line)
				for _, field := range []string{"observed_s", "killed_s", "resumed_s"} {
					if observed, ok := seconds(m, field); ok {
						m.AddField(field, observed.Seconds()+offset)
					}
				}
				if list, ok := m.GetField("hole_list"); ok {
					var shifted []string
					for _, h := range strings.Fields(list.(string)) {
						at, length, _ := strings.Cut(h, ":")
						observed, _ := strconv.ParseFloat(at, 64)
						shifted = append(shifted, fmt.Sprintf("%.3f:%s", observed+offset, length))
					}
					m.AddField("hole_list", strings.Join(shifted, " "))
				}
				r.Add(m)
				for _, g := range gaps(&r.acc) {
					ids[monitor] = append(ids[monitor], fmt.Sprint(g.Fields["incident_id"], g.Fields["open"]))
				}
			}
		}
		require.Equal(t, ids[0], ids[1], name)
		opened += len(ids[0])
	}
	require.NotZero(t, opened)
}

// TestMonitorThatStartedLaterNamesTheSameIncidents gives a processor that heard the last beats only, and
// whose ticks come at other times, the same outages.
func TestMonitorThatStartedLaterNamesTheSameIncidents(t *testing.T) {
	incidents := func(start, phase, offset float64) map[string]any {
		l := standard()
		require.NoError(t, l.Init())
		var acc testutil.Accumulator
		add := func(name string, at float64, zooid string) {
			if at < start {
				return
			}
			m := metric.New(name, map[string]string{"zooid": zooid},
				map[string]any{"observed_s": at - start + offset, "sent": 1e9 + at/3}, time.Unix(0, int64(at*1e9)))
			require.NoError(t, l.Add(m, &acc))
		}
		for second := range 100 {
			for i, zooid := range []string{"a", "b", "c"} {
				if second%10 == i && second < 30+i {
					add("chembus_heartbeat", float64(second), zooid)
				}
			}
			add(tickMeasurement, float64(second)+phase, "")
		}
		ids := make(map[string]any)
		for _, g := range gaps(&acc) {
			if known, ok := ids[g.Tags["zooid"]]; ok {
				require.Equal(t, known, g.Fields["incident_id"])
			}
			ids[g.Tags["zooid"]] = g.Fields["incident_id"]
		}
		return ids
	}
	first := incidents(0, 0.5, 0)
	require.Len(t, first, 3)
	require.Equal(t, first, incidents(15, 0.125, 7777))
}

// TestCutInput gives the processor what is left of each case's input when its beginning, its end or one
// metric is missing: it must pass everything on but ticks and adopted gaps, and close only what was open.
func TestCutInput(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	for _, name := range cases(t) {
		lines := input(t, name)
		for range 10 {
			i := random.Intn(len(lines))
			cut := random.Intn(len(lines[i]))
			before, after := lines[:i:i], lines[i+1:]
			replayCut(t, name, append(before, lines[i][:cut]))
			replayCut(t, name, append(before, after...))
			replayCut(t, name, append([]string{lines[i][cut:]}, after...))
		}
	}
}

func replayCut(t *testing.T, name string, lines []string) {
	t.Helper()
	r := newReplay(t, name)
	r.Log = testutil.Logger{Quiet: true}
	parser := influx.Parser{}
	require.NoError(t, parser.Init())
	var acc testutil.Accumulator
	passed := 0
	open := make(map[any]bool) // incidents
	for _, line := range lines {
		m, err := parser.ParseLine(line)
		if err != nil {
			continue
		}
		_, timed := seconds(m, "observed_s")
		switch {
		case r.Adopt && m.Name() == livenessgap.Name:
			open[field.Text(m, "incident_id")] = true
		case !timed || m.Name() != tickMeasurement:
			passed++
		}
		require.NoError(t, r.Liveness.Add(m, &acc))
	}
	emitted := acc.NMetrics()
	r.Stop()
	require.Equal(t, emitted, acc.NMetrics(), "nothing may be emitted outside Add")

	for _, g := range gaps(&acc) {
		id, level := g.Fields["incident_id"], g.Fields["open"].(bool)
		if _, known := open[id]; !level {
			require.True(t, known, "closed what was not open: %v", lines)
		}
		open[id] = level
	}
	for _, m := range acc.Metrics {
		if m.Measurement != "liveness" && m.Measurement != "liveness_gap" {
			passed--
		}
	}
	if name != "other_metrics" { // where a liveness metric comes from outside
		require.Zero(t, passed, "not everything was passed on: %v", lines)
	}
}

// TestPassedMetricIsLeftAlone hands metrics to an accumulator that changes them at once, as whoever gets
// them next may.
func TestPassedMetricIsLeftAlone(t *testing.T) {
	l := standard()
	require.NoError(t, l.Init())
	acc := &spoiler{}
	at := time.Unix(1000, 0)
	for _, name := range []string{"chembus_heartbeat", "chembus_kill"} {
		m := metric.New(name, map[string]string{"zooid": "a"}, map[string]any{"observed_s": 1.0}, at)
		require.NoError(t, l.Add(m, acc))
	}
	require.Len(t, acc.Metrics, 2)
	for _, m := range acc.Metrics {
		require.Equal(t, "liveness", m.Measurement)
		require.Equal(t, "a", m.Tags["zooid"])
		require.Equal(t, at, m.Time)
	}
}

type spoiler struct {
	testutil.Accumulator
}

func (*spoiler) AddMetric(m telegraf.Metric) {
	m.SetTime(time.Unix(1, 0))
	m.AddTag("zooid", "spoiled")
}

func gaps(acc *testutil.Accumulator) []*testutil.Metric {
	var gaps []*testutil.Metric
	for _, m := range acc.Metrics {
		if m.Measurement == "liveness_gap" {
			gaps = append(gaps, m)
		}
	}
	return gaps
}
