package chembus

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
)

const (
	// stateName is the file in the default directory.
	stateName = "output.json"
	// formerStateName is what the file was called before.
	formerStateName = "voice.json"
	// stateVersion is the version of its form.
	stateVersion = 1
	// saveInterval is the shortest time between two saves, unless there is news that consumers know of: what
	// is not saved when the process dies is sent again, and has to be within the 60 s in which they remember it.
	saveInterval = time.Second
	// saveShare bounds the time that saving news takes: a pause of so many times as long.
	saveShare = 20
)

// memory is what survives a restart.
type memory struct {
	Version   int      `json:"version"`
	Confirmed []string `json:"confirmed"` // incidents, those seen longest ago first
	Notices   []notice `json:"notices"`   // likewise
	Counts    standing `json:"counts"`
}

// standing is how far the gaps have come. Telegraf can read it from the file as a metric.
type standing struct {
	counts
	Pending int `json:"pending"` // incidents that wait to be sent or confirmed; it does not survive
}

// openState finds, locks and loads the state file. Without one a restarted output would publish again
// what is still open.
func (c *ChemBus) openState() error {
	path, ok := statefile.Path(c.StateFile, stateName)
	if !ok {
		c.Log.Warnf("Nothing is remembered across a restart: no state_file is set, and there is no $STATE_DIRECTORY and no writable %s", statefile.DefaultDirectory)
		return nil
	}
	file, err := statefile.Open(path)
	if err == nil && c.StateFile == "" {
		if _, err = file.TakeOver(formerStateName); err != nil {
			file.Close()
		}
	}
	if errors.Is(err, statefile.ErrLocked) {
		return fmt.Errorf("the state file %q is in use by another process; give each plugin a state_file of its own", path)
	}
	if err != nil {
		return err
	}
	c.state = file
	statefile.Restore(file, c.Log, c.outbox.Restore)
	// As no state ever is, so that it is saved at once: a Telegraf that makes a metric of the file reports it missing
	// at every interval, and the first gap may be weeks away.
	c.savedRevision = math.MaxUint64
	return nil
}

// Memory returns what is to survive a restart.
func (o *outbox) Memory() *memory {
	var confirmed []string
	for _, incident := range o.confirmed.Keys() {
		if forGood, _ := o.confirmed.Peek(incident); forGood {
			confirmed = append(confirmed, incident)
		}
	}
	return &memory{
		Version:   stateVersion,
		Confirmed: confirmed,
		Notices:   o.notices.All(),
		Counts:    o.Standing(),
	}
}

// Restore gives an outbox that was offered nothing yet the memory of another.
func (o *outbox) Restore(m *memory) error {
	if m.Version != stateVersion {
		return fmt.Errorf("state has version %d, this program knows %d", m.Version, stateVersion)
	}
	for _, incident := range m.Confirmed {
		o.confirmed.Add(incident, true)
	}
	for _, n := range m.Notices {
		o.notices.Learn(n)
	}
	o.counts = m.Counts.counts
	return nil
}

// saveIfDue saves the state if it has changed. It returns when it has to be asked again; zero if it has
// not.
func (c *ChemBus) saveIfDue(now time.Time) time.Time {
	if c.state == nil {
		return time.Time{}
	}
	c.mu.Lock()
	standing := c.outbox.Standing()
	revision := c.outbox.revision
	if standing == c.saved && revision == c.savedRevision {
		c.mu.Unlock()
		return time.Time{}
	}
	pause := saveInterval
	if standing.Confirmed+standing.Known != c.saved.Confirmed+c.saved.Known && !c.saveFailed {
		pause = min(saveShare*c.saveTook, saveInterval)
	}
	if next := c.savedAt.Add(pause); now.Before(next) {
		c.mu.Unlock()
		return next
	}
	m := c.outbox.Memory()
	c.mu.Unlock()
	start := time.Now()
	err := c.state.Save(m)
	c.savedAt, c.saveTook = now, time.Since(start)
	switch {
	case err != nil && !c.saveFailed:
		c.Log.Errorf("The state cannot be saved, and a restart would publish again what is open: %v", err)
	case err == nil && c.saveFailed:
		c.Log.Info("The state is saved again")
	}
	if c.saveFailed = err != nil; c.saveFailed {
		return now.Add(saveInterval)
	}
	c.saved, c.savedRevision = m.Counts, revision
	return time.Time{}
}

// closeState saves the last state and unlocks the file; the publisher must have ended.
func (c *ChemBus) closeState() {
	if c.state == nil {
		return
	}
	c.savedAt = time.Time{}
	c.saveIfDue(time.Now())
	c.state.Close()
	c.state = nil
}
