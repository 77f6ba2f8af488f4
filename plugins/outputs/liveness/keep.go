package liveness

import (
	"encoding/json"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
	"github.com/kloros/telegraf-chembus/plugins/outputs/liveness/status"
)

const (
	// stateName is the file in the default directory.
	stateName = "page.json"
	// saveInterval is the shortest time between two saves.
	saveInterval = time.Minute
	// savedPerSecond is how many bytes are written a second at most, on average.
	savedPerSecond = 64 << 10
)

// StatePlace returns the place of the state file, and whether it is given rather than the default.
func (l *Liveness) StatePlace() (path string, given bool) {
	return statefile.Place(l.StateFile, stateName)
}

// openState finds, locks and loads the state file. Without one the history begins at the start.
func (l *Liveness) openState() (err error) {
	l.state, err = statefile.Load(l.StateFile, stateName, "", l.Log, func(s *status.Saved) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.status.Restore(s)
	})
	return err
}

// keep saves the state until the plugin is closed, and then once more.
func (l *Liveness) keep() {
	for pause := saveInterval; ; {
		select {
		case <-l.streams.done:
			l.save()
			return
		case <-time.After(pause):
			pause = pauseAfter(l.save())
		}
	}
}

// pauseAfter is how long after a save of so many bytes the next one is.
func pauseAfter(saved int) time.Duration {
	return max(saveInterval, time.Duration(saved)*time.Second/savedPerSecond)
}

// save writes the state, and returns how many bytes that was.
func (l *Liveness) save() int {
	l.mu.Lock()
	state := l.status.State()
	l.mu.Unlock()
	content, err := json.Marshal(state)
	if err != nil {
		l.Log.Errorf("The history cannot be encoded: %v", err)
		return 0
	}
	_ = l.state.Keep(json.RawMessage(content), "history", "begin without it", l.Log) // which logs the error
	return len(content)
}
