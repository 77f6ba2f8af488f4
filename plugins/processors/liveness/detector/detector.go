// Package detector decides from the beats and ticks of one bus which components are up, late or silent. It is plain
// logic: it reads no clock, starts no goroutine and does no I/O, so the same input always gives the same output.
//
// Times are durations on the detector's observation clock: the monotonic time during which beats could have been
// heard. Silence is measured in it and in nothing else. A beat proves life at once; a component is found to be late,
// silent or never seen by a tick only, after every beat that was heard before it.
package detector

import (
	"slices"
	"time"
)

// killGrace is how long after a kill signal, or an announced stop, a beat can still be one that was on its way.
const killGrace = 5 * time.Second

// Detector holds the components of one bus. It is not safe for concurrent use.
type Detector struct {
	config     *Config
	bus        string
	identity   string // of the components; a former one from Restore to the first tick
	clock      clock
	components map[string]*component
	niches     map[string]string // those that components share
	order      []*component      // in order of appearance; may hold retired ones
	retired    int               // of order
	room       room
	swept      int             // of order: how many Components has been through
	expected   map[string]bool // true: on this bus; false: on any
	deadlines  deadlines
	opened     []time.Duration   // when the latest gaps did, at most OutageCount
	outages    []*outage         // open ones, the latest last; only that may not be reported yet
	ended      []EndedGap        // closed ones that are repeated
	levels     map[string]*Level // of other detectors, of failures that were not found here yet, by component
	nextReport time.Duration
	unjudged   unjudged
	ticks      uint64
	ticking    bool                  // a tick is being taken
	ticked     bool                  // in this run
	killed     *EndSignal            // the last one; nil: there was none
	stops      map[string]*EndSignal // the last stop that each component announced
	resumed    *Maintenance          // the last one; nil: there was none
	findings   []Finding
}

// EndSignal is when one or all components were ended on purpose.
type EndSignal struct {
	At      time.Duration `json:"at"`
	Run     int64         `json:"run,omitempty"` // of the input that heard it
	Reading time.Duration `json:"reading"`       // of its clock
}

// isCopy reports whether a signal is this one, or an earlier one of the same run.
func (s *EndSignal) isCopy(run int64, reading time.Duration) bool {
	return s != nil && run != 0 && run == s.Run && reading <= s.Reading
}

// Beat is one or several heartbeats of a component.
type Beat struct {
	Key      string        // identity of the component: its parts joined by KeySeparator
	Niche    string        // what it is for
	Run      int64         // of the input that heard it; 0: not known
	Observed time.Duration // the input's observation clock when the last of them was sent
	LastSeen float64       // its time by the sender's clock, epoch seconds
	Beats    int           // since the last Beat; 0: no beat, only Starts is news
	Starts   int           // streams that began
}

// New returns a detector that has heard nothing yet. The configuration is shared, and must not change. Bus tells its
// bus from others.
func New(config *Config, bus string) *Detector {
	d := &Detector{
		config:     config,
		bus:        bus,
		identity:   config.Identity,
		clock:      clock{blindAfter: config.BlindAfter, ticksOnly: config.TicksOnly},
		components: make(map[string]*component),
		niches:     make(map[string]string),
		expected:   make(map[string]bool),
		stops:      make(map[string]*EndSignal),
		levels:     make(map[string]*Level),
		nextReport: config.ReportInterval,
	}
	d.deadlines.Next = d.nextLook
	for _, key := range config.Expected {
		d.expected[key] = true
		d.addUnseen(key)
	}
	return d
}

// Now returns what the detector's clock shows.
func (d *Detector) Now() time.Duration { return d.clock.now }

// Duplicate reports whether two inputs were found to report this bus.
func (d *Detector) Duplicate() bool { return d.clock.duplicate }

// Ticked reports whether a tick was heard.
func (d *Detector) Ticked() bool { return d.ticked }

// Jumps returns how many ticks in a row, the latest, came after a restart or a jump of the input's clock: while it grows
// with each of them only a part of the silence is measured, or none.
func (d *Detector) Jumps() int { return d.clock.jumpsInRow }

// Expect adds a component that has to appear. Here says that it has to on this bus, whether or not it does on others:
// that it does not is an incident of this bus. Else it may appear on any, and it is one incident for all buses.
func (d *Detector) Expect(key string, here bool) {
	if _, known := d.expected[key]; !known {
		d.expected[key] = here
		d.addUnseen(key)
	}
}

// Unexpect takes Expect back for a component that appeared elsewhere. The findings are valid until the next call.
func (d *Detector) Unexpect(key string) []Finding {
	delete(d.expected, key)
	if d.IsSeen(key) {
		return nil
	}
	return d.Remove(key, false)
}

