package main

import (
	"io"

	"github.com/influxdata/telegraf"
)

// run starts an initialised plugin, calls started, and runs it until its stdin ends.
func run(plugin telegraf.PluginDescriber, stdin io.Reader, started func(), out io.Writer, log telegraf.Logger) error {
	switch p := plugin.(type) {
	case telegraf.Input:
		return runInput(p, stdin, out, started, log)
	case telegraf.StreamingProcessor:
		return runProcessor(p, stdin, out, started, log)
	}
	return runOutput(plugin.(telegraf.Output), stdin, started, log)
}
