package liveness

import (
	"errors"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
)

// leastSilence is for how long metrics of an input may at least arrive without any tick, by the clock of arrival.
const leastSilence = 30 * time.Second

// mostSilence is for how long they may: ticks of an input can come as rarely as blind_after allows.
func (l *Liveness) mostSilence() time.Duration {
	return max(leastSilence, 2*time.Duration(l.BlindAfter))
}

// pipeline finds that metrics of an input arrive and its ticks do not: no component is judged then, and nothing else
// would say so.
type pipeline struct {
	ticks   tickCheck // of all buses; metrics of an input are its beats
	renamed string    // the name of a tick that has another, such as one with a prefix
}

// Look takes a metric that is no tick. It reports whether metrics of an input have come for too long without one; once.
func (p *pipeline) Look(m telegraf.Metric, measurement string, arrived func() time.Duration) bool {
	switch name := m.Name(); {
	case strings.Contains(name, tickMeasurement):
		p.renamed = name
	case name == measurement:
	case strings.Contains(name, busMeasurement):
		if observable, _ := m.GetField("observable"); observable == false {
			return false // no tick comes of a bus that cannot be heard
		}
	default:
		return false
	}
	return p.ticks.Beat(arrived())
}

// Ticked takes that a tick came.
func (p *pipeline) Ticked(arrived time.Duration) {
	p.ticks.Tick(arrived)
	p.renamed = ""
}

// arrived is the time at which a metric arrives, since the start.
func (l *Liveness) arrived() time.Duration {
	return l.now().Sub(l.watches.started)
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
		name, l.mostSilence(), tickMeasurement)
}

// checkTicks takes that a heartbeat of a bus came. It logs that no ticks of this bus come, while those of others do.
func (l *Liveness) checkTicks(b *bus) {
	if l.pipeline.ticks.Missing() || !b.ticks.Beat(l.arrived()) || !b.blind.Allow(l.now()) {
		return
	}
	l.Log.Warnf("No component of the bus %q is judged: its heartbeats came for %v and no %q with the same tags [\"%s\"]. "+
		"Let no filter (namepass, namedrop, metricpass) between its input and this processor drop it, and name only tags in bus that it has",
		b.name(), 2*l.mostSilence(), tickMeasurement, strings.Join(l.Bus, `", "`))
}
