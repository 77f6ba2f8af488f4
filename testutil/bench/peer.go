package main

import (
	"os/exec"
	"strconv"
	"sync/atomic"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/process"
)

// peer is a program of others that hears the same bus.
type peer struct {
	*process.Process
	received *atomic.Bool // as many beats as it was to count
}

// startRawLoop runs the loop around libzmq's receive call, which says when it has received so many beats.
func (b *bench) startRawLoop(endpoint string, count int) (peer, error) {
	return startPeer(exec.Command(b.rawLoop, endpoint, colony.Topic, strconv.Itoa(count)))
}

// startMonitor runs the Python daemon, which says when it has received so many beats.
func (b *bench) startMonitor(endpoint string, count int, more ...string) (peer, error) {
	args := append([]string{b.monitor, "--xpub", endpoint, "--count", strconv.Itoa(count)}, more...)
	return startPeer(exec.Command(python, args...))
}

func startPeer(cmd *exec.Cmd) (peer, error) {
	p := peer{received: new(atomic.Bool)}
	var err error
	p.Process, err = process.Start(cmd, &lines{take: func([]byte) { p.received.Store(true) }})
	return p, err
}

// stop ends it by a signal, which is how it ends.
func (p peer) stop() error {
	_ = p.Stop()
	return nil
}