// Remove retires a component. Its gap is closed, unless it goes on elsewhere. The findings are valid until the next
// call.
func (d *Detector) Remove(key string, goesOn bool) []Finding {
	d.clearFindings()
	c, known := d.components[key]
	if !known {
		return nil
	}
	if goesOn {
		d.outages = slices.DeleteFunc(d.outages, func(o *outage) bool {
			delete(o.members, key)
			return len(o.members) == 0
		})
		c.incident, c.flaps = "", nil
	}
	d.retire(c)
	d.closeOutages()
	return d.findings
}

// IsSeen reports whether a component is known and was heard.
func (d *Detector) IsSeen(key string) bool {
	c, known := d.components[key]
	return known && c.beats > 0 // one that is only expected may have been killed
}

// addUnseen adds a component that has to appear, unless it is known.
func (d *Detector) addUnseen(key string) {
	if _, known := d.components[key]; known {
		return
	}
	now := d.clock.now
	c := &component{key: key, phase: unseen, last: now, born: now, since: now}
	d.enlist(c)
	d.await(c, d.nextChange(c))
}

func (d *Detector) enlist(c *component) {
	d.applyRule(c)
	d.components[c.key] = c
	d.order = append(d.order, c)
}

func (d *Detector) clearFindings() {
	clear(d.findings)
	d.findings = d.findings[:0]
}

// Tick takes the input's clock in a run of the input (0: not known). The findings are valid until the next call.
func (d *Detector) Tick(run int64, observed time.Duration) []Finding {
	d.clearFindings()
	if !d.clock.Take(run, observed, true) {
		return nil
	}
	d.ticked, d.ticking = true, true
	defer func() { d.ticking = false }()
	d.ticks++
	if len(d.levels) > 0 {
		d.addAdopted()
	}
	d.expire()
	d.identity = d.config.Identity
	d.closeOutages()
	if d.openOutage() {
		d.expire() // whose retirement had to wait for it
		d.closeOutages()
	}
	if d.clock.now >= d.nextReport {
		d.nextReport = d.reportAfter(d.clock.now)
		d.report(false)
		d.reportEnded()
	}
	return d.findings
}

// reportAfter is when the next report is due.
func (d *Detector) reportAfter(now time.Duration) time.Duration {
	return now - now%d.config.ReportInterval + d.config.ReportInterval
}

// Beat takes a heartbeat. The findings are valid until the next call.
func (d *Detector) Beat(b *Beat) []Finding {
	d.clearFindings()
	if !d.clock.Take(b.Run, b.Observed, false) {
		return nil
	}
	c, known := d.components[b.Key]
	copied := d.isCopy(c, b)
	if len(d.levels) > 0 && !copied {
		d.outdateLevel(b)
	}
	switch {
	case copied:
	case b.Beats <= 0 && !(known && (c.phase == killed || c.phase == stopped) && b.Starts > 0):
		// No beat; and that a stream started says nothing of a component that did not end on purpose.
	case known && c.beats > 0:
		d.prove(c, b, d.clock.At(b.Observed))
	case known || d.makeRoom(b):
		d.meet(c, b)
	}
	d.closeOutages()
	return d.findings
}

// isCopy reports whether a beat was heard before. An input emits the beats of a component in the order in which they
// were sent, and the first of them before the next tick.
func (d *Detector) isCopy(c *component, b *Beat) bool {
	switch {
	case b.Run == 0:
		return false
	case c == nil || c.beats == 0 || c.onlyAdopted():
		return b.Observed < d.clock.lastTick
	case c.restarts != d.clock.restarts:
		return false
	}
	return b.Observed < c.reading || b.Observed <= c.reading+d.config.SameWithin && b.Beats > 0 && b.LastSeen <= c.lastSeen
}

// Kill takes the signal that ends all components on purpose, as an input heard it: the silence that follows is
// expected. The findings are valid until the next call.
func (d *Detector) Kill(run int64, observed time.Duration) []Finding {
	d.clearFindings()
	// The signal does not move the clock: a beat may follow that was sent before it.
	if !d.clock.Take(run, 0, false) || run != 0 && observed < d.clock.lastTick {
		return nil
	}
	if d.killed.isCopy(run, observed) {
		return nil
	}
	d.killed = &EndSignal{At: d.clock.AtSignal(observed), Run: run, Reading: observed}
	for _, c := range d.order {
		// A component that has not appeared yet is not expected to any more.
		if d.ends(c, d.killed) || c.phase == unseen && c.incident == "" {
			d.clearUnjudged(c)
			c.enter(killed, d.clock.now)
			d.await(c, d.nextChange(c))
			d.add(c, WasKilled, nil)
		}
	}
	return d.findings
}

