package liveness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf/config"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

// checkOptions checks the options and compiles their globs.
func (l *Liveness) checkOptions() error {
	if l.Measurement == "" {
		return &option.Error{Name: "measurement", Problem: "is empty", Allowed: `name the metric that carries heartbeats, such as "chembus_heartbeat"`}
	}
	if slices.Contains([]string{tickMeasurement, killMeasurement, stopMeasurement}, l.Measurement) {
		return &option.Error{
			Name: "measurement", Problem: fmt.Sprintf("%q is no heartbeat", l.Measurement),
			Allowed: `name the metric that carries heartbeats, such as "chembus_heartbeat"`,
		}
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
	if !slices.ContainsFunc(l.Identity, func(tag string) bool { return !slices.Contains(l.Bus, tag) }) {
		return &option.Error{
			Name: "identity",
			Problem: fmt.Sprintf("[\"%s\"] names only tags that bus names: each component would be the only one of its bus, "+
				"and the clock of that stands still when it falls silent", strings.Join(l.Identity, `", "`)),
			Allowed: "name a tag that bus does not, take it out of bus, or use a [[processors.liveness.watch]]",
		}
	}
	if l.MaxBuses < 1 {
		return &option.Error{Name: "max_buses", Problem: "allows no bus at all", Allowed: "use at least 1"}
	}
	for _, d := range []struct {
		name  string
		value config.Duration
	}{{"blind_after", l.BlindAfter}, {"retire_unnamed_after", l.RetireUnnamedAfter}} {
		if d.value < config.Duration(time.Millisecond) {
			return option.TooSmall(d.name, time.Duration(d.value), time.Millisecond)
		}
	}
	if err := l.RuleOptions.check(); err != nil {
		return err
	}
	var err error
	if l.ignored, err = l.compileIgnore(); err != nil {
		return err
	}
	if l.expected, err = l.parseExpected(); err != nil {
		return err
	}
	l.rules, err = l.compileRules(l.Overrides, &unnamedRule{
		RetireAfter: time.Duration(l.RetireUnnamedAfter),
		Gaps:        l.UnnamedGaps,
	}, l.Log)
	if err != nil {
		return err
	}
	return l.compileWatches()
}
