package main

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// killSignal sends the kill signal, and after some time starts all zooids that it ended.
func (c *campaign) killSignal(_ string, d time.Duration) error {
	ended, err := c.endAll(func([]string) error { return c.colony.KillSignal() })
	if err != nil {
		return err
	}
	time.Sleep(d)
	for _, name := range ended {
		err = errors.Join(err, c.colony.Revive(name))
	}
	c.beginAll(ended)
	return err
}

// maintain does a maintenance that starts all zooids again that it stops.
func (c *campaign) maintain(_ string, d time.Duration) error {
	m := colony.Maintenance{Marker: c.marker()}
	end := c.disturb(disturbance{recovery: restarted})
	if _, err := c.endAll(func(alive []string) error {
		m.Zooids = alive
		return c.colony.Suspend(m)
	}); err != nil {
		return err
	}
	time.Sleep(d)
	over := c.now()
	err := c.colony.Resume(m)
	// Who was dead before gets so much more time to come back.
	end(over, min(d, c.most))
	c.beginAll(m.Zooids)
	return err
}

// endAll ends the lives of all zooids that are alive, none of which comes back meanwhile, and returns them.
func (c *campaign) endAll(end func(alive []string) error) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	alive := slices.Sorted(maps.Keys(c.born))
	clear(c.born)
	return alive, end(alive)
}

// beginAll begins lives of zooids.
func (c *campaign) beginAll(zooids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range zooids {
		c.born[name] = c.now()
	}
}
