package liveness

import (
	"errors"
	"io/fs"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
)

// This file is for a processor that runs beside the one in Telegraf, such as that of telegraf-chembus watch. It is
// initialised and not started: it locks nothing and saves nothing.

// Recollection is what such a processor takes from the state file.
type Recollection struct {
	Path  string    // of the state file
	Saved time.Time // zero: there is no state
	Buses []RecalledBus
}

// RecalledBus is a bus that was known when the state was saved.
type RecalledBus struct {
	Tags  map[string]string
	Heard time.Time // time of the last metric
}

// Outdated reports whether the state was saved again since. After an error it does not.
func (r Recollection) Outdated() bool {
	return statefile.Written(r.Path).After(r.Saved)
}

// Recall starts over with what the processor with the same options saved, and leaves the file and its lock alone.
// That there is no state is no error. After an error nothing is known from before.
func (l *Liveness) Recall() (Recollection, error) {
	l.reset()
	var r Recollection
	r.Path, _ = statefile.Place(l.StateFile, stateName)
	s, saved, err := readState(r.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = l.restore(s)
	}
	if err != nil {
		return r, err
	}
	r.Saved = saved
	for _, b := range l.buses.all {
		tags := make(map[string]string)
		l.addBusTags(tags, b)
		r.Buses = append(r.Buses, RecalledBus{Tags: tags, Heard: b.latest()})
	}
	return r, nil
}

// Report adds the status of every component and the level of every open gap, whether a report is due or not.
// It must not be called during Add.
func (l *Liveness) Report(acc telegraf.Accumulator, at time.Time) {
	for _, b := range l.buses.all {
		l.report(acc, b, b.detector.Report(), &event{at: at})
	}
}
