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

// unusualSeverities returns the overrides whose severity is none of severities. That is no error: the value is passed
// on as it is, and there are files with others.
func (t table) unusualSeverities(plugin telegraf.PluginDescriber) []problem {
	l, ok := plugin.(*liveness.Liveness)
	if !ok {
		return nil
	}
	var unusual []problem
	for i, override := range l.Overrides {
		if override.Severity == "" || slices.Contains(severities, override.Severity) {
			continue
		}
		place := &option.Error{
			Name:    "severity",
			Problem: fmt.Sprintf("%q is a word that consumers of gaps do not know", override.Severity),
			Allowed: `use "low", "medium", "high" or "critical"`,
			Table:   "override",
			Number:  i,
		}
		unusual = append(unusual, t.refusal(place))
	}
	return unusual
}
