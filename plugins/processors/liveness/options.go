package liveness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf/config"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// checkOptions checks the options and compiles their globs.
func (l *Liveness) checkOptions() error {
	if l.Measurement == "" {
		return &option.Error{Name: "measurement", Problem: "is empty", Allowed: `name the metric that carries heartbeats, such as "chembus_heartbeat"`}
	}
	if len(l.Identity) == 0 || slices.Contains(l.Identity, "") {
		return &option.Error{
			Name: "identity", Problem: "is empty or names an empty tag",
			Allowed: `name the tags that tell components apart, such as ["zooid"]`,
		}
	}
	if len(l.Bus) == 0 || slices.Contains(l.Bus, "") {
		return &option.Error{
			Name: "bus", Problem: "is empty or names an empty tag",
			Allowed: `name the tags that together tell buses apart, such as ["host", "endpoint"]`,
		}
	}
	if l.MaxBuses < 1 {
		return &option.Error{Name: "max_buses", Problem: "allows no bus at all", Allowed: "use at least 1"}
	}
	if l.MaxComponents < 1 {
		return &option.Error{Name: "max_components", Problem: "allows no component at all", Allowed: "use at least 1"}
	}
	if err := l.checkDurations(); err != nil {
		return err
	}
	if l.MassCount < 1 {
		return &option.Error{Name: "mass_count", Problem: "is below 1", Allowed: "use at least 1; a large number turns outages off"}
	}
	if l.FlapCount < 2 {
		return &option.Error{Name: "flap_count", Problem: "is below 2", Allowed: "use at least 2; a large number turns flapping off"}
	}
	if !(l.MistakesPerYear >= 0.01 && l.MistakesPerYear <= 100_000) {
		return &option.Error{
			Name:    "mistakes_per_year",
			Problem: fmt.Sprintf("%g is out of range", l.MistakesPerYear),
			Allowed: "use 0.01 to 100000 for each component, such as 100",
		}
	}
	if l.Forgive < 0 || l.Forgive > 100 {
		return &option.Error{Name: "forgive", Problem: fmt.Sprintf("%d is out of range", l.Forgive), Allowed: "use 0 to 100 missed heartbeats, such as 1"}
	}
	var err error
	if l.ignored, err = compileGlobs(l.Ignore); err != nil {
		return &option.Error{Name: "ignore", Problem: err.Error(), Allowed: `use globs such as ["test_*"]`}
	}
	if l.expected, err = l.parseExpected(); err != nil {
		return err
	}
	l.rules, err = l.compileRules()
	return err
}

func (l *Liveness) checkDurations() error {
	for _, d := range []struct {
		name  string
		value config.Duration
	}{
		{"threshold", l.Threshold},
		{"blind_after", l.BlindAfter},
		{"report_interval", l.ReportInterval},
		{"expect_within", l.ExpectWithin},
		{"retire_after", l.RetireAfter},
		{"retire_unnamed_after", l.RetireUnnamedAfter},
		{"mass_window", l.MassWindow},
		{"flap_window", l.FlapWindow},
		{"min_threshold", l.MinThreshold},
		{"max_threshold", l.MaxThreshold},
	} {
		if d.value < config.Duration(time.Millisecond) {
			return option.TooSmall(d.name, time.Duration(d.value), time.Millisecond)
		}
	}
	if l.MaxThreshold < l.MinThreshold {
		return &option.Error{
			Name:    "max_threshold",
			Problem: fmt.Sprintf("%q is below min_threshold, %q", time.Duration(l.MaxThreshold), time.Duration(l.MinThreshold)),
			Allowed: "use at least min_threshold",
		}
	}
	return nil
}

// detectorConfig is what the detectors go by; the options must have been checked.
func (l *Liveness) detectorConfig() *detector.Config {
	c := &detector.Config{
		BlindAfter:     time.Duration(l.BlindAfter),
		Identity:       strings.Join(l.Identity, detector.KeySeparator),
		ReportInterval: time.Duration(l.ReportInterval),
		Rule:           l.rules.For,
		Expected:       l.expected.everywhere,
		ExpectWithin:   time.Duration(l.ExpectWithin),
		OutageCount:    l.MassCount,
		OutageWindow:   time.Duration(l.MassWindow),
		FlapCount:      l.FlapCount,
		FlapWindow:     time.Duration(l.FlapWindow),
		MaxComponents:  l.MaxComponents,
	}
	if l.ignored.filter != nil {
		c.Ignored = func(key string) bool { return l.ignored.Match(detector.Name(key)) }
	}
	if l.Adaptive {
		c.Adaptive = &detector.Adaptive{
			MistakesPerYear: l.MistakesPerYear, Forgive: l.Forgive,
			Min: time.Duration(l.MinThreshold), Max: time.Duration(l.MaxThreshold),
		}
	}
	return c
}
