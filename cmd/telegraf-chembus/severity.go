package main

import (
	"fmt"
	"slices"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// severities are the values that consumers of gaps know.
var severities = []string{"low", "medium", "high", "critical"}

// unusualSeverities returns the problems with a severity that is none of severities, of the processor, a watch or an override.
// That is no error: the value is passed on as it is, and there are files with others.
func (t table) unusualSeverities(plugin telegraf.PluginDescriber) []problem {
	l, ok := plugin.(*liveness.Liveness)
	if !ok {
		return nil
	}
	var unusual []problem
	compare := func(place option.Error, severity string) {
		if severity == "" || slices.Contains(severities, severity) {
			return
		}
		place.Name = "severity"
		place.Problem = fmt.Sprintf("%q is a word that consumers of gaps do not know", severity)
		place.Allowed = `use "low", "medium", "high" or "critical"`
		unusual = append(unusual, t.refusal(&place))
	}
	compare(option.Error{}, l.Severity)
	for i, override := range l.Overrides {
		compare(option.Error{Table: "override", Number: i}, override.Severity)
	}
	for i, watch := range l.Watches {
		compare(option.Error{Table: "watch", Number: i}, watch.Severity)
		for k, override := range watch.Overrides {
			compare(option.Error{Table: "override", Number: k, Outer: "watch", OuterNumber: i}, override.Severity)
		}
	}
	return unusual
}
