package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// monitorsOnBus is how many monitors share a bus.
const monitorsOnBus = 3

// never is the time of what does not happen.
const never = time.Duration(math.MaxInt64)

// faultKind is what is done to a bus, to a monitor or to the consumer.
type faultKind string

const (
	busPaused       faultKind = "bus paused"
	busRestarted    faultKind = "bus restarted"
	monitorKilled   faultKind = "monitor killed"
	monitorReplaced faultKind = "monitor killed, state lost"
	monitorStopped  faultKind = "monitor stopped"
	consumerLate    faultKind = "consumer joins late"
)

// failure is one silence of one component, with the times at which each monitor learns of it. All times count
// from the start of the stage.
type failure struct {
	component string
	lastSeen  [monitorsOnBus]time.Duration // last beat that the monitor heard: decides the incident's id
	finds     [monitorsOnBus]time.Duration // never: it does not find it
	back      [monitorsOnBus]time.Duration // when the monitor hears the component again
	again     bool                         // the component had failed before
	early     bool                         // it may be back before anybody has published the gap
}

// found is when the first monitor finds the failure; never if none does.
func (f *failure) found() time.Duration { return slices.Min(f.finds[:]) }

// late reports whether a monitor finds the failure more than a second after another.
func (f *failure) late() bool {
	return slices.ContainsFunc(f.finds[:], func(at time.Duration) bool { return at != never && at-f.found() > time.Second })
}

// severalIDs reports whether the monitors derive different ids for the failure.
func (f *failure) severalIDs() bool { return slices.Min(f.lastSeen[:]) != slices.Max(f.lastSeen[:]) }

// monitorFault is one fault, at a time that counts from the start of the stage.
type monitorFault struct {
	kind    faultKind
	monitor int // of the kinds that concern one
	at      time.Duration
	length  time.Duration
}

func (f monitorFault) end() time.Duration { return f.at + f.length }

func (f monitorFault) ofMonitor() bool {
	return f.kind == monitorKilled || f.kind == monitorReplaced || f.kind == monitorStopped
}

func (f monitorFault) ofBus() bool { return f.kind == busPaused || f.kind == busRestarted }

func (f monitorFault) String() string {
	kind := string(f.kind)
	if f.ofMonitor() {
		kind = fmt.Sprintf("%s (%d)", kind, f.monitor)
	}
	return fmt.Sprintf("%s for %.3f s", kind, f.length.Seconds())
}

// stagePlan is everything that happens on one bus.
type stagePlan struct {
	name     string
	failures []failure
	faults   []monitorFault
	end      time.Duration
}

// mark is in the name of every component of the plan.
func (p *stagePlan) mark() string { return p.name + "_r" }
