package main

import (
	"slices"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/inputs"
	"github.com/influxdata/telegraf/plugins/outputs"
	"github.com/influxdata/telegraf/plugins/processors"

	// The plugins enter themselves in Telegraf's registries.
	_ "github.com/kloros/telegraf-chembus/plugins/inputs/chembus"
	_ "github.com/kloros/telegraf-chembus/plugins/outputs/chembus"
	_ "github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// A role is one of the three things that this program can be for Telegraf.
type role struct {
	name    string // on the command line
	section string // of the configuration, as in Telegraf's own
	plugin  string // in Telegraf's registry of that section
	create  func() telegraf.PluginDescriber
}

var roles = []role{
	{"input", "inputs", "chembus", func() telegraf.PluginDescriber { return inputs.Inputs["chembus"]() }},
	{"processor", "processors", "liveness", func() telegraf.PluginDescriber { return processors.Processors["liveness"]() }},
	{"output", "outputs", "chembus", func() telegraf.PluginDescriber { return outputs.Outputs["chembus"]() }},
}

// roleNamed finds the role that the command line names.
func roleNamed(name string) (role, bool) {
	i := slices.IndexFunc(roles, func(r role) bool { return r.name == name })
	if i < 0 {
		return role{}, false
	}
	return roles[i], true
}

// id is the plugin's name as Telegraf's log has it.
func (r role) id() string {
	return r.section + "." + r.plugin
}

// header is how the plugin's table starts in a file.
func (r role) header() string {
	return "[[" + r.id() + "]]"
}
