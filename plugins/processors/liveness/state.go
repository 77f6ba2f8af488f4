package liveness

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

const (
	// stateName is the file in the default directory.
	stateName = "liveness.json"
	// stateVersion is the version of its form.
	stateVersion = 2
	// saveInterval is how often the state is saved.
	saveInterval = 10 * time.Second
	// newsInterval is how often it is saved when there is news: a component that was just heard, or
	// an incident, must not be lost.
	newsInterval = time.Second
	// saveShare and newsShare bound the time that saving a large state takes: a pause of so many times as long.
	saveShare = 20
	newsShare = 4
)

// findState decides where the state is kept, and returns what makes that impossible. The state is loaded
// and locked with the first tick only: of the two copies that Telegraf starts of a processor when it has an
// aggregator, the one behind the aggregators must not be the one that gets the lock. It never sees a tick,
// for ticks end at the first copy.
func (l *Liveness) findState() error {
	path, ok := statefile.Path(l.StateFile, stateName, l.Log)
	if !ok {
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

// takeOver ends the standby at a tick of a bus if nobody else uses the state file: it is locked and loaded, and what was
// heard before is judged.
func (l *Liveness) takeOver(acc telegraf.Accumulator, key string, complete bool, first *event) {
	file, err := statefile.Open(l.statePath)
	if err != nil {
		l.early, l.earlyDropped = nil, 0
		if !l.copyLogged {
			l.copyLogged = true
			if errors.Is(err, statefile.ErrLocked) {
				l.Log.Infof("Another copy uses the state file %q; this one finds no gaps until that ends", l.statePath)
			} else {
				l.Log.Errorf("No component is judged, because the state file cannot be used: %v", err)
			}
		}
		return
	}
	if l.copyLogged {
		l.Log.Infof("The other copy has released the state file %q; this one finds gaps from now on", l.statePath)
	}
	l.standby, l.state = false, file
	l.loadState()
	home := l.busOf(acc, []byte(key), complete, first)
	for i := range l.early {
		e := &l.early[i]
		b := home // the only one that is known to tick
		if e.complete || home == nil || !home.agrees(e.key) {
			b = l.busOf(acc, []byte(e.key), true, e)
		}
		if b != nil {
			l.feed(acc, b, e)
		}
	}
	if l.earlyDropped > 0 {
		l.Log.Warnf("%d metrics that came before the first tick were dropped, for only %d are kept; their components are judged "+
			"from the next heartbeat on", l.earlyDropped, maxEarly)
	}
	l.early, l.earlyDropped = nil, 0
}

// savedState is the form in which the state is saved.
type savedState struct {
	Version int        `json:"version"`
	Bus     []string   `json:"bus"` // the option
	Buses   []savedBus `json:"buses"`
}

// savedBus is one bus.
type savedBus struct {
	Values   []string           `json:"values"` // of the tags
	Heard    time.Time          `json:"heard"`  // time of the last metric
	Detector *detector.Snapshot `json:"detector"`
}

// snapshot returns what is to be saved.
func (l *Liveness) snapshot() *savedState {
	s := &savedState{Version: stateVersion, Bus: l.Bus}
	all := l.buses.all
	if former := l.renamed.former; former != nil {
		all = []*bus{former} // so that it is the only one after a further restart, too
	}
	for _, b := range all {
		s.Buses = append(s.Buses, savedBus{Values: b.values, Heard: b.latest(), Detector: b.detector.Snapshot()})
	}
	return s
}

// restore takes what was saved. After an error nothing is known.
func (l *Liveness) restore(s *savedState) error {
	if s.Version != stateVersion {
		return fmt.Errorf("it is of version %d, and this program reads versions up to %d", s.Version, stateVersion)
	}
	// Those that were heard last go first: they are kept if there is not room for all, or if two are one today.
	slices.SortStableFunc(s.Buses, func(a, b savedBus) int { return b.Heard.Compare(a.Heard) })
	if len(s.Buses) > l.MaxBuses {
		l.Log.Warnf("What was known of the buses that were not heard for longest is dropped: %d buses are known, and max_buses is only %d now",
			len(s.Buses), l.MaxBuses)
	}
	for i := range s.Buses {
		if err := l.restoreBus(s.Bus, &s.Buses[i]); err != nil {
			l.reset()
			return err
		}
	}
	if len(l.buses.all) == 1 {
		l.renamed = renamed{former: l.buses.all[0], key: l.buses.all[0].key, snapshot: s.Buses[0].Detector}
	}
	return nil
}

func (l *Liveness) restoreBus(tags []string, s *savedBus) error {
	if s.Detector == nil || len(s.Values) != len(tags) {
		return errors.New("it has a bus without a name or a detector")
	}
	key := ""
	for _, tag := range l.Bus {
		if i := slices.Index(tags, tag); i >= 0 { // else the option is another today
			key += s.Values[i]
		}
		key += detector.KeySeparator
	}
	if same := l.buses.byKey[key]; same != nil {
		l.Log.Warnf("What was known of the bus %q, its %d components among it, is dropped: by the present option bus it is the same as %q",
			busName(s.Values), len(s.Detector.Components), same.name())
		return nil
	}
	b := l.buses.Add(key)
	if b == nil {
		return nil
	}
	for _, c := range s.Detector.Components {
		home, expected := l.expected.anywhere[c.Key]
		if expected && (home == nil || c.Beats > 0 && !home.detector.IsSeen(c.Key)) {
			if home != nil {
				home.detector.Unexpect(c.Key)
			}
			l.expected.anywhere[c.Key] = b
			b.detector.Expect(c.Key, false)
		}
	}
	b.seen = s.Heard
	return b.detector.Restore(s.Detector)
}

// loadState restores what was known. It goes before what Telegraf's own statefile held, which is written at a stop
// only and is of the stop before after a crash. A file that cannot be used is set aside.
func (l *Liveness) loadState() {
	statefile.Restore(l.state, l.Log, func(s *savedState) error {
		l.reset()
		return l.restore(s)
	})
}

// saveIfDue saves the state when it is time.
func (l *Liveness) saveIfDue() {
	if l.unsaved {
		l.saveAfter(max(newsInterval, newsShare*l.saveTook))
	} else {
		l.saveAfter(max(saveInterval, saveShare*l.saveTook))
	}
}

// saveAfter saves the state if the last time is so long ago.
func (l *Liveness) saveAfter(interval time.Duration) {
	if l.state == nil {
		return
	}
	start := l.now()
	if !l.saved.IsZero() && start.Sub(l.saved) < interval {
		return
	}
	l.save()
	l.saved, l.unsaved = l.now(), false
	l.saveTook = l.saved.Sub(start)
}

func (l *Liveness) save() {
	err := l.state.Save(l.snapshot())
	switch {
	case err != nil && !l.saveFailed:
		l.Log.Errorf("The state cannot be saved, and would be lost at a restart; check the disk and the permissions: %v", err)
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

// GetState returns what is known, for Telegraf's own statefile; nothing before Init. Telegraf asks the copy behind the
// aggregators, too, even if it never initialised it.
func (l *Liveness) GetState() interface{} {
	if l.buses == nil {
		return ""
	}
	state, err := json.Marshal(l.snapshot())
	if err != nil {
		l.Log.Errorf("The state cannot be encoded, and would be lost at a restart: %v", err)
	}
	return string(state)
}

// SetState takes what GetState returned in a former run. A state that cannot be used is no error, which would keep all
// of Telegraf from starting.
func (l *Liveness) SetState(state interface{}) error {
	text, ok := state.(string)
	if !ok {
		return fmt.Errorf("state has wrong type %T", state)
	}
	if l.buses == nil || text == "" {
		return nil
	}
	var s savedState
	err := json.Unmarshal([]byte(text), &s)
	if err == nil {
		err = l.restore(&s)
	}
	if err != nil {
		l.Log.Errorf("Starting without the state in Telegraf's statefile, which cannot be used: %v", err)
	}
	return nil
}
