package liveness

import (
	"slices"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// inheritance makes one snapshot of what was known of a former bus and of what the bus that is taken to be the same has heard
// itself, its own. The clock of the latter goes on from the end of the former one: its own times are moved by that.
type inheritance struct {
	whole detector.Snapshot
	heard []detector.Beat // of components that the former bus knew, to be taken once the whole is restored

	own      *detector.Snapshot
	began    time.Duration                          // where the clock of the former bus ended
	holes    uint32                                 // how many there are before its own
	known    map[string]*detector.ComponentSnapshot // of the former bus, in the whole
	again    map[string]bool                        // those that were heard here, and are silent again or were ended on purpose
	reported map[string]bool                        // its own outages that are reported, and have to be closed
}

func newInheritance(own, former *detector.Snapshot) *inheritance {
	i := &inheritance{
		whole: *former, own: own, began: former.Clock.Now, holes: former.Clock.LastHole + 1,
		known: make(map[string]*detector.ComponentSnapshot), again: make(map[string]bool), reported: make(map[string]bool),
	}
	i.whole.Clock = own.Clock
	i.whole.Clock.Follow(&former.Clock)
	i.whole.Components = slices.Clone(former.Components)
	for at := range i.whole.Components {
		c := &i.whole.Components[at]
		c.Restarts = own.Clock.Restarts - 1 // its reading is of a former run
		i.known[c.Key] = c
	}
	for at := range own.Components {
		c := &own.Components[at]
		i.again[c.Key] = c.State == detector.Silent || endedOnPurpose(c) && c.Beats > 0
	}
	i.takeSignals()
	i.takeOutages()
	i.takeComponents()
	i.whole.Ended = nil
	for _, e := range former.Ended {
		e.Until = max(e.Until, i.whole.Clock.Now) // nothing was reported meanwhile: it is with the next report
		i.whole.Ended = append(i.whole.Ended, e)
	}
	for _, e := range own.Ended {
		e.Until += i.began
		i.whole.Ended = append(i.whole.Ended, e)
	}
	return i
}

// takeSignals takes the last kill signal and the last maintenance. Those that were not heard here were killed, too; the others
// say so themselves.
func (i *inheritance) takeSignals() {
	if i.own.Resumed != nil {
		i.whole.Resumed = i.own.Resumed
		i.whole.Resumed.At += i.began
	}
	if i.own.Killed == nil {
		return
	}
	i.whole.Killed = i.own.Killed
	i.whole.Killed.At += i.began
	here := make(map[string]bool, len(i.own.Components))
	for at := range i.own.Components {
		here[i.own.Components[at].Key] = i.own.Components[at].State != detector.Unseen
	}
	for key, c := range i.known {
		alive := c.State == detector.Up || c.State == detector.Late
		if !here[key] && (alive || c.State == detector.Unseen && c.Incident == "") {
			c.State = detector.Killed
		}
	}
}

// takeOutages takes its own outages that are reported. A component is a member where it is silent.
func (i *inheritance) takeOutages() {
	i.whole.Outages = slices.Clone(i.whole.Outages)
	for at := range i.whole.Outages {
		o := &i.whole.Outages[at]
		o.Members = slices.DeleteFunc(slices.Clone(o.Members), func(key string) bool { return i.again[key] })
	}
	i.whole.Outages = slices.DeleteFunc(i.whole.Outages, func(o detector.OutageSnapshot) bool { return len(o.Members) == 0 })
	for _, o := range slices.Backward(i.own.Outages) {
		if !o.Reported {
			continue // its members' gaps are opened again
		}
		i.reported[o.ID] = true
		o.Opened, o.Since = o.Opened+i.began, o.Since+i.began
		o.Members = slices.DeleteFunc(o.Members, func(key string) bool { return i.known[key] != nil && !i.again[key] })
		i.whole.Outages = slices.Insert(i.whole.Outages, 0, o)
	}
}

// takeComponents takes its own components: those that the former bus did not know, that are silent, or that it had not heard and
// that were ended on purpose, as they are, and the beats of all others.
func (i *inheritance) takeComponents() {
	var appeared []detector.ComponentSnapshot
	for _, c := range i.own.Components {
		before := i.known[c.Key]
		beat := detector.Beat{Key: c.Key, Niche: c.Niche, Run: i.own.Clock.Run, Observed: c.Reading, LastSeen: c.LastSeen, Beats: int(c.Beats)}
		switch {
		case before == nil:
			appeared = append(appeared, i.moved(c))
		case c.State == detector.Unseen:
			if before.State == detector.Unseen && before.Incident == "" && !c.Member {
				before.Incident = c.Incident
			}
		case c.State == detector.Silent,
			before.State == detector.Unseen && endedOnPurpose(&c) && (c.Beats > 0 || before.Incident == ""):
			*before = i.moved(c)
		case before.State == detector.Unseen:
			beat.Observed = i.own.Clock.LastTick // the first beat that is heard is of now
			i.heard = append(i.heard, beat)
		default:
			if endedOnPurpose(&c) {
				before.State, before.Incident, before.Member, before.Stop = c.State, "", false, i.moved(c).Stop
			}
			i.heard = append(i.heard, beat)
		}
	}
	i.whole.Components = append(i.whole.Components, appeared...)
}

// moved returns one of its own components by the clock of the whole.
func (i *inheritance) moved(c detector.ComponentSnapshot) detector.ComponentSnapshot {
	c.Last, c.Born, c.Since = c.Last+i.began, c.Born+i.began, c.Since+i.began
	c.Holes += i.holes
	if c.Flaps != nil {
		c.Flaps = &detector.FlapsSnapshot{Times: slices.Clone(c.Flaps.Times), Incident: c.Flaps.Incident, Since: c.Flaps.Since + i.began}
		for at := range c.Flaps.Times {
			c.Flaps.Times[at] += i.began
		}
	}
	if c.Former != nil {
		c.NicheAt += i.began
	}
	if c.Stop != nil {
		c.Stop = new(*c.Stop)
		c.Stop.At += i.began
	}
	if c.Member && !i.reported[c.Incident] {
		c.Incident = ""
		if c.State == detector.Silent {
			c.State = detector.Late // its gap is opened again, under the same id
		}
	}
	return c
}

// endedOnPurpose reports whether a component was ended on purpose.
func endedOnPurpose(c *detector.ComponentSnapshot) bool {
	return c.State == detector.Killed || c.State == detector.Stopped
}
