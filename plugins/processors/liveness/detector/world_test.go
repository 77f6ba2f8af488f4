package detector

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"
)

// step is the unit of time in a world.
const step = 250 * time.Millisecond

// world is a random configuration, and what a detector gets to hear.
type world struct {
	Config
	rules  map[string]*Rule
	inputs []input
}

// input is one call of the detector.
type input struct {
	restart  bool // of the detector, before it
	run      int64
	observed time.Duration
	beat     *Beat         // if it is one
	kill     bool          // if it is the signal
	stop     string        // the component that announces its stop; else it is a tick
	holes    int           // that a tick says there were in this run
	listed   []Hole        // the last of them
	resumed  time.Duration // when a tick says that the last maintenance was over, if it lasted
	lasted   time.Duration

	real time.Duration // when it happens
	sent time.Duration // when the beat was sent
}

func (in input) Feed(d *Detector) []Finding {
	switch {
	case in.beat != nil:
		return d.Beat(in.beat)
	case in.kill:
		return d.Kill(in.run, in.observed)
	case in.stop != "":
		return d.Stop(in.stop, in.run, in.observed)
	}
	d.Holes(in.run, in.observed, time.Unix(1e9, int64(in.real)), in.holes, in.listed)
	if in.lasted > 0 {
		d.Resume(in.run, in.resumed, in.lasted)
	}
	return d.Tick(in.run, in.observed)
}

func (in input) String() string {
	switch {
	case in.beat != nil:
		return fmt.Sprintf("beat %+v at %v", *in.beat, in.real)
	case in.kill:
		return fmt.Sprintf("kill, %v at %v", in.observed, in.real)
	case in.stop != "":
		return fmt.Sprintf("stop of %s, %v at %v", in.stop, in.observed, in.real)
	}
	return fmt.Sprintf("tick of %d, %v at %v", in.run, in.observed, in.real)
}

// The names of a world: one is not to open gaps, one never beats.
var names = []string{"a", "b", "c", "d", "e", "quiet", "ghost"}

func drawWorld(t *rapid.T) *world {
	steps := func(label string, least, most int) time.Duration {
		return time.Duration(rapid.IntRange(least, most).Draw(t, label)) * step
	}
	w := &world{rules: make(map[string]*Rule)}
	w.Config = Config{
		BlindAfter:     3 * time.Second,
		ReportInterval: 4 * time.Second,
		ExpectWithin:   steps("expect within", 4, 40),
		OutageCount:    rapid.IntRange(1, 4).Draw(t, "outage count"),
		OutageWindow:   steps("outage window", 1, 40),
		FlapCount:      rapid.IntRange(2, 4).Draw(t, "flap count"),
		FlapWindow:     steps("flap window", 20, 120),
		Rule:           func(key, _ string) *Rule { return w.rules[key] },
	}
	common := Rule{Threshold: steps("threshold", 5, 24), RetireAfter: 1 << 60, Gaps: true}
	if rapid.Bool().Draw(t, "retire") {
		common.RetireAfter = common.Threshold + steps("retire after", 1, 80)
	}
	common.LateAfter = common.Threshold / 2
	override := common
	override.Threshold = steps("override", 5, 24)
	override.LateAfter = override.Threshold
	override.RetireAfter = max(override.RetireAfter, override.Threshold+step)
	quiet := common
	quiet.Gaps = false
	for _, name := range names {
		w.rules[name] = &common
	}
	w.rules["b"], w.rules["c"], w.rules["quiet"] = &override, &override, &quiet
	switch rapid.IntRange(0, 2).Draw(t, "expected") {
	case 1:
		w.Expected = []string{"a"}
	case 2:
		w.Expected = []string{"a", "b", "ghost"}
	}
	w.drawInputs(t)
	return w
}

func (w *world) adapt(t *rapid.T) {
	least := time.Duration(rapid.IntRange(1, 20).Draw(t, "min threshold")) * step
	w.Adaptive = &Adaptive{MistakesPerYear: 1e6, Forgive: rapid.IntRange(0, 2).Draw(t, "forgive"), Min: least, Max: least + time.Duration(rapid.IntRange(0, 40).Draw(t, "max threshold"))*step}
}

// feed is what the input of a world has observed in its present run.
type feed struct {
	run      int64 // 0: it says of none
	observed time.Duration
	ended    time.Duration // the same when a signal last ended one or all components
	past     []moment
}

type moment struct{ observed, real time.Duration }

// watch makes it one of a watch, up to the first restart of the input: only ticks move the clock, beats come at any time
// between two of them, and a component may have to beat several times before its silence is a gap.
func (w *world) watch(t *rapid.T) {
	w.TicksOnly, w.SameWithin, w.MinBeats = true, step/2, rapid.Int64Range(0, 3).Draw(t, "min beats")
	first := w.inputs[0].run
	if end := slices.IndexFunc(w.inputs, func(in input) bool { return in.run != first }); end >= 0 {
		w.inputs = w.inputs[:end]
	}
	w.inputs = slices.DeleteFunc(w.inputs, func(in input) bool { return in.kill || in.stop != "" })
	for i := range w.inputs {
		if in := &w.inputs[i]; in.beat != nil {
			in.observed += time.Duration(rapid.Int64Range(0, int64(step)-1).Draw(t, "after the tick"))
			in.beat.Observed = in.observed
		}
	}
}

