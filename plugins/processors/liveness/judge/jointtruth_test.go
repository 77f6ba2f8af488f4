package judge

import (
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// jointTruth is what is true in a world with two sensors, as far as it is simple.
type jointTruth struct {
	*told
	sensors map[string]*witness
	zooids  map[string]*sighted
}

// witness is a sensor: its own observed time, and its own view of who was heard when.
type witness struct {
	now, heard time.Duration
	real       time.Duration // when its clock last went on
	last       map[string]time.Duration
	lastReal   map[string]time.Duration
}

type sighted struct {
	silent bool
	real   time.Duration // of the last beat
	now    time.Duration // the same by the judge's clock
}

func newJointTruth(t *rapid.T, w *world) *jointTruth {
	tr := &jointTruth{told: newTold(t, w), sensors: make(map[string]*witness), zooids: make(map[string]*sighted)}
	return tr
}

func (tr *jointTruth) Take(in input, findings []Finding, now time.Duration) {
	t := tr.t
	tr.told.Take(findings, now)
	s := tr.sensors[in.sensor]
	if s == nil {
		s = &witness{heard: in.observed, last: make(map[string]time.Duration), lastReal: make(map[string]time.Duration)}
		tr.sensors[in.sensor] = s
	}
	if step := in.observed - s.heard; step > 0 && step <= tr.w.BlindAfter {
		s.now += step
		s.real = in.real
	}
	s.heard = in.observed
	if in.beat != nil {
		z := tr.zooids[in.beat.Key]
		if z == nil {
			z = &sighted{}
			tr.zooids[in.beat.Key] = z
		}
		s.last[in.beat.Key], s.lastReal[in.beat.Key] = s.now, in.real
		z.silent, z.real, z.now = false, in.real, now
	}
	for _, f := range tr.changes {
		z := tr.zooids[f.Key]
		switch f.Change {
		case Stopped:
			z.silent = true
			threshold := tr.w.rules[f.Key].Threshold
			witnesses := 0
			for name, s := range tr.sensors {
				last, heard := s.last[f.Key]
				const between = time.Second // ticks: so far the clocks are apart
				switch mute := in.real - s.real; {
				case !heard:
				case s.now-last > threshold:
					witnesses++
				case mute <= tr.w.BlindAfter-between:
					require.Greater(t, z.real-s.lastReal[f.Key], threshold-2*between, "%s says that %q lives", name, f.Key)
				}
			}
			require.NotZero(t, witnesses, "nobody can tell that %q is silent", f.Key)
		case Forgotten:
			delete(tr.zooids, f.Key)
			for _, s := range tr.sensors {
				delete(s.last, f.Key)
			}
		}
	}
	if in.beat != nil {
		return
	}
	for name, z := range tr.zooids {
		threshold := tr.w.rules[name].Threshold
		all := now-z.now > threshold+tr.w.BlindAfter // by which who heard it may have been ahead
		for _, s := range tr.sensors {
			last, heard := s.last[name]
			all = all && s.real == in.real && (!heard || s.now-last > threshold)
		}
		if all {
			require.True(t, z.silent, "both say that %q is silent", name)
			require.True(t, tr.Covered(name, now) || name == "quiet", "%q is silent, without an incident", name)
		}
	}
}
