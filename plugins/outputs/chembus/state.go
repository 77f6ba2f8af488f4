package chembus

import (
	"fmt"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
)

const (
	// stateName is the file in the default directory.
	stateName = "output.json"
	// formerStateName is what the file was called before.
	formerStateName = "voice.json"
	// stateVersion is the version of its form.
	stateVersion = 2
	// A save is followed by a pause of saveShare times as long, but no longer than saveInterval: what is not saved when
	// the process dies is sent again, and has to be within the 60 s in which consumers remember it.
	saveInterval = time.Second
	saveShare    = 20
)

// savedState is the form of the state file, a JSON object.
type savedState struct {
	Version   int             `json:"version"`
	Incidents []savedIncident `json:"incidents"` // of which consumers were told; those seen longest ago first
	Silences  []silence       `json:"silences"`  // likewise
	Counts    totals          `json:"counts"`

	Investigations *savedInvestigations `json:"investigations,omitempty"`

	// What version 1 had in the place of the delivery log.
	Confirmed []string  `json:"confirmed,omitempty"`
	Notices   []silence `json:"notices,omitempty"`
}

type savedIncident struct {
	ID    string `json:"id"`
	Ended bool   `json:"ended,omitempty"`
}

// totals are the counters. Telegraf can read them from the file as a metric.
type totals struct {
	counts
	investigationCounts
	Pending int `json:"pending"` // incidents that wait to be sent, or for their acks; this and the next do not survive

	Publishing bool `json:"publishing"` // false: nothing that was published has come back for bus.ReturnTimeout
	Peers      int  `json:"peers"`      // other monitors on the bus

	// What version 1 calls Acked and Expired.
	Confirmed uint64 `json:"confirmed,omitempty"`
	Unheard   uint64 `json:"unheard,omitempty"`
}

// openState finds, locks and loads the state file. Without one a restarted output would publish again
// what is still open.
func (c *ChemBus) openState() (err error) {
	c.state, err = statefile.Load(c.StateFile, stateName, formerStateName, c.Log, func(s *savedState) error {
		c.publisher.peers.before = s.Counts.Peers
		return c.outbox.Restore(s)
	})
	return err
}

// State returns what is to survive a restart.
func (o *outbox) State() *savedState {
	s := &savedState{Version: stateVersion, Silences: o.log.silences.Values(), Counts: o.Totals(), Investigations: o.investigations.State()}
	for _, incident := range o.log.incidents.Keys() {
		if state, _ := o.log.incidents.Peek(incident); state.delivered {
			s.Incidents = append(s.Incidents, savedIncident{incident, state.ended})
		}
	}
	return s
}

// Restore gives an outbox that was offered nothing yet the state of another one.
func (o *outbox) Restore(s *savedState) error {
	if s.Version < 1 || s.Version > stateVersion {
		return fmt.Errorf("state has version %d, this program knows 1 to %d", s.Version, stateVersion)
	}
	for _, incident := range s.Confirmed {
		o.log.set(incident, incidentState{delivered: true, counted: true})
	}
	for _, i := range s.Incidents {
		o.log.set(i.ID, incidentState{delivered: true, ended: i.Ended, counted: true})
	}
	for _, silence := range append(s.Notices, s.Silences...) {
		o.log.Learn(silence)
	}
	o.counts = s.Counts.counts
	o.investigations.Restore(s.Investigations, s.Counts.investigationCounts)
	o.counts.Acked += s.Counts.Confirmed
	o.counts.Expired += s.Counts.Unheard
	return nil
}

// saveIfDue saves the state if it has changed and the last time is long enough ago.
func (c *ChemBus) saveIfDue(now time.Time) {
	if c.state == nil || now.Before(c.nextSave) {
		return
	}
	c.mu.Lock()
	totals, revision := c.outbox.Totals(), c.outbox.log.revision+c.outbox.investigations.revision
	totals.Publishing, totals.Peers = c.publisher.works, c.publisher.peers.before
	if totals == c.saved && revision == c.savedRevision {
		c.mu.Unlock()
		return
	}
	s := c.outbox.State()
	s.Counts = totals
	c.mu.Unlock()
	start := time.Now()
	c.nextSave = now.Add(saveInterval)
	if c.state.Keep(s, "state", "publish again what is open", c.Log) != nil {
		return
	}
	c.saved, c.savedRevision = totals, revision
	c.nextSave = now.Add(min(saveShare*time.Since(start), saveInterval))
	c.mu.Lock()
	c.outbox.investigations.Recorded(s.Investigations)
	c.mu.Unlock()
}

// closeState saves the last state and unlocks the file; the publisher must have ended.
func (c *ChemBus) closeState() {
	c.nextSave = time.Time{}
	c.saveIfDue(time.Now())
	c.state.Close()
	c.state = nil
}

// StatePlace returns where the state file is looked for, and whether that place is given rather than the default.
func (c *ChemBus) StatePlace() (path string, given bool) {
	return statefile.Place(c.StateFile, stateName)
}