// interrupt lets the input be interrupted now and then, and the bus be in maintenance. Ticks say so.
func (w *world) interrupt(t *rapid.T) {
	var last input // tick
	for i := range w.inputs {
		in := &w.inputs[i]
		if in.beat != nil || in.kill || in.stop != "" {
			continue
		}
		if in.run == last.run && in.observed >= last.observed {
			in.holes, in.listed, in.resumed, in.lasted = last.holes, last.listed, last.resumed, last.lasted
			for range rapid.IntRange(0, 12).Draw(t, "holes") - 9 {
				at := last.observed + time.Duration(rapid.Int64Range(0, int64(in.observed-last.observed)).Draw(t, "hole"))
				if n := len(in.listed); n > 0 {
					at = max(at, in.listed[n-1].Observed)
				}
				in.holes++
				in.listed = append(slices.Clone(in.listed), Hole{Observed: at, Length: time.Duration(rapid.IntRange(0, 20).Draw(t, "length")) * step / 2})
				in.listed = in.listed[max(len(in.listed)-2, 0):]
			}
			if rapid.IntRange(0, 15).Draw(t, "maintenance") == 0 {
				in.resumed, in.lasted = last.observed, time.Duration(rapid.IntRange(1, 60).Draw(t, "lasted"))*step
			}
		}
		last = *in
	}
}

// drawInputs lets time pass in short steps, after which there is a tick, and lets things happen between.
func (w *world) drawInputs(t *rapid.T) {
	s := &feed{ended: -1, run: rapid.Int64Range(0, 1).Draw(t, "run")}
	w.add(input{run: s.run})
	now := time.Duration(0)
	for range rapid.IntRange(10, 50).Draw(t, "length") {
		what := rapid.IntRange(0, 63).Draw(t, "what")
		amount := rapid.IntRange(0, 11).Draw(t, "amount")
		switch {
		case what == 0: // the input restarts
			now += time.Duration(amount) * step
			s.observed, s.ended, s.past = 0, -1, nil
			if s.run != 0 {
				s.run++
			}
			w.add(input{run: s.run, real: now})
		case what == 1: // it was blind, or the detector did not hear it
			now += w.BlindAfter + step
			s.observed += w.BlindAfter + step
			w.tick(s, now)
		case what == 2 && (s.run == 0 || s.ended < s.observed): // a second one at the same time would be a copy
			s.ended = s.observed
			w.add(input{run: s.run, observed: s.observed, kill: true, real: now})
		case what == 3 && (s.run == 0 || s.ended < s.observed) && w.beats(names[amount%len(names)]):
			s.ended = s.observed
			w.add(input{run: s.run, observed: s.observed, stop: names[amount%len(names)], real: now})
		case what < 40:
			w.beat(t, s, names[amount%(len(names)-1)], now, s.run == 0)
		case what < 46: // all components beat, or most
			for i, name := range names[:len(names)-1] {
				if i != amount {
					w.beat(t, s, name, now, false)
				}
			}
		default: // time passes
			passed := time.Duration(1+amount) * step
			now += passed
			s.observed += passed
			w.tick(s, now)
		}
		if rapid.IntRange(0, 23).Draw(t, "restart") == 0 {
			w.inputs[len(w.inputs)-1].restart = true
		}
	}
}

func (w *world) add(in input) { w.inputs = append(w.inputs, in) }

func (w *world) tick(s *feed, now time.Duration) {
	s.past = append(s.past, moment{s.observed, now})
	w.add(input{run: s.run, observed: s.observed, real: now})
}

// beat adds a beat, perhaps one that was sent some ticks ago.
func (w *world) beat(t *rapid.T, s *feed, name string, now time.Duration, mayBeLate bool) {
	sent := moment{s.observed, now}
	if mayBeLate {
		if late := rapid.IntRange(0, 31).Draw(t, "late"); late < min(len(s.past), 8) {
			sent = s.past[len(s.past)-1-late]
		}
	}
	b := &Beat{Run: s.run, Key: name, Observed: sent.observed, LastSeen: 1e9 + sent.real.Seconds(), Beats: 1}
	if s.run != 0 {
		b.LastSeen += float64(len(w.inputs)) / 1e6 // two beats at the same time are no copies
	}
	switch rapid.IntRange(0, 15).Draw(t, "kind") {
	case 0:
		b.Starts = 1
	case 1, 2, 3:
		b.Beats = 8 // merged
	}
	w.add(input{run: s.run, observed: sent.observed, beat: b, real: now, sent: sent.real})
}

// beats reports whether a component has beaten so far: none announces its stop before that.
func (w *world) beats(name string) bool {
	return slices.ContainsFunc(w.inputs, func(in input) bool { return in.beat != nil && in.beat.Key == name })
}
