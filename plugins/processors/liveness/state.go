package liveness

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

const (
	// stateName is the file in the default directory.
	stateName = "liveness.json"
	// stateVersion is the version of the form of a state as a whole, as it is in Telegraf's statefile.
	stateVersion = 2
	// maxRepaired is how many things that were repaired are logged.
	maxRepaired = 5
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

// takeOver ends the standby, if nobody else uses the state file: it is locked and loaded, and what was heard before is
// judged. It is called at the first tick of a bus, or with nil at that of a watch.
func (l *Liveness) takeOver(acc telegraf.Accumulator, first *event) {
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
	l.standby = false
	l.loadState(file)
	var home *bus // the only one that is known to tick
	if first != nil {
		home = l.busOf(acc, []byte(first.key), first.complete, first)
	}
	for i := range l.early {
		e := &l.early[i]
		b := home
		if e.complete || home == nil || !home.agrees(e.key) {
			b = l.busOf(acc, []byte(e.key), e.complete || first != nil, e)
		}
		if b != nil {
			l.feed(acc, b, e)
		}
	}
	if l.earlyDropped > 0 {
		l.Log.Warnf("%d metrics that came before the first tick were dropped, for only %d are kept; their components are judged "+
			"from the next heartbeat on. See what delays chembus_tick", l.earlyDropped, maxEarly)
	}
	l.early, l.earlyDropped = nil, 0
}

// savedState is the form in which the state is saved.
type savedState struct {
	Version int        `json:"version"`
	Bus     []string   `json:"bus"` // the option
	Buses   []savedBus `json:"buses"`
	Watches []savedBus `json:"watches,omitempty"` // whose values are the name
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
	for _, b := range l.known() {
		saved := savedBus{Values: b.values, Heard: b.latest(), Detector: b.detector.Snapshot()}
		if b.watch != nil {
			s.Watches = append(s.Watches, saved)
		} else {
			s.Buses = append(s.Buses, saved)
		}
	}
	return s
}

// known returns the buses and watches that are to be saved.
func (l *Liveness) known() []*bus {
	known := l.buses.all
	if former := l.renamed.former; former != nil {
		known = []*bus{former} // so that it is the only one after a further restart, too
	}
	known = slices.Clip(known)
	for _, w := range l.Watches {
		known = append(known, w.bus)
	}
	return known
}

// saves reports whether what is found on a bus is saved.
func (l *Liveness) saves(b *bus) bool {
	return l.store != nil && !b.removed && (l.renamed.former == nil || l.renamed.former == b || b.watch != nil)
}

// restore takes what was saved. After an error nothing is known.
func (l *Liveness) restore(s *savedState) error {
	if s.Version != stateVersion {
		return fmt.Errorf("it is of version %d, and this program reads versions up to %d", s.Version, stateVersion)
	}
	// Those that were heard last go first: they are kept if there is not room for all, or if two are one today.
	slices.SortStableFunc(s.Buses, func(a, b savedBus) int { return b.Heard.Compare(a.Heard) })
	if len(s.Buses) > l.MaxBuses {
		l.Log.Warnf("What was known of the buses that were not heard for longest is dropped: %d buses are known, and max_buses is only %d now. "+
			"Raise max_buses to keep them all",
			len(s.Buses), l.MaxBuses)
	}
	for i := range s.Buses {
		if err := l.restoreBus(s.Bus, &s.Buses[i]); err != nil {
			l.reset()
			return err
		}
	}
	for i := range s.Watches {
		if err := l.restoreWatch(&s.Watches[i]); err != nil {
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
		if c.Intervals != nil && l.Adaptive && !l.relearnLogged {
			l.relearnLogged = true
			l.Log.Info("The intervals of heartbeats are learned again, for about 20 of them, because the state file is of an earlier version; " +
				"until then no threshold is shorter than the option threshold")
		}
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
	l.restored(b, b.detector.Restore(s.Detector))
	return nil
}

func (l *Liveness) restoreWatch(s *savedBus) error {
	if s.Detector == nil || len(s.Values) != 1 {
		return errors.New("it has a watch without a name or a detector")
	}
	w := l.watchNamed(s.Values[0])
	if w == nil {
		l.Log.Infof("What was known of the watch %q is dropped, for there is none with that name any more", s.Values[0])
		return nil
	}
	w.bus.seen = s.Heard
	w.populated = w.populated || len(s.Detector.Components) > 0
	l.restored(w.bus, w.bus.detector.Restore(s.Detector))
	return nil
}

// restored logs what was repaired of the state of a bus or a watch.
func (l *Liveness) restored(b *bus, repaired []string) {
	if len(repaired) == 0 {
		return
	}
	more := ""
	if n := len(repaired) - maxRepaired; n > 0 {
		more = fmt.Sprintf("; and %d more", n)
	}
	l.Log.Warnf("The saved state of %s contradicted itself and was repaired: %s%s",
		b.title(), strings.Join(repaired[:min(len(repaired), maxRepaired)], "; "), more)
}

// loadState restores what was known. It goes before what Telegraf's own statefile held, which is written at a stop
// only and is of the stop before after a crash. A file that cannot be used is set aside.
func (l *Liveness) loadState(file *statefile.File) {
	open := func() (*savedState, error) {
		store, saved, err := openStore(file, l.Bus, l.Log, l.now, l.known)
		l.store = store
		return saved, err
	}
	saved, err := open()
	if err == nil && saved != nil {
		l.reset()
		err = l.restore(saved)
	}
	if err != nil {
		if l.store != nil {
			_ = l.store.journal.Close()
		}
		l.setAside(file, err)
		if saved, err = open(); err != nil {
			file.Close()
			return
		}
	}
	if saved != nil && (!slices.Equal(saved.Bus, l.Bus) || l.store.journal.Size() > longJournal) {
		l.store.Replace()
	}
}

// setAside renames the state file, which cannot be used.
func (l *Liveness) setAside(file *statefile.File, err error) {
	aside, moveErr := file.SetAside()
	if moveErr != nil {
		l.Log.Errorf("Starting without the saved state, and nothing is saved, because the state file %q cannot be used: %v. "+
			"It cannot be renamed either: %v. Check the permissions of its folder, or remove the file", l.statePath, err, moveErr)
		return
	}
	l.Log.Errorf("Starting without the saved state, because the state file %q cannot be used: %v. It was renamed to %q", l.statePath, err, aside)
}

func (l *Liveness) closeState() {
	if l.store != nil {
		l.store.Close()
		l.store = nil
	}
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
