//go:build cgo

package main

import (
	"fmt"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/inputs"
	"github.com/influxdata/telegraf/plugins/outputs"
	"github.com/pebbe/zmq4"

	// The plugins register themselves with Telegraf.
	_ "github.com/kloros/telegraf-chembus/plugins/inputs/chembus"
	_ "github.com/kloros/telegraf-chembus/plugins/outputs/chembus"
)

func createInput() telegraf.PluginDescriber { return inputs.Inputs["chembus"]() }

func createOutput() telegraf.PluginDescriber { return outputs.Outputs["chembus"]() }

func libzmqVersion() string {
	major, minor, patch := zmq4.Version()
	return fmt.Sprintf("libzmq %d.%d.%d", major, minor, patch)
}
