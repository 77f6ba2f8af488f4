package main

import (
	"errors"
	"sync"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

const (
	colonySize  = 8
	firstKill   = 8 * time.Second // time for Telegraf to start and hear everybody
	deadFor     = 9 * time.Second // over the threshold
	betweenActs = 9 * time.Second
)

// show is a colony in which one component after the other is killed and revived.
type show struct {
	colony *colony.Colony
	screen *screen
	stop   chan struct{}
	wg     sync.WaitGroup
	err    error // of the goroutine, to be read after wg
}

func startShow(xsub string, s *screen) (*show, error) {
	c, err := colony.New(colony.Config{XSub: xsub})
	if err != nil {
		return nil, err
	}
	zooids := colony.Field(colonySize)
	for i := range zooids {
		zooids[i].Interval = beatInterval
	}
	if err := c.Add(zooids...); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	s.say("%d components beat every %v", len(zooids), beatInterval)
	h := &show{colony: c, screen: s, stop: make(chan struct{})}
	h.wg.Go(func() { h.err = h.perform() })
	return h, nil
}

func (h *show) perform() error {
	names := h.colony.Names()
	pause := firstKill
	for i := 0; ; i++ {
		name := names[i%len(names)]
		if !h.wait(pause) {
			return nil
		}
		h.screen.say("KILL      %q", name)
		if err := h.colony.Kill(name); err != nil {
			return err
		}
		if !h.wait(deadFor) {
			return nil
		}
		h.screen.say("REVIVE    %q", name)
		if err := h.colony.Revive(name); err != nil {
			return err
		}
		pause = betweenActs
	}
}

// wait returns false when the show is over.
func (h *show) wait(d time.Duration) bool {
	select {
	case <-h.stop:
		return false
	case <-time.After(d):
		return true
	}
}

// Close ends the show.
func (h *show) Close() error {
	close(h.stop)
	h.wg.Wait()
	return errors.Join(h.err, h.colony.Close())
}
