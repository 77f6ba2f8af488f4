package main

import (
	"os/exec"
	"strconv"
	"sync/atomic"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/process"
)

// baseline is a program that telegraf-chembus is compared with, on the same bus.
type baseline struct {
	*process.Process
	received *atomic.Bool // the number of beats given at its start
}

// startRawLoop starts the loop around libzmq's receive call, which reports when it has received count beats.
func (b *bench) startRawLoop(endpoint string, count int) (baseline, error) {
	return startBaseline(exec.Command(b.rawLoop, endpoint, colony.Topic, strconv.Itoa(count)))
}

// startMonitor starts the Python daemon, which reports when it has received count beats.
func (b *bench) startMonitor(endpoint string, count int, more ...string) (baseline, error) {
	args := append([]string{b.monitor, "--xpub", endpoint, "--count", strconv.Itoa(count)}, more...)
	return startBaseline(exec.Command(python, args...))
}

func startBaseline(cmd *exec.Cmd) (baseline, error) {
	p := baseline{received: new(atomic.Bool)}
	var err error
	p.Process, err = process.Start(cmd, &lines{take: func([]byte) { p.received.Store(true) }})
	return p, err
}

// stop stops the program. It exits by a signal, so its error means nothing.
func (p baseline) stop() error {
	_ = p.Stop()
	return nil
}
