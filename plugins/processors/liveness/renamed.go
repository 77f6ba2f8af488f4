package liveness

import (
	"slices"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// renamedAfter is how long the only bus that was known at the start is awaited, by the clock of the only one that is
// heard, before it is taken to be the same bus under another name.
const renamedAfter = 30 * time.Second

// renamed finds that a bus has another name since a restart: the host was renamed, or the endpoint is spelled another
// way. A component that died during the restart has to be found all the same.
type renamed struct {
	former   *bus               // the only one that was known at the start; nil: there was none, or it is decided
	snapshot *detector.Snapshot // of the former bus
	key      string             // of the former bus
	heir     *bus               // the bus that was taken to be the former one; nil: none was
}

// checkRenamed lets a bus inherit what was known of the former one, if that is not heard.
func (l *Liveness) checkRenamed(acc telegraf.Accumulator, b *bus, e *event) {
	r := &l.renamed
	if r.former == nil {
		return
	}
	if len(l.buses.all) > 2 || !r.former.heard.IsZero() {
		l.renamed = renamed{}
		return
	}
	if b == r.former || b.detector.Now() < renamedAfter {
		return
	}
	former := r.former
	open := append(openLevels(former.detector), openLevels(b.detector)...)
	heard := l.inherit(b)
	r.former, r.heir = nil, b
	l.buses.Remove(former)
	l.forgetExpectations(former)
	if l.store != nil {
		l.store.Replace() // a part of both would be neither
	}
	ended := make(map[string]bool)
	for i := range heard {
		found := b.detector.Beat(&heard[i])
		for _, f := range found {
			ended[gapID(&f)] = true
		}
		l.report(acc, b, found, e)
	}
	for _, f := range openLevels(b.detector) {
		ended[gapID(&f)] = true // it goes on
	}
	for _, f := range open { // of a component that was back, and is silent again, or was killed
		if !ended[gapID(&f)] {
			ended[gapID(&f)] = true
			l.report(acc, b, b.detector.End(f.Key, f.Niche, f.Gap), e)
		}
	}
	l.Log.Warnf("The bus %q was not heard since the start, and %q is the only other one: it is taken to be the same bus under another name. "+
		"If it is not, this is undone once the former one is heard",
		former.name(), b.name())
}

// openLevels returns the levels of all open gaps.
func openLevels(d *detector.Detector) []detector.Finding {
	return slices.DeleteFunc(slices.Clone(d.Report()), func(f detector.Finding) bool { return f.Gap == nil })
}

// gapID is the id of the gap of a finding; empty: it has none.
func gapID(f *detector.Finding) string {
	if f.Gap == nil {
		return ""
	}
	return f.Gap.IncidentID
}

// inherit gives a bus what was known of the former one. The clock of the bus goes on from the end of the former one: the
// times of what it heard itself, own, are moved by that, and both together are restored as whole. It returns the beats
// that were heard of components that are known.
func (l *Liveness) inherit(b *bus) (heard []detector.Beat) {
	own, whole := b.detector.Snapshot(), *l.renamed.snapshot
	former := whole.Clock
	began := former.Now
	whole.Clock, whole.Components = own.Clock, slices.Clone(whole.Components)
	whole.Clock.Follow(&former)
	if own.Killed != nil {
		whole.Killed = own.Killed
		whole.Killed.At += began
	}
	if own.Resumed != nil {
		whole.Resumed = own.Resumed
		whole.Resumed.At += began
	}
	again := make(map[string]bool) // those that were heard here, and are silent again, or were killed
	for i := range own.Components {
		c := &own.Components[i]
		again[c.Key] = c.State == detector.Silent || c.State == detector.Killed && c.Beats > 0
	}
	whole.Outages = slices.Clone(whole.Outages)
	for i := range whole.Outages {
		o := &whole.Outages[i]
		o.Members = slices.DeleteFunc(slices.Clone(o.Members), func(key string) bool { return again[key] })
	}
	known := make(map[string]*detector.ComponentSnapshot, len(whole.Components))
	for i := range whole.Components {
		c := &whole.Components[i]
		c.Restarts = own.Clock.Restarts - 1 // its reading is of a former run
		known[c.Key] = c
	}
	if own.Killed != nil { // those that were not heard were killed, too; the others say so themselves
		here := make(map[string]bool, len(own.Components))
		for i := range own.Components {
			here[own.Components[i].Key] = own.Components[i].State != detector.Unseen
		}
		for i := range whole.Components {
			c := &whole.Components[i]
			alive := c.State == detector.Up || c.State == detector.Late
			if !here[c.Key] && (alive || c.State == detector.Unseen && c.Incident == "") {
				c.State = detector.Killed
			}
		}
	}
	for _, e := range own.Ended {
		e.Until += began
		whole.Ended = append(slices.Clip(whole.Ended), e)
	}
	reported := make(map[string]bool) // outages of this bus that are reported, and have to be closed
	for _, o := range slices.Backward(own.Outages) {
		if !o.Reported {
			continue // its members' gaps are opened again
		}
		reported[o.ID] = true
		o.Opened, o.Since = o.Opened+began, o.Since+began
		o.Members = slices.DeleteFunc(o.Members, func(key string) bool { return known[key] != nil && !again[key] })
		whole.Outages = slices.Insert(slices.Clone(whole.Outages), 0, o)
	}
	var appeared []detector.ComponentSnapshot
	for _, c := range own.Components {
		beat := detector.Beat{Key: c.Key, Niche: c.Niche, Run: own.Clock.Run, Observed: c.Reading, LastSeen: c.LastSeen, Beats: int(c.Beats)}
		switch before := known[c.Key]; {
		case before != nil && c.State == detector.Unseen:
			if before.State == detector.Unseen && before.Incident == "" && !c.Member {
				before.Incident = c.Incident
			}
		case before == nil || c.State == detector.Silent:
			c.Last, c.Born, c.Since = c.Last+began, c.Born+began, c.Since+began
			c.Holes += former.LastHole + 1
			c.Flaps = nil
			if c.Member && !reported[c.Incident] {
				c.Incident = ""
				if c.State == detector.Silent {
					c.State = detector.Late // its gap is opened again, under the same id
				}
			}
			if before != nil {
				*before = c
			} else {
				appeared = append(appeared, c)
			}
		case before.State == detector.Unseen:
			beat.Observed = own.Clock.LastTick // the first beat that is heard is of now
			heard = append(heard, beat)
		default:
			if c.State == detector.Killed {
				before.State, before.Incident, before.Member = c.State, "", false
			}
			heard = append(heard, beat)
		}
	}
	whole.Components = append(whole.Components, appeared...)
	d := l.buses.create(b.key)
	for key, home := range l.expected.anywhere {
		if home == b || home == l.renamed.former {
			l.expected.anywhere[key] = b
			d.Expect(key, false)
		}
	}
	l.restored(b, d.Restore(&whole))
	b.detector = d
	return heard
}

// undoRenamed gives a bus that was taken to be renamed, and is heard after all, what was known of it. The other keeps
// what it heard itself. Gaps of before go on on the former bus, those opened since are closed.
func (l *Liveness) undoRenamed(acc telegraf.Accumulator, key []byte, e *event) {
	r := l.renamed
	if r.heir == nil || string(key) != r.key {
		return
	}
	b := l.buses.Add(r.key)
	if b == nil {
		return
	}
	l.renamed = renamed{}
	own := make(map[string]*detector.ComponentSnapshot)
	heard := r.heir.detector.Snapshot().Components
	for i := range heard {
		own[heard[i].Key] = &heard[i]
	}
	for i := range r.snapshot.Components {
		c := &r.snapshot.Components[i]
		is, known := own[c.Key]
		if !known || is.Beats != c.Beats { // it was heard since
			continue
		}
		if l.expected.anywhere[c.Key] == r.heir {
			l.expected.anywhere[c.Key] = b
			b.detector.Expect(c.Key, false)
		}
		l.report(acc, r.heir, r.heir.detector.Remove(c.Key, openIncident(is) == openIncident(c)), e)
	}
	l.Log.Warnf("The bus %q is heard after all: it is not the same as %q", b.name(), r.heir.name())
	l.restored(b, b.detector.Restore(r.snapshot))
	if l.store != nil {
		l.store.Replace()
	}
}

// openIncident is the id of the open incident of a component, its flapping or another; empty: there is none.
func openIncident(c *detector.ComponentSnapshot) string {
	if c.Flaps != nil && c.Flaps.Incident != "" {
		return c.Flaps.Incident
	}
	return c.Incident
}
