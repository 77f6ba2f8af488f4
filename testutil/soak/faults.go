package main

import (
	"math"
	"os"
	"syscall"
	"time"
)

// The parts that a fault can affect. A fault of Telegraf affects its plugins.
const (
	input     = "input"
	processor = "processor"
	output    = "output"
	busPart   = "bus"
	diskPart  = "disk"
	// allZooids is reserved by a fault during which no zooid may die, and nobody may send in its name.
	allZooids = "all zooids"
)

var wholeAgent = []string{input, processor, output}

const (
	// blindAfter is the option of that name: a shorter pause may count as observed.
	blindAfter = time.Second
	// restartDelay is that of the drop-in.
	restartDelay = time.Second
	// restartLimit is the timeout for Telegraf to start its plugins.
	restartLimit = time.Minute
)

// fault is a kind of fault. It affects parts, or a random zooid, or a random monitor.
type fault struct {
	kind              string
	weight            int // relative frequency
	parts             []string
	ofZooid, ofDisk   bool
	ofMonitor         bool
	loses             bool // messages
	brief             bool // a death that is shorter than any threshold
	forgets           bool // what was known of the zooids that are dead
	toldOnce          bool // by a message that has to be heard
	shortest, longest time.Duration
	do                func(c *campaign, target string, d time.Duration) error
}

// faults are those of random. The first two are the deaths.
var faults = []fault{
	// Silences near the threshold would be undecidable.
	{kind: "zooid killed", weight: 8, ofZooid: true, shortest: 10 * time.Second, longest: 80 * time.Second, do: (*campaign).killZooid},
	{kind: "zooid killed briefly", weight: 2, ofZooid: true, brief: true,
		shortest: time.Second, longest: 2500 * time.Millisecond, do: (*campaign).killZooidBriefly},
	{kind: "zooid floods", weight: 1, ofZooid: true, shortest: time.Second, longest: 5 * time.Second, do: (*campaign).flood},
	{kind: "zooid sends garbage", weight: 1, ofZooid: true, do: (*campaign).sendGarbage},
	{kind: "input killed", weight: 1, loses: true, parts: []string{input}, do: killPlugin(input)},
	{kind: "input stopped", weight: 1, parts: []string{input}, shortest: 200 * time.Millisecond, longest: 10 * time.Second, do: stopPlugin(input)},
	{kind: "processor killed", weight: 1, loses: true, parts: []string{processor}, do: killPlugin(processor)},
	{kind: "processor stopped", weight: 1, parts: []string{processor}, shortest: 200 * time.Millisecond, longest: 10 * time.Second, do: stopPlugin(processor)},
	{kind: "output killed", weight: 1, parts: []string{output}, do: killPlugin(output)},
	{kind: "output stopped", weight: 1, parts: []string{output}, shortest: 200 * time.Millisecond, longest: 10 * time.Second, do: stopPlugin(output)},
	{kind: "telegraf killed", weight: 1, loses: true, parts: wholeAgent,
		shortest: 100 * time.Millisecond, longest: 8 * time.Second, do: (*campaign).restartKilledAgent},
	{kind: "telegraf terminated", weight: 1, loses: true, parts: wholeAgent,
		shortest: 100 * time.Millisecond, longest: 8 * time.Second, do: (*campaign).terminateAgent},
	{kind: "telegraf stopped", weight: 1, parts: wholeAgent, shortest: 200 * time.Millisecond, longest: 10 * time.Second, do: (*campaign).stopAgent},
	{kind: "bus killed", weight: 1, loses: true, parts: []string{busPart},
		shortest: 100 * time.Millisecond, longest: 10 * time.Second, do: (*campaign).killBus},
	{kind: "bus paused", weight: 1, parts: []string{busPart}, shortest: 200 * time.Millisecond, longest: 10 * time.Second, do: (*campaign).pauseBus},
	{kind: "consumer anna leaves", weight: 1, parts: []string{"anna"}, shortest: time.Second, longest: 15 * time.Second, do: disconnect(0)},
	{kind: "consumer bert leaves", weight: 1, parts: []string{"bert"}, shortest: time.Second, longest: 15 * time.Second, do: disconnect(1)},
	{kind: "large signals", weight: 1, do: (*campaign).sendLargeSignals},
	{kind: "large heartbeats", weight: 1, loses: true, parts: []string{input}, do: (*campaign).sendLargeHeartbeats},
	{kind: "slow JSON", weight: 1, loses: true, parts: []string{input}, shortest: time.Second, longest: 3 * time.Second, do: (*campaign).sendSlowJSON},
	{kind: "long subscriptions", weight: 1, shortest: time.Second, longest: 5 * time.Second, do: (*campaign).subscribeLong},
	{kind: "names churn", weight: 1, do: (*campaign).churnNames},
	{kind: "maintenance", weight: 4, toldOnce: true, parts: []string{allZooids, input, busPart},
		shortest: time.Second, longest: 10 * time.Second, do: (*campaign).maintain},
	{kind: "kill signal", weight: 4, toldOnce: true, forgets: true, parts: []string{allZooids, input, busPart},
		shortest: time.Second, longest: 10 * time.Second, do: (*campaign).killSignal},
	{kind: "telegraf run once", weight: 1, shortest: time.Second, longest: 4 * time.Second, do: (*campaign).runOnce},
	// Nobody knows of the zooids that died before, or that die before they are heard again.
	{kind: "telegraf killed, state lost", weight: 1, loses: true, forgets: true, parts: []string{input, processor, output, diskPart, allZooids},
		shortest: 100 * time.Millisecond, longest: 2 * time.Second, do: (*campaign).loseState},
	// No plugin is killed meanwhile: state that cannot be saved would be lost.
	{kind: "disk full", weight: 1, parts: []string{diskPart, processor, output, input}, ofDisk: true,
		shortest: time.Second, longest: 12 * time.Second, do: (*campaign).fillDisk},
}

