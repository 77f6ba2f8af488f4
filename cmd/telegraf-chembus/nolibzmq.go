//go:build !cgo

package main

import (
	"errors"
	"io"

	"github.com/influxdata/telegraf"
)

// This file stands for everything that needs libzmq, in a build without cgo.

var createInput, createOutput func() telegraf.PluginDescriber

func libzmqVersion() string { return "without libzmq" }

func runWatch(arguments, io.Writer, io.Writer) (int, error) {
	return 0, errors.New(noLibzmq("watch"))
}

func runWait(arguments, io.Writer) error { return errors.New(noLibzmq("wait")) }

// checkWait leaves it to runWait to say that it cannot run.
func (arguments) checkWait() error { return nil }

// The checks compare a plugin with those that this build does not have.

func conflict(telegraf.PluginDescriber, []telegraf.PluginDescriber) error { return nil }

func checkEndpoints(telegraf.PluginDescriber) error { return nil }

func suspiciousEndpoints(telegraf.PluginDescriber, []telegraf.PluginDescriber) []error { return nil }
