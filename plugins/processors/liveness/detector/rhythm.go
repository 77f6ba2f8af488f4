package detector

import "math"

const (
	longestRun = 6    // up to so many missed beats in a row are told apart
	memory     = 1000 // intervals that the shares of missed beats look back over
	lookBack   = 60   // intervals that the interval and its spread look back over
	outOfStep  = 8    // so many intervals without a beat, or with short spacings only, are another rhythm
	oddInRow   = 6    // and so many spacings in a row that lack a beat
)

// rhythm is what is known of how a component beats: the interval, the spread and the longest recent spacing of its
// beats, and how often beats were missed in a row, whatever the reason. Nothing else is kept of the past. Each spacing
// weighs as much as it lasts, so the interval is that into which a moment falls: 9 s, not 1 s, for eight streams that
// beat within a second every 10 s.
type rhythm struct {
	Interval float32             `json:"interval"`          // seconds; 0: not known
	Longest  float32             `json:"longest,omitempty"` // seconds, recent spacing
	Cycle    float32             `json:"cycle,omitempty"`   // seconds, between the first of beats that come together and the next such
	Known    float32             `json:"known,omitempty"`   // seconds, since when this interval is followed
	Short    float32             `json:"short,omitempty"`   // seconds, since the last spacing that was not short
	Periods  float32             `json:"periods,omitempty"` // intervals that were seen, of late
	Missed   [longestRun]float32 `json:"missed,omitzero"`   // in them, runs of at least so many missed beats
	Near     float32             `json:"near,omitempty"`    // mean square of how far from one interval spacings are, in intervals
	Far      float32             `json:"far,omitempty"`     // and of how far from several those that lack beats are
	Fars     uint8               `json:"fars,omitempty"`    // how many of those were seen, up to lookBack
	Odd      uint8               `json:"odd,omitempty"`     // how many of those came last, in a row
}

// Add takes n beats that came in the seconds since the beat before them. Suspected says that the component was taken
// for silent, so that this may have been a failure.
func (r *rhythm) Add(x float64, n int, suspected bool) {
	if x <= 0 || n <= 0 {
		return
	}
	spacing := x / float64(n)
	if r.Interval == 0 {
		r.Interval, r.Longest = float32(spacing), float32(spacing)
	}
	t := float64(r.Interval)
	ratio := spacing / t
	k := math.Round(ratio)
	r.Known = float32(min(float64(r.Known)+x, math.MaxInt32))
	r.Short += float32(x)
	cycle := float64(r.Short)
	if ratio > 0.75 {
		r.Short = 0
	}
	share := x / (x + min(lookBack*t, float64(r.Known)-x))
	fold := 1.0
	if settled := float64(r.Known) >= 3*t; settled && k <= outOfStep {
		if k > 1 && math.Abs(ratio-k) <= 0.25 && 4*r.Missed[0] <= r.Periods {
			fold = k
		}
		r.count(x/t, ratio, share, int(k))
	}
	switch {
	case k > outOfStep || r.Odd >= oddInRow || float64(r.Short) > outOfStep*t:
		r.Known, r.Short, r.Odd = 0, 0, 0
		if !suspected {
			r.Interval, r.Longest, r.Known, r.Cycle = float32(spacing), float32(spacing), float32(x), 0
		}
	case !suspected:
		if ratio > 0.75 {
			r.follow(cycle/fold, share)
		}
		r.Interval += float32(share * (spacing/fold - t))
		r.Longest += float32(min(x/(outOfStep*t), 1)) * (r.Interval - r.Longest)
		r.Longest = max(r.Longest, float32(spacing/fold))
	}
}

// follow takes how long a cycle took.
func (r *rhythm) follow(cycle, share float64) {
	if r.Cycle == 0 {
		r.Cycle = float32(cycle)
		return
	}
	known := float64(r.Cycle)
	r.Cycle += float32(share * min(max(cycle-known, -known/4), known/4))
}

// count takes that a spacing of so many intervals lacks k-1 beats.
func (r *rhythm) count(periods, ratio, share float64, k int) {
	fade := float32(1 - min(periods, memory/2)/memory)
	r.Periods = r.Periods*fade + float32(periods)
	for j := range r.Missed {
		r.Missed[j] *= fade
		if j+1 < k {
			r.Missed[j]++
		}
	}
	off := ratio - float64(k)
	switch {
	case k >= 2:
		r.Odd++
		r.Fars = min(r.Fars+1, lookBack)
		r.Far += float32(off*off-float64(r.Far)) / float32(r.Fars)
	case k == 1:
		r.Odd = 0
		r.Near += float32(share * (off*off - float64(r.Near)))
	}
}

// Restart takes that the component was down: it may come back with another interval. How beats are lost on the way is
// no different.
func (r *rhythm) Restart() {
	*r = rhythm{Periods: r.Periods, Missed: r.Missed, Near: r.Near, Far: r.Far, Fars: r.Fars}
}

// Loss is the share of beats that are missed, 0..1; of a run of more than longestRun no more than these.
func (r *rhythm) Loss() float64 {
	missed := float32(0)
	for _, runs := range r.Missed { // a run of three counts in three of them
		missed += runs
	}
	return float64(min(missed/max(r.Periods, 1), 1))
}

// Deviation is the standard deviation of the interval, in seconds.
func (r *rhythm) Deviation() float64 {
	return math.Sqrt(float64(r.Near)) * float64(r.Interval)
}

// sane reports whether the values can be those of a rhythm; those of a saved state may be any.
func (r *rhythm) sane() bool {
	for _, v := range append(r.Missed[:], r.Interval, r.Longest, r.Cycle, r.Known, r.Short, r.Periods, r.Near, r.Far) {
		if !(v >= 0 && v <= math.MaxInt32) {
			return false
		}
	}
	return true
}
