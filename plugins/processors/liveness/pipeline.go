package liveness

import (
	"errors"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
)

// silentPipeline is for how long metrics of an input may arrive without any tick, by the clock of arrival.
const silentPipeline = 30 * time.Second

// pipeline finds that metrics of an input arrive and its ticks do not: no component is judged then, and nothing else
// would say so.
type pipeline struct {
	since   time.Time // of the first metric of an input without a tick after it; zero: there is none
	renamed string    // the name of a tick that has another, such as one with a prefix
	logged  bool
}

// Look takes a metric that is no tick. It reports whether metrics of an input have come for too long without one; once.
func (p *pipeline) Look(name, measurement string, now func() time.Time) bool {
	isTick := strings.Contains(name, tickMeasurement)
	if !isTick && name != measurement && !strings.Contains(name, busMeasurement) {
		return false
	}
	if isTick {
		p.renamed = name
	}
	arrival := now()
	if p.since.IsZero() {
		p.since = arrival
	}
	if p.logged || arrival.Sub(p.since) < silentPipeline {
		return false
	}
	p.logged = true
	return true
}

// warnOfPipeline logs that no ticks come, beside a metric with a name. Of the two copies that Telegraf starts of a
// processor when it has an aggregator, the one behind that never sees one.
func (l *Liveness) warnOfPipeline(name string) {
	if l.standby {
		file, err := statefile.Open(l.statePath)
		if errors.Is(err, statefile.ErrLocked) {
			return
		}
		if err == nil {
			file.Close()
		}
	}
	if renamed := l.pipeline.renamed; renamed != "" {
		l.Log.Warnf("No component is judged: ticks come as %q and not as %q. Remove the name_prefix, name_suffix or name_override "+
			"of inputs.chembus, or of Telegraf's block that runs it", renamed, tickMeasurement)
		return
	}
	l.Log.Warnf("No component is judged: %q came for %v and no %q. Add it to namepass of this processor, "+
		"and let no filter (namepass, namedrop, metricpass) of inputs.chembus or another processor drop it",
		name, silentPipeline, tickMeasurement)
}

// checkTicks takes that a heartbeat of a bus came. It logs that no ticks of this bus come, while those of others do.
func (l *Liveness) checkTicks(b *bus) {
	now := l.now()
	if l.pipeline.logged || !b.ticks.Beat(now.Sub(l.watches.started)) || !b.blind.Allow(now) {
		return
	}
	l.Log.Warnf("No component of the bus %q is judged: its heartbeats came for %v and no %q with the same tags [\"%s\"]. "+
		"Let no filter (namepass, namedrop, metricpass) between its input and this processor drop it, and name only tags in bus that it has",
		b.name(), 2*silentPipeline, tickMeasurement, strings.Join(l.Bus, `", "`))
}

// Ticked takes that a tick came.
func (p *pipeline) Ticked() {
	*p = pipeline{}
}
