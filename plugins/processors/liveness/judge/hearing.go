package judge

import "time"

// maxJumps bounds how many jumps of the sensor's clock can be looked back across.
const maxJumps = 32

// hearing turns the sensor's observation clock into the judge's own, which also stands still where
// the judge did not hear the sensor: across a step longer than blindAfter, and when the sensor began
// anew.
type hearing struct {
	blindAfter time.Duration

	started bool
	now     time.Duration // the judge's clock
	heard   time.Duration // the sensor's clock
	jumps   []jump        // the latest, oldest first; across each of them the judge's clock stood still
}

// jump is a step of the sensor's clock from one value to another while the judge's showed at.
type jump struct {
	from, to, at time.Duration
}

// Forward takes the sensor's clock as a beat or a tick carries it.
func (h *hearing) Forward(observed time.Duration) {
	if !h.started {
		h.Restart(observed)
		return
	}
	step := observed - h.heard
	if step <= 0 {
		return
	}
	if step > h.blindAfter {
		h.jump(jump{from: h.heard, to: observed, at: h.now})
	} else {
		h.now += step
	}
	h.heard = observed
}

// Restart says that the sensor's clock began anew, at observed.
func (h *hearing) Restart(observed time.Duration) {
	h.started = true
	h.heard = observed
	// What would have been before belongs to the sensor's former life.
	h.jumps = append(h.jumps[:0], jump{from: -1 << 63, to: observed, at: h.now})
}

func (h *hearing) jump(j jump) {
	if len(h.jumps) == maxJumps {
		h.jumps = append(h.jumps[:0], h.jumps[1:]...)
		// Older than can be told counts as the oldest that can, which is too late rather than too early.
		h.jumps[0].from = -1 << 63
	}
	h.jumps = append(h.jumps, j)
}

// SteadySince reports whether the sensor was heard without a jump since a time of the judge's clock.
func (h *hearing) SteadySince(at time.Duration) bool {
	return len(h.jumps) == 0 || h.jumps[len(h.jumps)-1].at < at
}

// At returns the judge's time of something that happened when the sensor's clock showed observed.
func (h *hearing) At(observed time.Duration) time.Duration {
	now, heard := h.now, h.heard
	for i := len(h.jumps) - 1; i >= 0 && observed < h.jumps[i].to; i-- {
		j := h.jumps[i]
		if observed > j.from {
			return j.at
		}
		now, heard = j.at, j.from
	}
	return now - max(heard-observed, 0)
}
