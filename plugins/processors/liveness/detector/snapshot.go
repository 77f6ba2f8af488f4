package detector

import (
	"maps"
	"slices"
	"time"
)

// Snapshot is what a detector knows, in a form to be saved as JSON. Durations are nanoseconds of its clock.
type Snapshot struct {
	Clock      ClockSnapshot       `json:"clock"`
	Components []ComponentSnapshot `json:"components,omitempty"`
	Opened     []time.Duration     `json:"opened,omitempty"` // when the latest gaps did
	Outages    []OutageSnapshot    `json:"outages,omitempty"`
	Ended      []EndedGap          `json:"ended,omitempty"`
	NextReport time.Duration       `json:"next_report"`
	Killed     *EndSignal          `json:"killed,omitempty"`   // the last kill signal
	Resumed    *Maintenance        `json:"resumed,omitempty"`  // the last maintenance
	Identity   string              `json:"identity,omitempty"` // empty: not known
}

// ClockSnapshot is a detector's clock.
type ClockSnapshot struct {
	Started  bool          `json:"started"`
	Now      time.Duration `json:"now"`
	Reading  time.Duration `json:"reading"` // of the input's clock
	LastTick time.Duration `json:"last_tick"`
	Jumps    []jump        `json:"jumps,omitempty"`
	Run      int64         `json:"run,omitempty"`
	Runs     []run         `json:"runs,omitempty"`
	Restarts uint32        `json:"restarts,omitempty"`
	Holes    []hole        `json:"holes,omitempty"`
	LastHole uint32        `json:"last_hole,omitempty"` // its number
	Listed   int           `json:"listed,omitempty"`    // holes, by the input, in this run
	TickedAt int64         `json:"ticked_at,omitempty"` // the last tick, by the wall clock of the input's host, ns
	Older    bool          `json:"older,omitempty"`     // the run that counts was heard before it did
}

// ComponentSnapshot is a component.
type ComponentSnapshot struct {
	Key       string         `json:"key"`
	Niche     string         `json:"niche,omitempty"`
	Former    *string        `json:"former_niche,omitempty"` // by which it is judged; nil: by its niche
	NicheAt   time.Duration  `json:"niche_at,omitempty"`     // since when it has another
	State     State          `json:"state"`                  // up, late, silent, killed, stopped or unseen
	Last      time.Duration  `json:"last"`
	LastSeen  float64        `json:"last_seen,omitempty"`
	Born      time.Duration  `json:"born"`
	Threshold time.Duration  `json:"threshold"`
	Beats     int64          `json:"beats,omitempty"`
	Gaps      int32          `json:"gaps,omitempty"`
	Rhythm    rhythm         `json:"rhythm,omitzero"`
	Intervals map[string]any `json:"intervals,omitempty"` // of versions before Rhythm; not used
	Reading   time.Duration  `json:"reading,omitempty"`
	Restarts  uint32         `json:"restarts,omitempty"`
	Holes     uint32         `json:"holes,omitempty"` // number of the last one that was known at the time Last
	Incident  string         `json:"incident,omitempty"`
	Member    bool           `json:"member,omitempty"` // of the outage with that id
	Stop      *EndSignal     `json:"stop,omitempty"`   // the last that it announced
	Flaps     *FlapsSnapshot `json:"flaps,omitempty"`
	Failures  uint32         `json:"failures,omitempty"`
	FailedAt  float64        `json:"failed_at,omitempty"`
	AliveFor  time.Duration  `json:"alive_for"`
	SilentFor time.Duration  `json:"silent_for,omitempty"`
	Since     time.Duration  `json:"since"`
	Uncounted time.Duration  `json:"uncounted,omitempty"` // so much of its silence did not count when this was saved

	// Stale is how much the detector's clock advanced after this was saved. The component may have been heard since.
	Stale      time.Duration `json:"-"`
	BeforeKill bool          `json:"-"` // a kill signal came after it was saved
}

// FlapsSnapshot is the recent gaps of a component.
type FlapsSnapshot struct {
	Times    []time.Duration `json:"times,omitempty"`
	Incident string          `json:"incident,omitempty"`
	Since    time.Duration   `json:"since,omitempty"`
}

// OutageSnapshot is an open outage.
type OutageSnapshot struct {
	ID        string        `json:"id"`
	Opened    time.Duration `json:"opened"`
	Reported  bool          `json:"reported,omitempty"`
	Members   []string      `json:"members"`
	Key       string        `json:"key,omitempty"`
	Niche     string        `json:"niche,omitempty"`
	LastSeen  float64       `json:"last_seen,omitempty"`
	Since     time.Duration `json:"since,omitempty"`
	Threshold time.Duration `json:"threshold,omitempty"`
	Severity  string        `json:"severity,omitempty"`
}

// Snapshot returns what the detector knows. It shares nothing that changes with the detector.
func (d *Detector) Snapshot() *Snapshot {
	s := d.Head()
	s.Ended = slices.Clone(d.ended)
	for i, o := range d.outages {
		s.Outages[i].Members = slices.Sorted(maps.Keys(o.members))
	}
	s.Components = make([]ComponentSnapshot, 0, len(d.components))
	for _, c := range d.order {
		if c.phase != retired {
			s.Components = append(s.Components, d.saved(c))
		}
	}
	return s
}