// Stop takes that a component announced its stop, as an input heard it: the silence that follows is expected. The
// findings are valid until the next call.
func (d *Detector) Stop(key string, run int64, observed time.Duration) []Finding {
	d.clearFindings()
	if !d.clock.Take(run, 0, false) || run != 0 && observed < d.clock.lastTick {
		return nil
	}
	c, known := d.components[key]
	if !known || d.stops[key].isCopy(run, observed) {
		return nil
	}
	d.stops[key] = &EndSignal{At: d.clock.At(observed), Run: run, Reading: observed}
	if d.ends(c, d.stops[key]) {
		d.clearUnjudged(c)
		c.enter(stopped, d.clock.now)
		d.await(c, d.nextChange(c))
		d.add(c, WasStopped, nil)
	}
	return d.findings
}

// ends reports whether a kill signal, or an announced stop, ends a component that is alive. Its last beats may have been on
// their way then. If one came later it runs again, though the clock may have stood still since.
func (d *Detector) ends(c *component, end *EndSignal) bool {
	if end.Run != 0 && c.restarts == d.clock.restarts && c.reading > end.Reading+killGrace {
		return false
	}
	return c.alive() && c.last <= end.At+killGrace
}

// beforeEnd reports whether a beat can be one that was on its way when a kill signal came, or when the component
// announced its stop. A stream that started is a sign of life, but one that started before may be reported after it.
func (d *Detector) beforeEnd(c *component, b *Beat, at time.Duration) bool {
	end := d.killed
	if c.phase == stopped {
		end = d.stops[c.key]
	}
	if end == nil {
		return false
	}
	after := at - end.At
	if end.Run != 0 && end.Run == b.Run {
		after = b.Observed - end.Reading // the detector's clock may have stood still since
	}
	return after <= 0 || after <= killGrace && b.Starts == 0
}

// meet takes the first beat of a component; c is nil unless it was expected.
func (d *Detector) meet(c *component, b *Beat) {
	now, at := d.clock.now, d.clock.At(b.Observed)
	var closed *Gap
	if c == nil {
		c = &component{key: b.Key, since: now}
		d.enlist(c)
	} else {
		closed = d.closeGap(c, d.silence(c))
	}
	d.changeNiche(c, b.Niche)
	if now-at > c.lateAfter() {
		// No component is late or silent because it is heard for the first time. The beat may look so old because the
		// input restarted, and its first tick was lost.
		at = now
	}
	phase, change := up, FirstHeard
	if d.beforeEnd(c, b, at) {
		phase, change = killed, WasKilled
	}
	c.enter(phase, now)
	c.last, c.born = at, at
	d.prove(c, b, at)
	d.add(c, change, closed)
}

// prove takes a proof of life, at a time, of a component that has been heard before.
func (d *Detector) prove(c *component, b *Beat, at time.Duration) {
	now := d.clock.now
	c.abandoned = false
	adopted := c.onlyAdopted() // so when it beat last is not known exactly
	if b.Beats > 0 {
		c.reading, c.restarts = b.Observed, d.clock.restarts
		if c.beats > 0 && c.alive() && !adopted {
			d.learn(c, at, b)
		}
		c.beats += int64(b.Beats)
	}
	if c.phase == silent && now-at > c.threshold {
		return // it comes so late that it proves nothing about the present
	}
	if c.forming != nil || b.Niche != c.niche {
		d.changeNiche(c, b.Niche)
	}
	var closed *Gap
	if c.phase == silent {
		closed = d.closeGap(c, at-c.last)
		if !adopted {
			d.learn(c, at, b)
		}
	}
	if b.Beats > 0 && (b.LastSeen > c.lastSeen || at > c.last) {
		c.lastSeen = b.LastSeen
	}
	if at >= c.last {
		c.last, c.holes = at, d.clock.holes.last
		d.clearUnjudged(c)
	}
	d.adapt(c)
	switch c.phase {
	case late:
		if now-c.last <= c.lateAfter() {
			c.enter(up, now)
			d.add(c, StateChanged, nil)
		}
	case killed, stopped:
		if !d.beforeEnd(c, b, at) {
			d.revive(c, at, nil)
		}
	case silent:
		if !d.beforeEnd(c, b, at) {
			d.revive(c, at, closed)
			break
		}
		c.born = at
		c.enter(killed, now)
		d.add(c, WasKilled, closed)
	}
	d.await(c, d.nextChange(c))
}

func (d *Detector) revive(c *component, at time.Duration, closed *Gap) {
	c.born = at
	c.enter(up, d.clock.now)
	if c.flaps != nil {
		c.flaps.since = d.clock.now
	}
	d.add(c, CameBack, closed)
}

// silence is how long nothing was heard of a component.
func (d *Detector) silence(c *component) time.Duration {
	return max(d.clock.now-c.last, 0)
}
