package main

import (
	"slices"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/outputs"
	"github.com/influxdata/telegraf/plugins/processors"

	// The plugins register themselves with Telegraf.
	_ "github.com/kloros/telegraf-chembus/plugins/outputs/liveness"
	_ "github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// A role is one of the plugins that this program can run.
type role struct {
	name    string                          // on the command line
	section string                          // in the configuration, as in Telegraf's own
	plugin  string                          // name in Telegraf's registry of that section
	create  func() telegraf.PluginDescriber // nil: this build has no libzmq

	optional bool // monitoring works without it
}

var roles = []role{
	{"input", "inputs", "chembus", createInput, false},
	{"processor", "processors", "liveness", func() telegraf.PluginDescriber { return processors.Processors["liveness"]() }, false},
	{"output", "outputs", "chembus", createOutput, false},
	{"page", "outputs", "liveness", func() telegraf.PluginDescriber { return outputs.Outputs["liveness"]() }, true},
}

// built returns the roles whose plugins this build has.
func built() []role {
	return slices.DeleteFunc(slices.Clone(roles), func(r role) bool { return r.create == nil })
}

// noLibzmq says why this build does not have a plugin or a command.
func noLibzmq(name string) string {
	return name + " cannot run, because this build has no libzmq; use the one that make build makes, or the package"
}

// roleNamed returns the role of that name.
func roleNamed(name string) (role, bool) {
	i := slices.IndexFunc(roles, func(r role) bool { return r.name == name })
	if i < 0 {
		return role{}, false
	}
	return roles[i], true
}

// id returns the plugin's name as in Telegraf's log.
func (r role) id() string {
	return r.section + "." + r.plugin
}

// header returns the first line of the plugin's table in a file.
func (r role) header() string {
	return "[[" + r.id() + "]]"
}