func (c *component) snapshot() ComponentSnapshot {
	s := ComponentSnapshot{
		Key: c.key, Niche: c.niche, State: states[c.phase], Last: c.last, LastSeen: c.lastSeen, Born: c.born,
		Threshold: c.threshold, Beats: c.beats, Gaps: c.gaps, Rhythm: c.rhythm, Reading: c.reading, Restarts: c.restarts, Holes: c.holes,
		Incident: c.incident, AliveFor: c.aliveFor, SilentFor: c.silentFor, Since: c.since,
		Failures: c.failures, FailedAt: c.failedAt,
	}
	if c.forming != nil {
		s.Former, s.NicheAt = new(c.forming.former), c.forming.since
	}
	if c.flaps != nil {
		s.Flaps = &FlapsSnapshot{Times: slices.Clone(c.flaps.times), Incident: c.flaps.incident, Since: c.flaps.since}
	}
	return s
}

// Restore gives a detector that has heard nothing yet what another one knew. The time since then does not count as
// silence. A snapshot that contradicts itself is repaired; what was wrong is returned.
func (d *Detector) Restore(s *Snapshot) (repaired []string) {
	repaired = s.repair()
	c := s.Clock
	d.clock = clock{
		blindAfter: d.config.BlindAfter, ticksOnly: d.config.TicksOnly,
		started: c.Started, now: c.Now, reading: c.Reading, lastTick: c.LastTick,
		jumps: slices.Clone(c.Jumps), run: c.Run, runs: slices.Clone(c.Runs), restarts: c.Restarts,
		holes: holes{list: saneHoles(c.Holes), last: c.LastHole}, holeCount: max(c.Listed, 0), tickedAt: c.TickedAt, deaf: c.Started,
		older: c.Older && len(c.Jumps) > 0,
	}
	if len(d.clock.runs) > maxRuns {
		d.clock.runs = d.clock.runs[:maxRuns]
	}
	d.identity = s.Identity
	d.opened = slices.Clone(s.Opened)[max(len(s.Opened)-d.config.OutageCount, 0):]
	d.nextReport = min(s.NextReport, d.reportAfter(c.Now)) // the interval may be another today
	d.killed = nil
	if s.Killed != nil {
		d.killed = new(*s.Killed)
	}
	d.ended = slices.DeleteFunc(slices.Clone(s.Ended), func(e EndedGap) bool { return e.Until < c.Now || e.Gap.Open || !possible(e.Until) })
	d.resumed = nil
	if s.Resumed != nil {
		d.resumed = new(*s.Resumed)
		d.resumed.At = min(d.resumed.At, c.Now) // one in the future would end the monitoring
	}
	d.outages = nil
	for _, o := range s.Outages {
		members := make(map[string]bool, len(o.Members))
		for _, key := range o.Members {
			members[key] = true
		}
		d.outages = append(d.outages, &outage{
			id: o.ID, opened: o.Opened, reported: o.Reported, members: members,
			key: o.Key, niche: o.Niche, lastSeen: o.LastSeen, since: o.Since, threshold: o.Threshold, severity: o.Severity,
		})
	}
	d.components = make(map[string]*component, len(s.Components))
	d.order, d.retired, d.swept = make([]*component, 0, len(s.Components)), 0, 0
	clear(d.stops)
	d.unjudged = unjudged{}
	d.deadlines = deadlines{Next: d.nextLook}
	for i := range s.Components {
		d.restore(&s.Components[i])
	}
	d.ended = slices.DeleteFunc(d.ended, d.isFollowed) // a state that was saved bit by bit can still have them
	for _, key := range slices.Sorted(maps.Keys(d.expected)) {
		d.addUnseen(key)
	}
	return repaired
}

func (d *Detector) restore(s *ComponentSnapshot) {
	c := &component{
		key: s.Key, phase: phase(slices.Index(states[:], s.State)), last: s.Last, lastSeen: s.LastSeen, born: s.Born,
		beats: s.Beats, gaps: s.Gaps, rhythm: s.Rhythm, reading: s.Reading, restarts: s.Restarts, holes: s.Holes,
		incident: s.Incident, aliveFor: s.AliveFor, silentFor: s.SilentFor, since: s.Since,
		failures: s.Failures, failedAt: s.FailedAt,
	}
	if c.failures == 0 && c.incident != "" { // saved by a former version
		c.failures, c.failedAt = 1, c.lastSeen
	}
	if s.Stop != nil {
		d.stops[c.key] = s.Stop
	}
	if s.Flaps != nil {
		c.flaps = &flaps{times: slices.Clone(s.Flaps.Times), incident: s.Flaps.Incident, since: s.Flaps.Since}
	}
	d.refresh(c, s)
	d.setNiche(c, s.Niche)
	if s.Former != nil {
		c.forming = &newNiche{former: *s.Former, since: s.NicheAt}
	}
	d.enlist(c)
	if d.config.Adaptive != nil && !c.isLearnt() && s.Threshold > c.threshold {
		c.threshold = min(s.Threshold, d.longest(c)) // see learn
	}
	_, expected := d.expected[c.key]
	foreign := d.identity != "" && d.identity != d.config.Identity // no component beats under these keys any more
	c.abandoned = (foreign || c.phase == unseen) && !expected || d.config.Ignored != nil && d.config.Ignored(c.key)
	d.await(c, d.nextChange(c))
}
