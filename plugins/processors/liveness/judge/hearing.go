package judge

import "time"

// maxJumps bounds how many jumps of the sensor's clock can be looked back across.
const maxJumps = 32

// hearing turns the sensor's observation clock into the judge's own, which also stands still where
// the judge did not hear the sensor: across a step longer than blindAfter, and when the sensor began
// anew.
type hearing struct {
	blindAfter time.Duration

	Started bool          `json:"started"`
	Now     time.Duration `json:"now"`             // the judge's clock
	Heard   time.Duration `json:"heard"`           // the sensor's clock
	Jumps   []jump        `json:"jumps,omitempty"` // the latest, oldest first; across each of them the judge's clock stood still
}

// jump is a step of the sensor's clock from one value to another while the judge's showed At.
type jump struct {
	From time.Duration `json:"from"`
	To   time.Duration `json:"to"`
	At   time.Duration `json:"at"`
}

// Forward takes the sensor's clock as a beat or a tick carries it.
func (h *hearing) Forward(observed time.Duration) {
	if !h.Started {
		h.Restart(observed)
		return
	}
	step := observed - h.Heard
	if step <= 0 {
		return
	}
	if step > h.blindAfter {
		h.jump(jump{From: h.Heard, To: observed, At: h.Now})
	} else {
		h.Now += step
	}
	h.Heard = observed
}

// Restart says that the sensor's clock began anew, at observed.
func (h *hearing) Restart(observed time.Duration) {
	h.Started = true
	h.Heard = observed
	// What would have been before belongs to the sensor's former life.
	h.Jumps = append(h.Jumps[:0], jump{From: -1 << 63, To: observed, At: h.Now})
}

func (h *hearing) jump(j jump) {
	if len(h.Jumps) >= maxJumps {
		h.Jumps = append(h.Jumps[:0], h.Jumps[len(h.Jumps)-maxJumps+1:]...)
		// Older than can be told counts as the oldest that can, which is too late rather than too early.
		h.Jumps[0].From = -1 << 63
	}
	h.Jumps = append(h.Jumps, j)
}

// SteadySince reports whether the sensor was heard without a jump since a time of the judge's clock.
func (h *hearing) SteadySince(at time.Duration) bool {
	return len(h.Jumps) == 0 || h.Jumps[len(h.Jumps)-1].At < at
}

// At returns the judge's time of something that happened when the sensor's clock showed observed.
func (h *hearing) At(observed time.Duration) time.Duration {
	now, heard := h.Now, h.Heard
	for i := len(h.Jumps) - 1; i >= 0 && observed < h.Jumps[i].To; i-- {
		j := h.Jumps[i]
		if observed > j.From {
			return j.At
		}
		now, heard = j.At, j.From
	}
	return now - max(heard-observed, 0)
}
