package main

import (
	"os/exec"
	"strconv"
	"sync/atomic"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/process"
)

// other is another program on the same bus.
type other struct {
	*process.Process
	received *atomic.Bool // the number of beats given at its start
}

// startRawLoop starts the loop around libzmq's receive call, which reports when it has received count beats.
func (b *bench) startRawLoop(endpoint string, count int) (other, error) {
	return startOther(exec.Command(b.rawLoop, endpoint, colony.Topic, strconv.Itoa(count)))
}

// startMonitor starts the Python daemon, which reports when it has received count beats.
func (b *bench) startMonitor(endpoint string, count int, more ...string) (other, error) {
	args := append([]string{b.monitor, "--xpub", endpoint, "--count", strconv.Itoa(count)}, more...)
	return startOther(exec.Command(python, args...))
}

func startOther(cmd *exec.Cmd) (other, error) {
	o := other{received: new(atomic.Bool)}
	var err error
	o.Process, err = process.Start(cmd, &lines{take: func([]byte) { o.received.Store(true) }})
	return o, err
}

// stop stops the program. It exits by a signal, so its error means nothing.
func (o other) stop() error {
	_ = o.Stop()
	return nil
}
