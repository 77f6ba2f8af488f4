package liveness

import (
	"fmt"
	"time"

	"github.com/influxdata/telegraf/config"

	"github.com/kloros/telegraf-chembus/plugins/common/glob"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// RuleOptions say when a component is late, silent or removed, and what its gap is like. They are in a struct of
// their own because not only buses have them.
type RuleOptions struct {
	Threshold       config.Duration  `toml:"threshold"`
	LateAfter       *config.Duration `toml:"late_after"`
	ReportInterval  config.Duration  `toml:"report_interval"`
	Ignore          []string         `toml:"ignore"`
	Expected        []string         `toml:"expected"`
	ExpectWithin    config.Duration  `toml:"expect_within"`
	RetireAfter     config.Duration  `toml:"retire_after"`
	MaxComponents   int              `toml:"max_components"`
	MassCount       int              `toml:"mass_count"`
	MassWindow      config.Duration  `toml:"mass_window"`
	FlapCount       int              `toml:"flap_count"`
	FlapWindow      config.Duration  `toml:"flap_window"`
	Adaptive        bool             `toml:"adaptive"`
	MistakesPerYear float64          `toml:"mistakes_per_year"`
	Forgive         int              `toml:"forgive"`
	MinThreshold    config.Duration  `toml:"min_threshold"`
	MaxThreshold    config.Duration  `toml:"max_threshold"`
	Severity        string           `toml:"severity"`
	Actions         []string         `toml:"actions"`
}

func defaultRules() RuleOptions {
	return RuleOptions{
		Threshold:       config.Duration(30 * time.Second),
		ReportInterval:  config.Duration(10 * time.Second),
		ExpectWithin:    config.Duration(time.Minute),
		RetireAfter:     config.Duration(24 * time.Hour),
		MaxComponents:   100_000,
		MassCount:       5,
		MassWindow:      config.Duration(10 * time.Second),
		FlapCount:       5,
		FlapWindow:      config.Duration(10 * time.Minute),
		MistakesPerYear: 100,
		Forgive:         1,
		MinThreshold:    config.Duration(5 * time.Second),
		MaxThreshold:    config.Duration(2 * time.Minute),
		Severity:        "critical",
	}
}

// check checks the options that need not be compiled.
func (o *RuleOptions) check() error {
	if o.MaxComponents < 1 {
		return &option.Error{Name: "max_components", Problem: "allows no component at all", Allowed: "use at least 1"}
	}
	if err := o.checkDurations(); err != nil {
		return err
	}
	if o.MassCount < 1 {
		return &option.Error{Name: "mass_count", Problem: "is below 1", Allowed: "use at least 1; a large number turns outages off"}
	}
	if o.FlapCount < 2 {
		return &option.Error{Name: "flap_count", Problem: "is below 2", Allowed: "use at least 2; a large number turns flapping off"}
	}
	if !(o.MistakesPerYear >= 0.01 && o.MistakesPerYear <= 100_000) {
		return &option.Error{
			Name:    "mistakes_per_year",
			Problem: fmt.Sprintf("%g is out of range", o.MistakesPerYear),
			Allowed: "use 0.01 to 100000 for each component, such as 100",
		}
	}
	if o.Forgive < 0 || o.Forgive > 100 {
		return &option.Error{Name: "forgive", Problem: fmt.Sprintf("%d is out of range", o.Forgive), Allowed: "use 0 to 100 missed heartbeats, such as 1"}
	}
	if o.Severity == "" {
		return &option.Error{Name: "severity", Problem: "is empty", Allowed: `use "low", "medium", "high" or "critical"`}
	}
	return nil
}

func (o *RuleOptions) checkDurations() error {
	for _, d := range []struct {
		name  string
		value config.Duration
	}{
		{"threshold", o.Threshold},
		{"report_interval", o.ReportInterval},
		{"expect_within", o.ExpectWithin},
		{"retire_after", o.RetireAfter},
		{"mass_window", o.MassWindow},
		{"flap_window", o.FlapWindow},
		{"min_threshold", o.MinThreshold},
		{"max_threshold", o.MaxThreshold},
	} {
		if d.value < config.Duration(time.Millisecond) {
			return option.TooSmall(d.name, time.Duration(d.value), time.Millisecond)
		}
	}
	if o.MaxThreshold < o.MinThreshold {
		return &option.Error{
			Name:    "max_threshold",
			Problem: fmt.Sprintf("%q is below min_threshold, %q", time.Duration(o.MaxThreshold), time.Duration(o.MinThreshold)),
			Allowed: "use at least min_threshold",
		}
	}
	return nil
}

func (o *RuleOptions) compileIgnore() (glob.Globs, error) {
	ignored, err := glob.Compile(o.Ignore...)
	if err != nil {
		return ignored, &option.Error{Name: "ignore", Problem: err.Error(), Allowed: `use globs such as ["test_*"]`}
	}
	return ignored, nil
}

// detectorConfig is what a detector goes by, as far as these options say; they must have been checked.
func (o *RuleOptions) detectorConfig(ignored glob.Globs, rules ruleSet) *detector.Config {
	c := &detector.Config{
		ReportInterval: time.Duration(o.ReportInterval),
		Rule:           rules.For,
		ExpectWithin:   time.Duration(o.ExpectWithin),
		OutageCount:    o.MassCount,
		OutageWindow:   time.Duration(o.MassWindow),
		FlapCount:      o.FlapCount,
		FlapWindow:     time.Duration(o.FlapWindow),
		MaxComponents:  o.MaxComponents,
	}
	if !ignored.Empty() {
		c.Ignored = func(key string) bool { return ignored.Match(detector.Name(key)) }
	}
	if o.Adaptive {
		c.Adaptive = &detector.Adaptive{
			MistakesPerYear: o.MistakesPerYear, Forgive: o.Forgive,
			Min: time.Duration(o.MinThreshold), Max: time.Duration(o.MaxThreshold),
		}
	}
	return c
}
