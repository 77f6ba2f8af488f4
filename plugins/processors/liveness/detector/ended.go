package detector

import (
	"slices"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

// maxEnded bounds how many gaps that were closed of late are repeated.
const maxEnded = 1000

// EndedGap is a gap that was closed of late: it is repeated at two reports, as an open one is at each. Who missed that
// it was closed must not take the next failure of its component for the same one.
type EndedGap struct {
	Key   string        `json:"key"`
	Niche string        `json:"niche,omitempty"`
	Gap   Gap           `json:"gap"`
	Until time.Duration `json:"until"` // the time of the last report that repeats it

	tick uint64 // the tick before or at which it was closed
}

// end takes that a gap was closed, or nil.
func (d *Detector) end(key, niche string, gap *Gap) {
	if gap == nil || gap.Open {
		return
	}
	first := d.nextReport
	if first <= d.clock.now && d.ticking { // it comes with this tick, which need not repeat it
		first = d.reportAfter(d.clock.now)
	}
	if len(d.ended) == maxEnded {
		d.ended = slices.Delete(d.ended, 0, 1)
	}
	d.ended = append(d.ended, EndedGap{Key: key, Niche: niche, Gap: *gap, Until: first + d.config.ReportInterval, tick: d.ticks})
}

// End takes that the gap of a component, which is not known here any more, is over. It is repeated unless the next one is open
// already. The findings are valid until the next call.
func (d *Detector) End(key, niche string, gap *Gap) []Finding {
	d.clearFindings()
	closed := *gap
	closed.Open, closed.Members, closed.Size = false, []string{}, 0
	d.findings = append(d.findings, Finding{Key: key, Niche: niche, Change: CameBack, Gap: &closed})
	if !d.isFollowed(EndedGap{Key: key, Gap: closed}) {
		d.end(key, niche, &closed)
	}
	return d.findings
}

// Ended returns the gaps that were closed of late, the latest last. They are valid until the next call.
func (d *Detector) Ended() []EndedGap { return d.ended }

// reportEnded repeats the gaps that were closed before this tick.
func (d *Detector) reportEnded() {
	for i := range d.ended {
		if e := &d.ended[i]; e.tick != d.ticks {
			d.findings = append(d.findings, e.finding())
		}
	}
	now := d.clock.now
	d.ended = slices.DeleteFunc(d.ended, func(e EndedGap) bool { return e.tick != d.ticks && e.Until <= now })
}

// reportEndedOf repeats what was closed of a component, or of outages that are named after it, for the last time: the next
// such gap is about to be opened.
func (d *Detector) reportEndedOf(key string, outages bool) {
	d.ended = slices.DeleteFunc(d.ended, func(e EndedGap) bool {
		its := e.Key == key && outages == (e.Gap.Type == gaptype.Outage)
		if its && e.tick != d.ticks {
			d.findings = append(d.findings, e.finding())
		}
		return its
	})
}

// isFollowed reports whether the next gap of the component, or outage that is named after it, is open.
func (d *Detector) isFollowed(e EndedGap) bool {
	if e.Gap.Type == gaptype.Outage {
		return slices.ContainsFunc(d.outages, func(o *outage) bool { return o.reported && o.key == e.Key })
	}
	c, known := d.components[e.Key]
	return known && (c.flapping() || c.incident != "" && d.outageOf(e.Key) == nil)
}

func (e *EndedGap) finding() Finding {
	gap := e.Gap
	return Finding{Key: e.Key, Niche: e.Niche, Change: Report, Gap: &gap}
}