// killZooid kills a zooid and revives it after d, but not before the verdict on its death is due.
func (c *campaign) killZooid(name string, d time.Duration) error {
	return c.killUntil(name, d, death{}, c.verdictDue)
}

// killZooidBriefly kills a zooid and revives it after d, and before its silence comes near the threshold.
func (c *campaign) killZooidBriefly(name string, d time.Duration) error {
	d = min(d, c.least-slack-beatInterval)
	return c.killUntil(name, d, death{brief: true}, func(int) bool { return true })
}

// killUntil kills a zooid and revives it after d as soon as it may be, unless the campaign ends before.
func (c *campaign) killUntil(name string, d time.Duration, as death, mayReturn func(number int) bool) error {
	as.zooid, as.killed, as.revived = name, c.now(), ongoing
	if err := c.colony.Kill(name); err != nil {
		return err
	}
	as.lastBeat = c.colony.LastBeat(name).Sub(c.start)
	c.mu.Lock()
	delete(c.born, name)
	at := len(c.ledger.deaths)
	c.ledger.deaths = append(c.ledger.deaths, as)
	c.mu.Unlock()
	for wait := d; ; wait = poll {
		select {
		case <-c.ending:
			return nil
		case <-time.After(wait):
		}
		if mayReturn(at) {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ledger.deaths[at].revived, c.born[name] = c.now(), c.now()
	return c.colony.Revive(name)
}

func killPlugin(role string) func(*campaign, string, time.Duration) error {
	return func(c *campaign, _ string, _ time.Duration) error {
		pid, err := c.agent().Plugin(role)
		if err != nil {
			return err
		}
		end := c.disturb(disturbance{recovery: restarted, loses: true, deliveryOnly: role == output})
		killed := c.now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return err
		}
		var blindUntil, unsaved time.Duration
		switch role {
		case input:
			blindUntil = killed + restartDelay
		case processor:
			unsaved = c.unsaved(c.host, killed)
		}
		err = c.awaitPlugins(pid)
		end(blindUntil, unsaved)
		return err
	}
}

func stopPlugin(role string) func(*campaign, string, time.Duration) error {
	return func(c *campaign, _ string, d time.Duration) error {
		pid, err := c.agent().Plugin(role)
		if err != nil {
			return err
		}
		end := c.disturb(disturbance{recovery: resumed, deliveryOnly: role == output})
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return err
		}
		time.Sleep(d)
		var blindUntil time.Duration
		// Metrics that wait in the pipe of a stopped processor may count as observed; a stopped input observes nothing.
		if role == input && d > blindAfter {
			blindUntil = c.now()
		}
		err = syscall.Kill(pid, syscall.SIGCONT)
		end(blindUntil, 0)
		return err
	}
}

