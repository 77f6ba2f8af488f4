package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

const (
	networkMonitors = 3
	networkZooids   = 12
	// reconnected is how long after the end of a fault of a link all parts must work again.
	reconnected = 10 * time.Second
	// signedOff is how long it takes until both sides of a connection without an answer have noticed.
	signedOff = 20 * time.Second
)

// networkFaults are those of a bus with three monitors behind links of their own.
var networkFaults = []fault{
	faults[0].weighing(4), faults[1].weighing(1),
	{kind: "link loses all", weight: 2, ofMonitor: true, loses: true,
		shortest: 200 * time.Millisecond, longest: 40 * time.Second, do: onLink((*link).loseAll, true)},
	{kind: "link loses what the bus sends", weight: 2, ofMonitor: true, loses: true,
		shortest: 200 * time.Millisecond, longest: 20 * time.Second, do: onLink((*link).loseOfBus, true)},
	{kind: "link loses what the monitor sends", weight: 2, ofMonitor: true, loses: true,
		shortest: 200 * time.Millisecond, longest: 20 * time.Second, do: onLink((*link).loseOfHost, false)},
	{kind: "link is slow", weight: 2, ofMonitor: true, loses: true,
		shortest: time.Second, longest: 10 * time.Second, do: onLink((*link).slow, false)},
	{kind: "link is down", weight: 1, ofMonitor: true, loses: true,
		shortest: 200 * time.Millisecond, longest: 40 * time.Second, do: onLink((*link).down, true)},
	{kind: "link loses all, telegraf killed", weight: 1, ofMonitor: true, loses: true,
		shortest: time.Second, longest: signedOff, do: (*campaign).loseTelegraf},
	{kind: "link loses all, bus killed", weight: 1, ofMonitor: true, loses: true, parts: []string{busPart},
		shortest: time.Second, longest: signedOff, do: (*campaign).loseBus},
	{kind: "all links lose all", weight: 1, loses: true, parts: []string{"monitor0", "monitor1", "monitor2", busPart},
		shortest: time.Second, longest: time.Minute, do: (*campaign).loseMonitors},
}

// weighing returns the fault with another relative frequency.
func (f fault) weighing(weight int) fault {
	f.weight = weight
	return f
}

func (l *link) loseAll(on bool) error    { return l.lose(on, on) }
func (l *link) loseOfBus(on bool) error  { return l.lose(on, false) }
func (l *link) loseOfHost(on bool) error { return l.lose(false, on) }

// soakNetwork does random faults to the network between a bus and three monitors, while components die.
func soakNetwork(ctx context.Context, o options) error {
	fmt.Fprintf(o.out, "%s: %d faults of the network between a bus with %d zooids and %d monitors, seed %d\n",
		time.Now().Format(time.TimeOnly), o.n, networkZooids, networkMonitors, o.seed)
	r, err := onNetworkStage(ctx, o, func(ctx context.Context, c *campaign) (ledger, error) { return c.run(ctx, o.n) })
	return r.judge(o.out, err)
}

// onNetworkStage does a campaign with the faults of the network, and returns the report.
func onNetworkStage(ctx context.Context, o options, do func(ctx context.Context, c *campaign) (ledger, error)) (*report, error) {
	o.stages = 1
	set := quickSetting(networkZooids, false)
	set.bus = colony.BusConfig{XSub: anyAddress, XPub: anyAddress}
	for i := range networkMonitors {
		l, err := newLink(i)
		if err != nil {
			return nil, err
		}
		set.links = append(set.links, l)
	}
	return onRandomStages(ctx, o, set, func(ctx context.Context, _ int, c *campaign) (ledger, error) {
		c.kinds = networkFaults
		return do(ctx, c)
	})
}

// onLink does something to the link of a monitor for some time, in which it hears nothing if it is blind.
func onLink(set func(l *link, on bool) error, blind bool) func(*campaign, string, time.Duration) error {
	return func(c *campaign, name string, d time.Duration) error {
		h, number := c.hostOf(name)
		return c.whileLost([]*host{h}, number, set, blind, func() (time.Duration, error) {
			c.rest(d)
			return 0, nil
		})
	}
}

// loseTelegraf kills Telegraf while its link loses all: the connections of the bus to it are half-open.
func (c *campaign) loseTelegraf(name string, d time.Duration) error {
	h, number := c.hostOf(name)
	return c.whileLost([]*host{h}, number, (*link).loseAll, true, func() (unsaved time.Duration, err error) {
		killed := c.now()
		if err := h.killAgent(); err != nil {
			return 0, err
		}
		c.rest(d)
		return c.unsaved(h, killed), errors.Join(h.startAgent(), h.awaitPlugins(0))
	})
}

// loseBus restarts the bus while the link of a monitor loses all: its connections to the bus are half-open.
func (c *campaign) loseBus(name string, d time.Duration) error {
	h, number := c.hostOf(name)
	return c.whileLost([]*host{h}, number, (*link).loseAll, true, func() (time.Duration, error) {
		end := c.disturb(disturbance{recovery: restarted, loses: true})
		err := errors.Join(c.bus.Kill(), c.bus.Restart())
		end(0, 0)
		c.rest(d)
		return 0, err
	})
}

// loseMonitors has all links lose all.
func (c *campaign) loseMonitors(_ string, d time.Duration) error {
	return c.whileLost(c.hosts, 0, (*link).loseAll, true, func() (time.Duration, error) {
		c.rest(d)
		return 0, nil
	})
}

// whileLost does something while something is done to links. That disturbs the monitor of that number, 0: all.
func (c *campaign) whileLost(hosts []*host, number int, set func(l *link, on bool) error, blind bool, do func() (unsaved time.Duration, err error)) error {
	end := c.disturb(disturbance{monitor: number, recovery: reconnected, loses: true})
	from := c.now()
	setAll := func(on bool) error {
		var err error
		for _, h := range hosts {
			err = errors.Join(err, set(h.link, on))
		}
		return err
	}
	err := setAll(true)
	unsaved, failed := do()
	var blindUntil time.Duration
	if now := c.now(); blind && now-from > blindAfter {
		blindUntil = now
	}
	err = errors.Join(err, failed, setAll(false))
	end(blindUntil, unsaved)
	return err
}

// hostOf returns the host of that name, and the number of its monitor.
func (c *campaign) hostOf(name string) (h *host, number int) {
	i := slices.IndexFunc(c.hosts, func(h *host) bool { return h.link.name == name })
	return c.hosts[i], i + 1
}

// rest waits, unless the campaign ends.
func (c *campaign) rest(d time.Duration) {
	select {
	case <-c.ending:
	case <-time.After(d):
	}
}
