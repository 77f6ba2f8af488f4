package status

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// View is what is known at a time, to be shown. It does not change.
type View struct {
	Summary
	Components []Row
	Gaps       []GapRow
	Events     []Event // the newest first
}

// Summary says how it is on the whole.
type Summary struct {
	Now     float64 `json:"now"` // epoch seconds
	Known   bool    `json:"known"`
	Problem string  `json:"problem,omitempty"` // why it is not known

	Buses   []BusRow       `json:"buses"`
	Counts  map[string]int `json:"counts"` // of the components with a name, by state
	Unnamed int            `json:"unnamed"`
	Gaps    int            `json:"open_gaps"`
	Outputs []OutputRow    `json:"outputs"`   // that publish gaps, as far as they are reported
	History float64        `json:"history_s"` // how far back that reaches
}

// BusRow is a bus, or a watch.
type BusRow struct {
	Source
	Known    bool    `json:"known"`
	Problem  string  `json:"problem,omitempty"`  // why it is not known
	Reported float64 `json:"reported"`           // epoch seconds of the last report of a component; 0: never
	Unjudged int64   `json:"unjudged,omitempty"` // components that cannot be judged at present
}

// Row is a component.
type Row struct {
	Key
	Niche         string   `json:"niche,omitempty"`
	Unnamed       bool     `json:"unnamed,omitempty"`
	State         State    `json:"state"`
	ReportedState State    `json:"reported_state"` // the last one, however old
	Since         float64  `json:"since"`          // epoch seconds since when that was reported
	LastSeen      float64  `json:"last_seen"`      // epoch seconds of the last beat; 0: never
	Silence       float64  `json:"silence_s"`      // at the time of the last report
	Threshold     float64  `json:"threshold_s"`
	Interval      float64  `json:"interval_s"`
	Loss          float64  `json:"loss"`
	Beats         int64    `json:"beats"`
	Starts        int64    `json:"starts"`
	Gaps          int64    `json:"gaps"`
	Reported      float64  `json:"reported"`     // epoch seconds of the last report
	Availability  *float64 `json:"availability"` // null: not known
	History       string   `json:"history"`      // a letter for each cell, the oldest first
}

// GapRow is an open gap.
type GapRow struct {
	Gap
	Known     bool    `json:"known"` // false: it was open at last, and nothing recent is known
	Opened    float64 `json:"opened"`
	Reported  float64 `json:"reported"`
	Delivered float64 `json:"delivered,omitempty"` // epoch seconds when its message was heard on the bus
}

// View returns what is known at a time.
func (s *Status) View(now time.Time) *View {
	now = s.clock(now)
	s.forget(now)
	s.dropUnreported()
	v := &View{
		Summary: Summary{Now: epoch(now), Buses: []BusRow{}, Counts: make(map[string]int), History: s.config.History.Seconds()},
		Gaps:    []GapRow{}, Events: s.events.latest(),
	}
	current := make(map[Source]bool, len(s.sources)) // the last reports of a bus are
	for k, from := range s.sources {
		problem := from.problem(now, s.config.StaleAfter)
		current[k] = problem == ""
		row := BusRow{Source: from.Source, Known: problem == "", Problem: problem, Reported: epoch(from.reported)}
		if row.Known && now.Sub(from.bus.At) <= s.config.StaleAfter {
			row.Unjudged = from.bus.Unjudged
		}
		v.Buses = append(v.Buses, row)
	}
	slices.SortFunc(v.Buses, func(a, b BusRow) int {
		return cmp.Or(cmp.Compare(a.Watch, b.Watch), cmp.Compare(a.Bus, b.Bus))
	})
	v.Known, v.Problem = known(v.Buses)
	v.Components = make([]Row, 0, len(s.components))
	for _, c := range s.components {
		row := s.row(c, current[c.key.Source], now)
		v.Components = append(v.Components, row)
		if row.Unnamed {
			v.Unnamed++
		} else {
			v.Counts[row.State.String()]++
		}
	}
	slices.SortFunc(v.Components, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.place(), b.place()), a.Key.compare(b.Key))
	})
	for _, g := range s.gaps {
		v.Gaps = append(v.Gaps, GapRow{
			Gap: g.Gap, Known: current[g.Source] && now.Sub(g.At) <= s.config.StaleAfter,
			Opened: epoch(g.opened), Reported: epoch(g.At), Delivered: epoch(g.delivered),
		})
	}
	slices.SortFunc(v.Gaps, func(a, b GapRow) int {
		return cmp.Or(cmp.Compare(b.Opened, a.Opened), cmp.Compare(a.Incident, b.Incident))
	})
	v.Summary.Gaps = len(v.Gaps)
	v.Outputs = s.outputRows(now)
	return v
}

// known reports whether all buses are known, and if not why.
func known(buses []BusRow) (bool, string) {
	if len(buses) == 0 {
		return false, "no report came yet"
	}
	unknown := slices.DeleteFunc(slices.Clone(buses), func(b BusRow) bool { return b.Known })
	switch {
	case len(unknown) == 0:
		return true, ""
	case len(buses) == 1:
		return false, unknown[0].Problem
	}
	return false, fmt.Sprintf("%d of %d buses are not known, the first is %q: %s",
		len(unknown), len(buses), cmp.Or(unknown[0].Bus, unknown[0].Watch), unknown[0].Problem)
}

// row returns how a component is shown. Current says whether the last reports of its bus are.
func (s *Status) row(c *component, current bool, now time.Time) Row {
	r := &c.report
	row := Row{
		Key: c.key, Niche: r.Niche, Unnamed: c.unnamed(), ReportedState: r.State, State: Unknown,
		Since: epoch(c.since), LastSeen: epoch(c.lastBeat), Silence: r.Silence, Threshold: r.Threshold, Interval: r.Interval,
		Loss: r.Loss, Beats: r.Beats, Starts: c.starts, Gaps: r.Gaps, Reported: epoch(r.At), History: c.history.Strip(now),
	}
	// A component that is gone is not reported again.
	if current && (r.State == Gone || now.Sub(r.At) <= s.config.StaleAfter) {
		row.State = r.State
	}
	if share, ok := c.history.Availability(now); ok {
		share = math.Round(share*1e5) / 1e5
		row.Availability = &share
	}
	return row
}

// places are the places of the states in a list, the worst first.
var places = [...]int{Silent: 0, Flapping: 1, Unseen: 2, Unknown: 3, Late: 4, Killed: 5, Stopped: 6, Up: 7, Gone: 8, Retired: 9}

// place is that of a row. Among the unknown ones those that were worse come first, and those without a name are last.
func (r *Row) place() int {
	place := 10*places[r.State] + places[r.ReportedState]
	if r.Unnamed {
		place += 1000
	}
	return place
}

// Equal reports whether two rows show the same.
func (r Row) Equal(o Row) bool {
	if r.Availability != nil && o.Availability != nil && *r.Availability == *o.Availability {
		r.Availability = o.Availability
	}
	return r == o
}
