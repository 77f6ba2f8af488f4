package status

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// savedVersion is the version of the form of Saved.
const savedVersion = 1

// cellBytes is the length of a saved cell: the worst state, and the seconds up and silent.
const cellBytes = 5

// Saved is what is to survive a restart.
type Saved struct {
	Version    int              `json:"version"`
	Now        time.Time        `json:"now,omitzero"` // when something was last reported, or looked at
	Cell       time.Duration    `json:"cell"`         // length of a cell of the histories
	Components []SavedComponent `json:"components"`
	Gaps       []SavedGap       `json:"gaps"`
	Events     []Event          `json:"events"` // the oldest first
}

// SavedComponent is a component.
type SavedComponent struct {
	Report   Report    `json:"report"`
	Since    time.Time `json:"since"`
	LastBeat time.Time `json:"last_beat,omitzero"`
	Starts   int64     `json:"starts,omitempty"`
	Newest   int64     `json:"newest"` // number of the last cell
	Cells    []byte    `json:"cells"`  // of the history, the oldest first
}

// SavedGap is an open gap.
type SavedGap struct {
	Gap
	At        time.Time `json:"at"`
	Opened    time.Time `json:"opened"`
	Delivered time.Time `json:"delivered,omitzero"`
}

// State returns what is to survive a restart.
func (s *Status) State() *Saved {
	saved := &Saved{Version: savedVersion, Now: s.now, Cell: s.config.History / Cells, Events: append([]Event{}, s.events.list...)}
	for _, c := range s.components {
		saved.Components = append(saved.Components, SavedComponent{
			Report: c.report, Since: c.since, LastBeat: c.lastBeat, Starts: c.starts, Newest: c.history.newest, Cells: c.history.bytes(),
		})
	}
	for _, g := range s.gaps {
		saved.Gaps = append(saved.Gaps, SavedGap{Gap: g.Gap, At: g.At, Opened: g.opened, Delivered: g.delivered})
	}
	return saved
}

// Restore gives a status that knows nothing yet the state of another one. If histories reached back for another time,
// they begin anew. It takes no more than there is room for.
func (s *Status) Restore(saved *Saved) error {
	if saved.Version != savedVersion {
		return fmt.Errorf("state has version %d, this program knows %d", saved.Version, savedVersion)
	}
	s.now = saved.Now
	for _, c := range saved.Components[:min(len(saved.Components), s.config.MaxComponents)] {
		restored := s.add(c.Report.Key)
		restored.report, restored.since, restored.lastBeat, restored.starts = c.Report, c.Since, c.LastBeat, c.Starts
		if saved.Cell == s.config.History/Cells {
			restored.history.restore(c.Newest, c.Cells)
		}
	}
	for _, g := range saved.Gaps[:min(len(saved.Gaps), s.config.MaxComponents)] {
		g.Gap.At, g.Open = g.At, true
		s.gaps[g.Incident] = &gap{Gap: g.Gap, opened: g.Opened, delivered: g.Delivered}
	}
	for _, event := range saved.Events {
		s.events.add(event)
	}
	return nil
}

// bytes returns the cells, the oldest first.
func (h *History) bytes() []byte {
	cells := make([]byte, 0, Cells*cellBytes)
	for n := h.newest - Cells + 1; n <= h.newest; n++ {
		at := index(n)
		cells = append(cells, byte(h.worst[at]))
		for _, seconds := range []float32{h.up[at], h.down[at]} {
			cells = binary.LittleEndian.AppendUint16(cells, uint16(math.Round(float64(seconds))))
		}
	}
	return cells
}

// restore takes cells. Those of another form are left out.
func (h *History) restore(newest int64, cells []byte) {
	if len(cells) != Cells*cellBytes {
		return
	}
	h.newest = newest
	for i := range int64(Cells) {
		cell := cells[i*cellBytes:]
		at := index(newest - Cells + 1 + i)
		if int(cell[0]) < len(states) {
			h.worst[at] = State(cell[0])
		}
		h.up[at] = float32(binary.LittleEndian.Uint16(cell[1:]))
		h.down[at] = float32(binary.LittleEndian.Uint16(cell[3:]))
	}
}