// unsaved returns the time between the last save of a host's processor and its death.
func (c *campaign) unsaved(h *host, died time.Duration) time.Duration {
	info, err := os.Stat(h.processorState())
	if err != nil {
		return saveInterval
	}
	// A file's time is of the wall clock, which nothing steps here.
	saved := time.Until(info.ModTime()) + c.now()
	return min(max(died-saved, 0), saveInterval)
}

func (c *campaign) restartKilledAgent(_ string, d time.Duration) error {
	end := c.disturb(disturbance{recovery: restarted, loses: true})
	killed := c.now()
	if err := c.killAgent(); err != nil {
		return err
	}
	time.Sleep(d)
	return c.restartAgent(func(started time.Duration) { end(started, c.unsaved(c.host, killed)) })
}

func (c *campaign) terminateAgent(_ string, d time.Duration) error {
	end := c.disturb(disturbance{recovery: restarted, loses: true})
	if err := c.agent().Stop(); err != nil {
		return err
	}
	time.Sleep(d)
	return c.restartAgent(func(started time.Duration) { end(started, 0) })
}

// loseState kills Telegraf, and starts it again without the state of before.
func (c *campaign) loseState(_ string, d time.Duration) error {
	end := c.disturb(disturbance{recovery: restarted, loses: true})
	if err := c.killAgent(); err != nil {
		return err
	}
	time.Sleep(d)
	if err := c.disk.clear(); err != nil {
		return err
	}
	err := c.restartAgent(func(started time.Duration) { end(started, 0) })
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.born {
		c.born[name] = c.now()
	}
	return err
}

// restartAgent starts Telegraf, and ends the disturbance when it runs all its plugins.
func (c *campaign) restartAgent(end func(started time.Duration)) error {
	started := c.now()
	err := c.startAgent()
	if err == nil {
		err = c.awaitPlugins(0)
	}
	end(started)
	return err
}

func (c *campaign) stopAgent(_ string, d time.Duration) error {
	end := c.disturb(disturbance{recovery: resumed})
	if err := c.agent().Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(d)
	err := c.agent().Signal(syscall.SIGCONT)
	end(0, 0)
	return err
}

func (c *campaign) killBus(_ string, d time.Duration) error {
	return c.interruptBus(disturbance{recovery: restarted, loses: true}, c.bus.Kill, c.bus.Restart, d)
}

func (c *campaign) pauseBus(_ string, d time.Duration) error {
	return c.interruptBus(disturbance{recovery: resumed}, c.bus.Pause, c.bus.Resume, d)
}

func (c *campaign) interruptBus(kind disturbance, interrupt, restore func() error, d time.Duration) error {
	end := c.disturb(kind)
	if err := interrupt(); err != nil {
		return err
	}
	time.Sleep(d)
	blindUntil := time.Duration(0)
	if d > blindAfter {
		blindUntil = c.now()
	}
	err := restore()
	end(blindUntil, 0)
	return err
}

// disconnect disconnects a consumer for some time. The bus keeps nothing for it.
func disconnect(i int) func(*campaign, string, time.Duration) error {
	return func(c *campaign, _ string, d time.Duration) error {
		if err := c.listeners[i].disconnect(); err != nil {
			return err
		}
		time.Sleep(d)
		return c.listeners[i].connect()
	}
}

// logarithm and exponential convert between a duration and the logarithm of its seconds.
func logarithm(d time.Duration) float64 { return math.Log(d.Seconds()) }

func exponential(l float64) time.Duration {
	return time.Duration(math.Exp(l) * float64(time.Second))
}
