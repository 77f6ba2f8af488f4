package status

import "time"

// Cells is into how many parts the history of a component is divided.
const Cells = 96

// History is what a component did over the time before now, in cells of equal length that begin at multiples of it.
// Time without reports is in no cell.
type History struct {
	cell   time.Duration
	newest int64 // number of the newest cell since the epoch; it is at newest mod Cells
	worst  [Cells]State
	up     [Cells]float32 // seconds up
	down   [Cells]float32 // seconds silent
}

// newHistory is a history that covers a length of time.
func newHistory(length time.Duration) *History {
	return &History{cell: length / Cells}
}

// Add says in which state a component was from one time to another, and whether it was heard then.
func (h *History) Add(from, to time.Time, state State, up bool) {
	if !to.After(from) {
		return
	}
	last := h.number(to.Add(-1))
	h.advance(last)
	for n := max(h.number(from), h.newest-Cells+1); n <= last; n++ {
		begin, end := time.Unix(0, n*int64(h.cell)), time.Unix(0, (n+1)*int64(h.cell))
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		at, seconds := index(n), float32(end.Sub(begin).Seconds())
		switch {
		case up:
			h.up[at] += seconds
		case state == Silent || state == Flapping:
			h.down[at] += seconds
		}
		h.worst[at] = max(h.worst[at], state)
	}
}

// Strip returns a letter for the worst state of each cell up to a time, the oldest first.
func (h *History) Strip(now time.Time) string {
	strip := make([]byte, Cells)
	oldest := h.number(now) - Cells + 1
	for i := range strip {
		state := Unknown
		if n := oldest + int64(i); n <= h.newest && n > h.newest-Cells {
			state = h.worst[index(n)]
		}
		strip[i] = states[state].letter
	}
	return string(strip)
}

// Availability returns the time up as a share of the time up or silent; false if there was neither.
func (h *History) Availability(now time.Time) (float64, bool) {
	var up, down float64
	for n := max(h.number(now), h.newest) - Cells + 1; n <= h.newest; n++ {
		up += float64(h.up[index(n)])
		down += float64(h.down[index(n)])
	}
	return up / (up + down), up+down > 0
}

// number returns the number of the cell of a time.
func (h *History) number(t time.Time) int64 {
	return t.UnixNano() / int64(h.cell)
}

// index returns where a cell is, also one before 1970.
func index(number int64) int {
	return int((number%Cells + Cells) % Cells)
}

// advance makes a cell the newest, and clears those that begin with it.
func (h *History) advance(to int64) {
	for n := max(h.newest+1, to-Cells+1); n <= to; n++ {
		at := index(n)
		h.worst[at], h.up[at], h.down[at] = Unknown, 0, 0
	}
	h.newest = max(h.newest, to)
}
