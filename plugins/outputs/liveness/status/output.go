package status

import (
	"cmp"
	"slices"
	"time"
)

// Output is what a metric chembus_output says about an output that publishes gaps.
type Output struct {
	Name       string // the values of the tags that name a bus, as far as the metric has them; empty if it has none
	At         time.Time
	Publishing bool  // false: nothing that it publishes comes back from the bus
	Pending    int64 // gaps that wait to be published, or for their acks
}

// OutputRow is an output that publishes gaps.
type OutputRow struct {
	Name       string  `json:"name"`
	Known      bool    `json:"known"` // false: nothing recent is known
	Publishing bool    `json:"publishing"`
	Pending    int64   `json:"pending"`
	Reported   float64 `json:"reported"`
}

// Output takes what an output says about itself.
func (s *Status) Output(o Output, now time.Time) {
	now = s.clock(now)
	o.At = earlier(o.At, now)
	last, known := s.outputs[o.Name]
	switch {
	case known && o.At.Before(last.At):
	case !known && len(s.outputs) >= s.config.MaxComponents:
		s.dropped++
	default:
		s.outputs[o.Name] = o
	}
}

// outputRows returns how the outputs are shown.
func (s *Status) outputRows(now time.Time) []OutputRow {
	rows := make([]OutputRow, 0, len(s.outputs))
	for _, o := range s.outputs {
		rows = append(rows, OutputRow{
			Name: o.Name, Known: now.Sub(o.At) <= s.config.StaleAfter, Publishing: o.Publishing, Pending: o.Pending, Reported: epoch(o.At),
		})
	}
	slices.SortFunc(rows, func(a, b OutputRow) int { return cmp.Compare(a.Name, b.Name) })
	return rows
}
