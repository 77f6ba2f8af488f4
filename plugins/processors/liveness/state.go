package liveness

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/judge"
)

const (
	// stateName is the file in the default directory.
	stateName = "liveness.json"
	// saveInterval is how often the state is saved, by the time of the metrics.
	saveInterval = 10 * time.Second
	// newsInterval is how often it is saved when there is news: a component that is known to nobody
	// else, or an incident, must not be forgotten.
	newsInterval = time.Second
	// saveShare bounds the time that saving a large state takes: a pause of so many times as long.
	saveShare = 20
)

// openState finds, locks and loads the state file.
func (l *Liveness) openState() error {
	path, ok := statefile.Path(l.StateFile, stateName)
	if !ok {
		l.Log.Warnf("Nothing is remembered across a restart: no state_file is set, and there is no $STATE_DIRECTORY and no writable %s", statefile.DefaultDirectory)
		return nil
	}
	file, err := statefile.Open(path)
	if errors.Is(err, statefile.ErrLocked) {
		l.passive = true
		l.Log.Infof("Another copy judges with %q; this one lets everything pass", path)
		return nil
	}
	if err != nil {
		return err
	}
	l.state = file
	if l.restored {
		return nil
	}
	var memory judge.Memory
	found, err := file.Load(&memory)
	if err == nil && found {
		err = l.judge.Restore(&memory)
	}
	if err != nil {
		aside, moveErr := file.SetAside()
		if moveErr != nil {
			return errors.Join(err, moveErr)
		}
		l.Log.Errorf("Starting afresh, for the state in %q cannot be used; it is kept as %q: %v", path, aside, err)
	}
	return nil
}

// saveIfDue saves the state when it is time. Time is that of the metrics; only how long saving takes is
// measured.
func (l *Liveness) saveIfDue(at time.Time) {
	if l.state == nil {
		return
	}
	interval := saveInterval
	if l.news {
		interval = newsInterval
	}
	// A clock that was set back must not stop the saving.
	if since := at.Sub(l.saved); since >= 0 && since < max(interval, saveShare*l.saveTook) {
		return
	}
	start := time.Now()
	l.save()
	l.saved, l.saveTook, l.news = at, time.Since(start), false
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

// GetState returns what the judge knows, for Telegraf's own statefile.
func (l *Liveness) GetState() interface{} {
	state, err := json.Marshal(l.judge.Memory())
	if err != nil {
		l.Log.Errorf("The state cannot be saved, and a restart would forget it: %v", err)
	}
	return string(state)
}

// SetState takes what GetState returned in a former run.
func (l *Liveness) SetState(state interface{}) error {
	text, ok := state.(string)
	if !ok {
		return fmt.Errorf("state has wrong type %T", state)
	}
	var memory judge.Memory
	if err := json.Unmarshal([]byte(text), &memory); err != nil {
		return err
	}
	if err := l.judge.Restore(&memory); err != nil {
		return err
	}
	l.restored = true
	return nil
}
