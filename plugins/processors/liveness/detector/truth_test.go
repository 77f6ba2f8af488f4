package detector

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

// truth is what is true in a world, worked out from what was heard in the plainest way.
type truth struct {
	*reader
	d       *Detector // that is compared with it
	zooids  map[string]*zooid
	now     time.Duration // observed time
	heard   time.Duration // the input's clock
	started bool
	past    map[time.Duration]time.Duration // the observed time at times of the input's clock
	killed  ending
	ticked  bool
}

// ending is when a component, or all, were ended on purpose.
type ending struct {
	at       time.Duration
	run      int64
	observed time.Duration // by the input's clock
}

// isBefore reports whether a beat, which was sent at a time, is one of a stream that was there before. On one clock that goes
// by what it showed, though it may have gone on where nothing counts as observed.
func (e ending) isBefore(in input, at time.Duration) bool {
	after := at - e.at
	if in.run != 0 && in.run == e.run {
		after = in.observed - e.observed
	}
	return after <= 0 || after <= killGrace && in.beat.Starts == 0
}

type zooid struct {
	last     time.Duration
	seen     bool
	missed   bool // not seen in time
	silent   bool
	killed   bool // or stopped, as it announced
	stopped  bool
	stop     ending
	silences []time.Duration
	back     time.Duration // since the last silence
}

func newTruth(t *rapid.T, w *world) *truth {
	tr := &truth{reader: newReader(t, w), zooids: make(map[string]*zooid), past: make(map[time.Duration]time.Duration), killed: ending{at: -1 << 60}}
	for _, name := range w.Expected {
		tr.zooids[name] = &zooid{}
	}
	return tr
}

func (tr *truth) Take(in input, findings []Finding) {
	tr.ticked = tr.ticked && !in.restart
	switch {
	case in.kill, in.stop != "":
	case tr.started && in.beat == nil && in.observed < tr.heard:
		tr.heard, tr.past = in.observed, make(map[time.Duration]time.Duration)
	case tr.started && in.observed > tr.heard:
		if in.observed-tr.heard <= tr.w.BlindAfter {
			tr.now += in.observed - tr.heard
		}
		tr.heard = in.observed
	case !tr.started:
		tr.started, tr.heard = true, in.observed
	}
	if _, known := tr.past[in.observed]; !known {
		tr.past[in.observed] = tr.now
	}
	tr.reader.Take(findings, tr.now)
	switch {
	case in.beat != nil:
		tr.beat(in)
	case in.kill:
		tr.kill(ending{tr.past[in.observed], in.run, in.observed})
	case in.stop != "":
		at := tr.past[in.observed]
		if z := tr.zooids[in.stop]; z != nil && z.seen && !z.silent && (!z.killed || z.stopped) && z.last <= at+killGrace {
			z.killed, z.stopped, z.stop = true, true, ending{at, in.run, in.observed}
		}
	default:
		tr.ticked = true
	}
	tr.compare(in)
}

func (tr *truth) beat(in input) {
	at := tr.past[in.observed]
	z := tr.zooids[in.beat.Key]
	if z == nil || !z.seen {
		if z == nil {
			z = &zooid{}
			tr.zooids[in.beat.Key] = z
		}
		limit := tr.w.rules[in.beat.Key].LateAfter
		if tr.now-at > limit {
			at = tr.now // no component is silent because it is heard for the first time
		}
		z.killed = tr.killed.isBefore(in, at)
		z.seen, z.last = true, at
		return
	}
	_, most := tr.bounds(in.beat.Key)
	switch {
	case z.silent && tr.now-at > tr.threshold(in.beat.Key, most):
		return
	case (z.killed || z.silent) && tr.ended(z).isBefore(in, at):
		z.killed, z.silent = true, false
	default:
		if z.silent || z.killed {
			z.back = tr.now
		}
		z.silent, z.killed, z.stopped = false, false, false
	}
	z.last = max(z.last, at)
}

// ended is when a component was ended on purpose.
func (tr *truth) ended(z *zooid) ending {
	if z.stopped {
		return z.stop
	}
	return tr.killed
}

func (tr *truth) kill(at ending) {
	tr.killed = at
	for _, z := range tr.zooids {
		if !z.seen {
			z.killed = z.killed || !z.missed
			continue
		}
		if !z.silent && !z.stopped && z.last <= at.at+killGrace {
			z.killed = true
		}
	}
}

