package main

import (
	"errors"
	"sync"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

const (
	colonySize   = 8
	firstKill    = 8 * time.Second // Telegraf has started and received all components
	deadFor      = 9 * time.Second // above the threshold
	betweenKills = 9 * time.Second

	// In each round, this long after the component was revived, some others are stopped in a maintenance.
	maintenanceAfter  = 3 * time.Second
	maintenanceLength = 6 * time.Second // above the threshold
	maintained        = 3
)

// scenario is a colony in which one component after the other is killed and revived, with a maintenance in between.
type scenario struct {
	colony *colony.Colony
	screen *screen
	marker string // file of a maintenance
	stop   chan struct{}
	wg     sync.WaitGroup
	err    error // of the goroutine; to be read after wg
}

func startScenario(xsub, marker string, s *screen) (*scenario, error) {
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
	s.printf("started %d components with a heartbeat every %v", len(zooids), beatInterval)
	p := &scenario{colony: c, screen: s, marker: marker, stop: make(chan struct{})}
	p.wg.Go(func() { p.err = p.run() })
	return p, nil
}

func (p *scenario) run() error {
	names := p.colony.Names()
	pause := firstKill
	for i := 0; ; i++ {
		name := names[i%len(names)]
		if !p.wait(pause) {
			return nil
		}
		p.screen.printf("KILL      %q", name)
		if err := p.colony.Kill(name); err != nil {
			return err
		}
		if !p.wait(deadFor) {
			return nil
		}
		p.screen.printf("REVIVE    %q", name)
		if err := p.colony.Revive(name); err != nil {
			return err
		}
		if !p.wait(maintenanceAfter) {
			return nil
		}
		if more, err := p.maintain(names[len(names)-maintained:]); !more || err != nil {
			return err
		}
		pause = betweenKills
	}
}

// maintain does a maintenance as the colony's script does it; false if the scenario was closed before its end.
func (p *scenario) maintain(zooids []string) (more bool, err error) {
	m := colony.Maintenance{Zooids: zooids, Marker: p.marker}
	p.screen.printf("SUSPEND   maintenance: %q are stopped for %v", zooids, maintenanceLength)
	if err := p.colony.Suspend(m); err != nil {
		return false, err
	}
	more = p.wait(maintenanceLength)
	p.screen.printf("RESUME    the end of the maintenance: they are started again")
	return more, p.colony.Resume(m)
}

// wait waits for d; false if the scenario was closed before.
func (p *scenario) wait(d time.Duration) bool {
	select {
	case <-p.stop:
		return false
	case <-time.After(d):
		return true
	}
}

// Close stops the scenario and the colony.
func (p *scenario) Close() error {
	close(p.stop)
	p.wg.Wait()
	return errors.Join(p.err, p.colony.Close())
}
