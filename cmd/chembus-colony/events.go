package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// maintained is the number of zooids that a maintenance stops, as the colony's script does.
const maintained = 9

// event is a scheduled event.
type event struct {
	at     time.Duration // after the start
	kind   kind
	zooid  string   // for killZooid, stopZooid and reviveZooid
	zooids []string // stopped by suspend, started by resume
}

type kind string

const (
	killZooid   kind = "kill"
	stopZooid   kind = "stop"
	reviveZooid kind = "revive"
	killSignal  kind = "publish the kill signal"
	pauseBus    kind = "pause the bus"
	resumeBus   kind = "resume the bus"
	suspend     kind = "begin a maintenance"
	resume      kind = "end the maintenance"
)

func (e event) execute(bus *colony.Bus, c *colony.Colony, marker string) error {
	switch e.kind {
	case killZooid:
		return c.Kill(e.zooid)
	case stopZooid:
		return c.Stop(e.zooid)
	case reviveZooid:
		return c.Revive(e.zooid)
	case killSignal:
		return c.KillSignal()
	case pauseBus:
		return bus.Pause()
	case resumeBus:
		return bus.Resume()
	case suspend:
		return c.Suspend(colony.Maintenance{Zooids: e.zooids, Marker: marker})
	default:
		return c.Resume(colony.Maintenance{Zooids: e.zooids, Marker: marker})
	}
}

// String describes the event for the user.
func (e event) String() string {
	switch {
	case e.zooid != "":
		return fmt.Sprintf("%s %q", e.kind, e.zooid)
	case e.kind == suspend || e.kind == resume:
		return fmt.Sprintf("%s of %d zooids: %q", e.kind, len(e.zooids), e.zooids)
	}
	return string(e.kind)
}

func (o *options) zooidEvent(k kind) func(string) error {
	return func(value string) error {
		at := strings.LastIndexByte(value, '@')
		if at <= 0 {
			return errors.New("use NAME@DURATION, as in meta_agent@30s")
		}
		after, err := time.ParseDuration(value[at+1:])
		if err != nil || after < 0 {
			return fmt.Errorf("invalid duration %q; use NAME@DURATION, as in meta_agent@30s", value[at+1:])
		}
		o.events = append(o.events, event{at: after, kind: k, zooid: value[:at]})
		return nil
	}
}

func (o *options) killSignalEvent(value string) error {
	after, err := time.ParseDuration(value)
	if err != nil || after < 0 {
		return errors.New("use a duration from 0, as in 30s")
	}
	o.events = append(o.events, event{at: after, kind: killSignal})
	return nil
}

// spanEvents reads the times of two events, one at the beginning and one at the end.
func (o *options) spanEvents(begin, end kind) func(string) error {
	return func(value string) error {
		start, length, _ := strings.Cut(value, "+")
		from, startErr := time.ParseDuration(start)
		long, lengthErr := time.ParseDuration(length)
		if startErr != nil || lengthErr != nil || from < 0 || long <= 0 {
			return errors.New("use START+LENGTH, as in 30s+10s")
		}
		o.events = append(o.events, event{at: from, kind: begin}, event{at: from + long, kind: end})
		return nil
	}
}

// checkEvents checks that each event is possible at its time, and sets the zooids of each maintenance.
func (o *options) checkEvents() error {
	running := make(map[string]bool, len(o.zooids))
	for _, z := range o.zooids {
		running[z.Name] = true
	}
	paused := false
	var stopped *event // the maintenance that has begun
	for i := range o.events {
		e := &o.events[i]
		up, known := running[e.zooid]
		switch e.kind {
		case pauseBus:
			if o.noBus {
				return errors.New("-pause: only the bus of this process can be paused; leave out -no-bus")
			}
			if paused {
				return fmt.Errorf("-pause: the bus is already paused at %v; pauses must not overlap", e.at)
			}
			paused = true
		case resumeBus:
			paused = false
		case suspend:
			if stopped != nil {
				return fmt.Errorf("-maintenance: there is one already at %v; they must not overlap", e.at)
			}
			stopped = e
			for _, z := range o.zooids {
				if running[z.Name] && len(e.zooids) < maintained {
					e.zooids = append(e.zooids, z.Name)
					running[z.Name] = false
				}
			}
		case resume:
			for _, name := range stopped.zooids {
				if !running[name] { // not revived meanwhile
					e.zooids = append(e.zooids, name)
					running[name] = true
				}
			}
			stopped = nil
		case killSignal:
			for _, z := range o.zooids {
				running[z.Name] = running[z.Name] && z.RuntimeStreams > 0
			}
		default:
			switch {
			case !known:
				return fmt.Errorf("-%s: there is no zooid %q; see the names that chembus-colony prints at its start", e.kind, e.zooid)
			case e.kind != reviveZooid && !up:
				return fmt.Errorf("-%s: %q was ended before %v", e.kind, e.zooid, e.at)
			case e.kind == reviveZooid && up:
				return fmt.Errorf("-revive: %q is alive at %v; kill or stop it first", e.zooid, e.at)
			}
			running[e.zooid] = e.kind == reviveZooid
		}
	}
	return nil
}