// uncounted is how much of a silence the detector does not count, which it must not do without a hole.
func (tr *truth) uncounted(name string) time.Duration {
	c := tr.d.components[name]
	uncounted := tr.d.uncounted(c)
	holes := tr.d.clock.holes.list
	require.True(tr.t, uncounted == 0 || len(holes) > 0 && holes[len(holes)-1].Until >= c.last-holePrecision, "%q was heard since", name)
	return uncounted
}

// bounds are between which thresholds a component is judged.
func (tr *truth) bounds(name string) (least, most time.Duration) {
	threshold := tr.w.rules[name].Threshold
	if a := tr.w.Adaptive; a != nil {
		return min(threshold, a.Min), max(threshold, a.Max)
	}
	return threshold, threshold
}

// threshold is the present one, which the detector itself says where it is adaptive.
func (tr *truth) threshold(name string, otherwise time.Duration) time.Duration {
	if s := tr.state[name]; tr.w.Adaptive != nil && s != nil {
		return s.Threshold
	}
	return otherwise
}

func (tr *truth) compare(in input) {
	t := tr.t
	for _, f := range tr.changes {
		z := tr.zooids[f.Key]
		switch f.Change {
		case WentSilent, WentAway:
			least, _ := tr.bounds(f.Key)
			require.Greater(t, tr.now-z.last, least, "%q is silent too early", f.Key)
			require.False(t, z.killed, "%q was killed on purpose", f.Key)
			z.silent = true
			z.silences = append(z.silences, tr.now)
		case NeverSeen:
			require.Greater(t, tr.now, tr.w.ExpectWithin, "%q is missed too early", f.Key)
			require.False(t, z.seen || z.killed)
			z.missed = true
		case WasRetired:
			require.Greater(t, tr.now-z.last, tr.w.rules[f.Key].RetireAfter, "%q is retired too early", f.Key)
			require.NotContains(t, tr.w.Expected, f.Key)
			delete(tr.zooids, f.Key)
		}
		if f.Gap == nil {
			continue
		}
		recent := slices.DeleteFunc(slices.Clone(z.silences), func(at time.Duration) bool { return tr.now-at >= tr.w.FlapWindow })
		require.False(t, f.Gap.Open && f.Key == "quiet", "its silence says nothing")
		switch flapping := f.Gap.Type == gaptype.Flapping; {
		case flapping && f.Gap.Open:
			require.GreaterOrEqual(t, len(recent), tr.w.FlapCount, "%q is not flapping", f.Key)
		case flapping && f.Change != WasRetired:
			require.False(t, z.silent || z.killed)
			require.Greater(t, tr.now-z.back, tr.w.FlapWindow, "%q is not stable", f.Key)
			z.silences = nil
		case f.Gap.Type == gaptype.Missing && f.Gap.Open:
			require.Less(t, len(recent), tr.w.FlapCount, "%q is flapping", f.Key)
		}
	}
	if in.beat != nil || in.kill || in.stop != "" || !tr.ticked {
		return
	}
	for name, z := range tr.zooids {
		silence := tr.now - z.last
		_, most := tr.bounds(name)
		switch rule := tr.w.rules[name]; {
		case z.killed:
		case !z.seen:
			require.Equal(t, tr.now > tr.w.ExpectWithin, z.missed, "%q, not seen at %v", name, tr.now)
			require.True(t, tr.Covered(name, tr.now) || !z.missed, "%q is missed, without an incident", name)
		case silence > most && silence-tr.uncounted(name) <= most:
		case silence > most:
			require.True(t, z.silent, "%q is silent for %v", name, silence)
			require.True(t, tr.Covered(name, tr.now) || !rule.Gaps, "%q is silent for %v, without an incident", name, silence)
		case tr.w.Adaptive == nil:
			require.False(t, z.silent)
			if g := tr.own[name]; g != nil {
				require.Equal(t, gaptype.Flapping, g.Type, "%q is back", name)
			}
			require.Empty(t, tr.members[name], "%q is back", name)
		}
		gathering := tr.own[name] == nil && tr.members[name] == "" && tr.Covered(name, tr.now) || tr.joined[name]
		if (z.silent || z.killed) && !slices.Contains(tr.w.Expected, name) && !gathering {
			require.LessOrEqual(t, silence, tr.w.rules[name].RetireAfter, "%q is not retired", name)
		}
		if g := tr.own[name]; g != nil && g.Type == gaptype.Flapping && !z.silent && !z.killed {
			require.LessOrEqual(t, tr.now-z.back, tr.w.FlapWindow, "%q has been stable since %v", name, z.back)
		}
	}
	for name := range tr.own {
		require.NotNil(t, tr.zooids[name], "an incident of the retired %q", name)
	}
}
