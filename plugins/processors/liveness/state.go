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
	// saveInterval is how often the state is saved at most, on the clock of the metrics.
	saveInterval = 10 * time.Second
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

// saveIfDue saves the state when it is time, by the time of the metrics.
func (l *Liveness) saveIfDue(at time.Time) {
	if l.state == nil || at.Before(l.nextSave) && l.nextSave.Sub(at) <= saveInterval {
		return
	}
	l.nextSave = at.Add(saveInterval)
	l.save()
}

func (l *Liveness) save() {
	if err := l.state.Save(l.judge.Memory()); err != nil {
		if !l.saveFailed {
			l.Log.Errorf("The state cannot be saved, and a restart would forget it: %v", err)
		}
		l.saveFailed = true
		return
	}
	if l.saveFailed {
		l.Log.Infof("The state is saved again")
	}
	l.saveFailed = false
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
