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
	goOn := openLevels(b.detector)
	for _, f := range goOn {
		ended[gapID(&f)] = true
	}
	for _, f := range open { // of a component that was back, and is silent again, or was killed
		if !ended[gapID(&f)] {
			ended[gapID(&f)] = true
			l.report(acc, b, b.detector.End(f.Key, f.Niche, f.Gap), e)
		}
	}
	l.report(acc, b, goOn, e) // the last level of a component must be that of the gap that is open
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

// inherit gives a bus what was known of the former one. It returns the beats that were heard of components that are known.
func (l *Liveness) inherit(b *bus) (heard []detector.Beat) {
	i := newInheritance(b.detector.Snapshot(), l.renamed.snapshot)
	d := l.buses.create(b.key)
	for key, home := range l.expected.anywhere {
		if home == b || home == l.renamed.former {
			l.expected.anywhere[key] = b
			d.Expect(key, false)
		}
	}
	l.restored(b, d.Restore(&i.whole))
	b.detector = d
	return i.heard
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
	here := slices.Concat(l.expected.everywhere, l.expected.on[r.heir.name()])
	for i := range r.snapshot.Components {
		c := &r.snapshot.Components[i]
		is, known := own[c.Key]
		if !known || is.Beats != c.Beats || is.LastSeen != c.LastSeen { // it was heard since
			continue
		}
		expected, goesOn := slices.Contains(here, c.Key), openIncident(is) == openIncident(c)
		if expected && is.Beats == 0 && (is.Incident == "" || !goesOn) {
			continue // that it does not come here is a matter of this bus
		}
		if l.expected.anywhere[c.Key] == r.heir {
			l.expected.anywhere[c.Key] = b
			b.detector.Expect(c.Key, false)
		}
		l.report(acc, r.heir, r.heir.detector.Remove(c.Key, goesOn), e)
		if expected { // from now on
			r.heir.detector.Unexpect(c.Key)
			r.heir.detector.Expect(c.Key, true)
		}
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
