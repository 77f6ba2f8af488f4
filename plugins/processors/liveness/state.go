package liveness

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/judge"
)

const (
	// stateName is the file in the default directory.
	stateName = "liveness.json"
	// saveInterval is how often the state is saved, in observed time.
	saveInterval = 10 * time.Second
	// newsInterval is how often it is saved when there is news: a component that is known to nobody
	// else, or an incident, must not be forgotten.
	newsInterval = time.Second
	// saveShare and newsShare bound the time that saving a large state takes: a pause of so many times as long.
	saveShare = 20
	newsShare = 4
)

// findState decides where the state is kept, and reports what makes that impossible. The state is loaded
// and locked with the first tick only: of the two copies that Telegraf starts of a processor when it has an
// aggregator, the one behind the aggregators must not be the one that gets the lock. It never sees a tick,
// for ticks end at the judge.
func (l *Liveness) findState() error {
	path, ok := statefile.Path(l.StateFile, stateName)
	if !ok {
		l.Log.Warnf("Nothing is remembered across a restart: no state_file is set, and there is no $STATE_DIRECTORY and no writable %s", statefile.DefaultDirectory)
		return nil
	}
	file, err := statefile.Open(path)
	switch {
	case err == nil:
		file.Close()
	case !errors.Is(err, statefile.ErrLocked):
		return err
	}
	l.statePath, l.standby = path, true
	return nil
}

// takeOver ends the standby if nobody else uses the state file: it is locked and loaded, and what was heard
// before is judged.
func (l *Liveness) takeOver(acc telegraf.Accumulator) {
	file, err := statefile.Open(l.statePath)
	if err != nil {
		l.early, l.earlyLost = nil, 0
		if !l.standbyTold {
			l.standbyTold = true
			if errors.Is(err, statefile.ErrLocked) {
				l.Log.Infof("Another copy judges with %q; this one stands by", l.statePath)
			} else {
				l.Log.Errorf("Nobody is judged, since the state cannot be used: %v", err)
			}
		}
		return
	}
	if l.standbyTold {
		l.Log.Infof("The state in %q is free now, and this copy judges from now on", l.statePath)
	}
	l.standby, l.state = false, file
	l.loadState()
	for _, e := range l.early {
		l.report(acc, e.tell(), e.at)
	}
	if l.earlyLost > 0 {
		l.Log.Warnf("%d metrics that came before the sensor's first tick were not judged, for %d are kept; whose they were is judged "+
			"from the next heartbeat on", l.earlyLost, maxEarly)
	}
	l.early, l.earlyLost = nil, 0
}

// loadState restores what the judge knew. It goes before what Telegraf's own statefile held, which is
// written at a stop only and is of the stop before after a crash. A file that is of no use is set aside.
func (l *Liveness) loadState() {
	statefile.Restore(l.state, l.Log, l.judge.Restore)
}

// saveIfDue saves the state when it is time.
func (l *Liveness) saveIfDue() {
	if l.news {
		l.saveAfter(max(newsInterval, newsShare*l.saveTook))
	} else {
		l.saveAfter(max(saveInterval, saveShare*l.saveTook))
	}
}

// saveAfter saves the state if the last time is so long ago. Time is the judge's, so that sensors whose hosts
// disagree about the hour do no harm; only how long saving takes is measured.
func (l *Liveness) saveAfter(interval time.Duration) {
	if l.state == nil {
		return
	}
	now := l.judge.Now()
	if now-l.saved < interval {
		return
	}
	start := time.Now()
	l.save()
	l.saved, l.saveTook, l.news = now, time.Since(start), false
}

func (l *Liveness) save() {
	err := l.state.Save(l.judge.Memory())
	switch {
	case err != nil && !l.saveFailed:
		l.Log.Errorf("The state cannot be saved, and a restart would forget it: %v", err)
	case err == nil && l.saveFailed:
		l.Log.Info("The state is saved again")
	}
	l.saveFailed = err != nil
}

func (l *Liveness) closeState() {
	if l.state == nil {
		return
	}
	l.save()
	l.state.Close()
	l.state = nil
}

// GetState returns what the judge knows, for Telegraf's own statefile; nothing if there is no judge. Telegraf
// asks the copy behind the aggregators, too, even if it never initialised it.
func (l *Liveness) GetState() interface{} {
	if l.judge == nil {
		return ""
	}
	state, err := json.Marshal(l.judge.Memory())
	if err != nil {
		l.Log.Errorf("The state cannot be saved, and a restart would forget it: %v", err)
	}
	return string(state)
}

// SetState takes what GetState returned in a former run. A state of no use is no error, which would keep all of
// Telegraf from starting.
func (l *Liveness) SetState(state interface{}) error {
	text, ok := state.(string)
	if !ok {
		return fmt.Errorf("state has wrong type %T", state)
	}
	if l.judge == nil || text == "" {
		return nil
	}
	var memory judge.Memory
	err := json.Unmarshal([]byte(text), &memory)
	if err == nil {
		err = l.judge.Restore(&memory)
	}
	if err != nil {
		l.Log.Errorf("Starting without it, for the state in Telegraf's statefile cannot be used: %v", err)
	}
	return nil
}
