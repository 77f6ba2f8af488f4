package detector

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

// midnight is the time of the wall clock when the input's clock shows zero.
var midnight = time.Unix(1e9, 0)

// tickAt feeds a tick as the processor does.
func tickAt(d *Detector, at time.Duration) []Finding {
	d.Holes(1, at, midnight.Add(at), 0, nil)
	return d.Tick(1, at)
}

func beatAt(key string, at time.Duration) *Beat {
	b := beatOf(key, at)
	b.Run = 1
	return b
}

// levelOf is the level that a finding is for other detectors; nil if it is none.
func levelOf(f Finding, at time.Duration) *Level {
	if f.Gap == nil {
		return nil
	}
	l := &Level{Gap: *f.Gap, Key: f.Key, Niche: f.Niche, At: midnight.Add(at)}
	l.Members, l.Gap.Members = l.Gap.Members, nil // no key of a test has several parts
	return l
}

// keeper keeps the last level of each incident, as a stream with one message a subject does.
type keeper map[string]*Level

func (k keeper) Take(findings []Finding, at time.Duration) {
	for _, f := range findings {
		if l := levelOf(f, at); l != nil {
			k[l.IncidentID] = l
		}
	}
}

// openIncidents are the open incidents of a detector, each with the components that it is of.
func openIncidents(d *Detector) []string {
	var open []string
	for _, c := range d.Snapshot().Components {
		if c.Incident != "" {
			open = append(open, c.Incident+" "+c.Key)
		}
		if c.Flaps != nil && c.Flaps.Incident != "" {
			open = append(open, c.Flaps.Incident+" "+c.Key+" flaps")
		}
	}
	slices.Sort(open)
	return open
}

// silences are the components that are silent.
func silences(d *Detector) []string {
	var keys []string
	for _, c := range d.Snapshot().Components {
		if c.State == Silent {
			keys = append(keys, c.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

// fleetLife is when each of some components beats, second by second.
type fleetLife struct {
	keys  []string
	alive map[string][]bool
	end   int
}

func drawFleetLife(t *rapid.T) *fleetLife {
	f := &fleetLife{alive: make(map[string][]bool), end: rapid.IntRange(60, 120).Draw(t, "end")}
	common := make([]bool, f.end+1) // when all of some are down
	for at := 10; at <= f.end; at++ {
		common[at] = common[at-1] != (rapid.IntRange(0, 19).Draw(t, "common") == 0)
	}
	for i := range 8 {
		key := string(rune('a' + i))
		f.keys = append(f.keys, key)
		alive := make([]bool, f.end+1)
		joins := rapid.Bool().Draw(t, "joins")
		up := true
		for at := range alive {
			if at >= 10 && rapid.IntRange(0, 24).Draw(t, "turn") == 0 {
				up = !up
			}
			alive[at] = up && !(joins && common[at])
		}
		f.alive[key] = alive
	}
	return f
}

// Feed feeds a second to a detector.
func (f *fleetLife) Feed(d *Detector, at int) (found []Finding) {
	now := time.Duration(at) * second
	for i, key := range f.keys {
		if f.alive[key][at] {
			found = append(found, d.Beat(beatAt(key, now-second/2+time.Duration(i)*time.Millisecond))...)
		}
	}
	return append(found, tickAt(d, now)...)
}

// TestAdoptedIsAsIfItRanOn lets a detector run on, and one without state begin with the last beats and the last level of
// each incident, which come before and between them: in the end the same components are silent in both, with the same
// incidents. None of one component was closed before. The levels are of a third one that ended some time before.
func TestAdoptedIsAsIfItRanOn(t *testing.T) {
	config := configOf(Rule{Threshold: 4 * second, LateAfter: 2 * second})
	config.OutageCount, config.OutageWindow = 2, 3*second
	check(t, func(t *rapid.T) {
		life := drawFleetLife(t)
		died := rapid.IntRange(20, life.end).Draw(t, "died")
		begins := rapid.IntRange(0, died-10).Draw(t, "begins")
		ranOn, adopts := New(&config, ""), New(&config, "")
		levels := make(keeper)
		for at := range life.end + 1 {
			found := life.Feed(ranOn, at)
			if at < died {
				levels.Take(found, time.Duration(at)*second)
			}
		}
		stream := slices.SortedFunc(maps.Values(levels), func(a, b *Level) int { return a.At.Compare(b.At) })
		due := make(map[int][]*Level)
		for _, l := range stream {
			at := begins
			if l.Type != gaptype.Outage && rapid.IntRange(0, 3).Draw(t, "waits") == 0 {
				at = rapid.IntRange(begins, life.end-5).Draw(t, "comes")
			}
			due[at] = append(due[at], l)
		}
		closed := make(map[string]bool)
		take := func(found []Finding) {
			for _, f := range found {
				if f.Gap != nil && f.Gap.Type == gaptype.Missing && f.Change != Report {
					require.False(plain{t}, f.Gap.Open && closed[f.Gap.IncidentID], "opened after it was closed: %s", f.Key)
					closed[f.Gap.IncidentID] = !f.Gap.Open
				}
			}
		}
		for at := begins; at <= life.end; at++ {
			for _, l := range due[at] {
				take(adopts.Adopt(l))
			}
			take(life.Feed(adopts, at))
		}
		require.Equal(plain{t}, silences(ranOn), silences(adopts))
		require.Equal(plain{t}, openIncidents(ranOn), openIncidents(adopts), fmt.Sprint(len(stream), " levels, died ", died, ", begins ", begins))
	})
}
