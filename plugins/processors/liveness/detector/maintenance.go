package detector

import "time"

// Maintenance is one of the bus that is over.
type Maintenance struct {
	EndSignal               // its end
	Lasted    time.Duration `json:"lasted"` // in real time: the clock stood still
}

// Resume takes when the last maintenance of the bus was over, by the clock of an input, which says it with each tick
// since, and how long it had lasted. It is to be called before the tick.
func (d *Detector) Resume(run int64, observed, lasted time.Duration) {
	if !d.clock.Take(run, 0, false) || d.resumed != nil && d.resumed.isCopy(run, observed) {
		return
	}
	at := d.clock.AtSignal(observed)
	if ahead := observed - d.clock.reading; ahead > 0 && ahead <= d.clock.blindAfter {
		at += ahead // which the tick will show
	}
	d.resumed = &Maintenance{EndSignal: EndSignal{At: at, Run: run, Reading: observed}, Lasted: lasted}
}

// judgedFrom is the time from which the silence of a component that is alive counts: its last proof of life, or the end
// of a maintenance since. Whoever was stopped in it has a whole threshold to come back, though its last beat came some time
// before. That silence is forgiven for no longer than the maintenance lasted: a maintenance that is declared again and
// again, and over at once, must not end the monitoring.
func (d *Detector) judgedFrom(c *component) time.Duration {
	if c.onlyAdopted() {
		return c.last // another detector has judged it
	}
	from := after(c.last, d.uncounted(c))
	if d.resumed == nil {
		return from
	}
	return max(from, min(d.resumed.At, after(c.last, d.resumed.Lasted)))
}
