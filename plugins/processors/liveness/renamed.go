package liveness

import (
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// renamedAfter is how long the only bus that was known at the start is awaited, by the clock of the only one that is
// heard, before it is taken to be the same bus under another name.
const renamedAfter = 30 * time.Second

// renamed finds that a bus has another name since a restart: the host was renamed, or the endpoint is spelled another
// way. Whoever died during the restart has to be found all the same.
type renamed struct {
	former   *bus               // the only one that was known at the start; nil: it is settled whether it is renamed
	snapshot *detector.Snapshot // of that
	key      string             // of that
	heir     *bus               // that inherited what was known of it; nil: none did
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
	r.former = nil
	found, err := b.detector.Inherit(r.snapshot)
	if err != nil {
		l.Log.Errorf("What was known of the bus %q cannot be used for %q: %v", former.name(), b.name(), err)
		l.renamed = renamed{}
		return
	}
	r.heir = b
	l.buses.Remove(former)
	l.Log.Warnf("The bus %q was not heard since the start, and %q is the only other one: it is taken to be the same bus under another name",
		former.name(), b.name())
	l.report(acc, b, found, e)
}

// undoRenamed gives a bus that was taken to be renamed, and is heard after all, what was known of it.
func (l *Liveness) undoRenamed(acc telegraf.Accumulator, key []byte, e *event) {
	r := l.renamed
	if r.heir == nil || string(key) != r.key {
		return
	}
	l.renamed = renamed{}
	l.report(acc, r.heir, r.heir.detector.GiveBack(r.snapshot), e)
	b := l.buses.Add(r.key)
	if b == nil {
		return
	}
	l.Log.Warnf("The bus %q is heard after all: it is not the same as %q", b.name(), r.heir.name())
	if err := b.detector.Restore(r.snapshot); err != nil {
		l.Log.Errorf("What was known of the bus %q cannot be used: %v", b.name(), err)
	}
}
