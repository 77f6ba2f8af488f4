package detector

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What a detector finds while beats are lost in holes, in simulated time: an input hears a colony, with holes and restarts.

// village is a simulation. Times are real ones since its start.
type village struct {
	random  *rand.Rand
	config  Config
	end     time.Duration
	members []member
	faults  []fault

	restartAt []time.Duration // of the processor

	unjudged time.Duration // when components could not be judged first; 0: never
	judged   time.Duration // since when all can be
}

// member is a component.
type member struct {
	key      string
	interval time.Duration
	first    time.Duration // beat
	jitter   time.Duration // up to so much is added to each interval
	streams  int           // that beat together, within a tenth of the interval
	dies     time.Duration // 0: it does not
}

// fault is a time in which the input hears nothing. It ends with a new run of the input if it was killed. If it was stalled, or
// the bus was, it hears everything at the end.
type fault struct {
	from, to time.Duration
	killed   bool
	stalled  bool
}

// occurrence is something that happens in a colony.
type occurrence struct {
	at   time.Duration
	kind int // in the order in which they come if they come at the same time
	key  string
}

const (
	faultBegins = iota
	faultEnds
	beats
	ticks
	processorRestarts
)

// simulatedInput is what the input of a colony knows.
type simulatedInput struct {
	run      int64
	observed time.Duration
	evidence time.Duration // the last, in real time
	holes    []Hole
	killed   bool
}

// epoch is when a colony starts, by the wall clock.
var epoch = time.Unix(1_800_000_000, 0)

// startUp is how long an input takes from its start to its first evidence.
const startUp = 300 * time.Millisecond

func (c *village) occurrences() []occurrence {
	var all []occurrence
	for _, m := range c.members {
		until := c.end
		if m.dies > 0 {
			until = m.dies
		}
		for at := m.first; at < until; at += m.interval {
			for s := range max(m.streams, 1) {
				all = append(all, occurrence{at + time.Duration(s)*m.interval/10/time.Duration(max(m.streams, 1)), beats, m.key})
			}
			if m.jitter > 0 {
				at += time.Duration(c.random.Int64N(int64(m.jitter)))
			}
		}
	}
	for _, f := range c.faults {
		all = append(all, occurrence{f.from, faultBegins, ""}, occurrence{f.to, faultEnds, ""})
	}
	for at := second; at < c.end; at += second {
		all = append(all, occurrence{at + second/3, ticks, ""})
	}
	for _, at := range c.restartAt {
		all = append(all, occurrence{at, processorRestarts, ""})
	}
	slices.SortStableFunc(all, func(a, b occurrence) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.kind, b.kind)) })
	return all
}

// found is when each component was found to be silent for the first time.
func (c *village) found(t *testing.T) map[string]time.Duration {
	t.Helper()
	found := make(map[string]time.Duration)
	d := New(&c.config, "")
	in := &simulatedInput{run: epoch.UnixNano()}
	now := time.Duration(0)
	hear := func(findings []Finding) {
		for _, f := range findings {
			if _, known := found[f.Key]; !known && (f.Change == WentSilent || f.Change == WentAway) {
				found[f.Key] = now
			}
		}
	}
	tick := func() {
		d.Holes(in.run, in.observed, epoch.Add(now), len(in.holes), in.holes[max(len(in.holes)-8, 0):])
		hear(d.Tick(in.run, in.observed))
		switch n, _ := d.Unjudged(); {
		case n > 0 && c.unjudged == 0:
			c.unjudged = now
		case n > 0:
			c.judged = 0
		case c.judged == 0:
			c.judged = now
		}
	}
	evident := func() {
		in.observed += now - in.evidence
		in.evidence = now
	}
	tick()
	blind, faulty := false, 0
	var waiting []occurrence
	beat := func(o occurrence) {
		observed := in.observed
		if lag := now - o.at; lag > second { // as the input does it
			observed -= lag
		}
		hear(d.Beat(&Beat{Key: o.key, Run: in.run, Observed: observed, LastSeen: (o.at + time.Hour).Seconds(), Beats: 1}))
	}
	for _, o := range c.occurrences() {
		now = o.at
		switch o.kind {
		case faultBegins:
			in.killed = c.faults[faulty].killed
			blind = true
		case faultEnds:
			blind = false
			stalled := c.faults[faulty].stalled
			faulty++
			if stalled {
				evident()
				for i, o := range waiting { // which are merged
					if !slices.ContainsFunc(waiting[i+1:], func(later occurrence) bool { return later.key == o.key }) {
						beat(o)
					}
				}
				waiting = nil
				tick()
				continue
			}
			if in.killed {
				*in = simulatedInput{run: epoch.Add(now - startUp).UnixNano()}
				tick()
				in.holes = append(in.holes, Hole{Length: startUp})
			} else {
				in.holes = append(in.holes, Hole{Observed: in.observed.Truncate(time.Millisecond), Length: now - in.evidence})
			}
			in.evidence = now
			tick()
		case processorRestarts:
			d = restarted(t, &c.config, d)
		case beats:
			if blind {
				if c.faults[faulty].stalled {
					waiting = append(waiting, o)
				}
				continue
			}
			evident()
			beat(o)
		case ticks:
			if !blind {
				evident()
				tick()
			}
		}
	}
	return found
}

func newVillage(seed uint64, end time.Duration) *village {
	return &village{random: rand.New(rand.NewPCG(seed, 1)), config: configOf(Rule{Threshold: 30 * second, LateAfter: 21 * second}), end: end}
}

// Join adds components that all beat at the same moment every 10 s.
func (c *village) Join(n int) {
	for i := range n {
		c.members = append(c.members, member{key: fmt.Sprint(i), interval: 10 * second, first: 5 * second, jitter: 20 * time.Millisecond})
	}
}

// TestHolesInPhase swallows ten beats of all components in a row: in restarts of the input, in short losses of the
// connection, or in both in turn. Then one dies.
func TestHolesInPhase(t *testing.T) {
	for name, killed := range map[string]func(int) bool{
		"killed": func(int) bool { return true }, "cut": func(int) bool { return false }, "both": func(i int) bool { return i%2 == 0 },
	} {
		for _, streams := range []int{1, 8} {
			t.Run(fmt.Sprint(name, streams), func(t *testing.T) {
				c := newVillage(1, 400*second)
				c.Join(24)
				for i := range c.members {
					c.members[i].streams, c.members[i].jitter = streams, 0
				}
				for i := range 10 {
					due := 105*second + time.Duration(i)*10*second
					c.faults = append(c.faults, fault{from: due - 200*time.Millisecond, to: due + 1200*time.Millisecond, killed: killed(i)})
				}
				c.members[7].dies = 206 * second
				found := c.found(t)
				require.Len(t, found, 1, "a component that lives")
				require.Less(t, found["7"], 206*second+60*second)
			})
		}
	}
}

// TestEveryBeatSwallowed has each beat of a component be in a hole for an hour, as a hostile peer can: it is not silent, and
// it is said within a threshold that it cannot be judged. The others, which beat at other times, can be. Then it has died.
func TestEveryBeatSwallowed(t *testing.T) {
	const hour = time.Hour
	for _, killed := range []bool{false, true} {
		c := newVillage(3, 2*hour)
		c.members = []member{
			{key: "victim", interval: 10 * second, first: 5 * second, dies: hour},
			{key: "dead", interval: 10 * second, first: 9 * second, dies: 400 * second},
			{key: "lives", interval: 10 * second, first: 9 * second},
		}
		for due := 305 * second; due < hour+300*second; due += 10 * second {
			c.faults = append(c.faults, fault{from: due - 300*time.Millisecond, to: due + 400*time.Millisecond, killed: killed})
		}
		found := c.found(t)
		require.Greater(t, c.unjudged, 325*second)
		require.Less(t, c.unjudged, 330*second)
		require.Less(t, found["dead"], 435*second, "30 s of observed time")
		require.Greater(t, found["victim"], hour+300*second)
		require.Less(t, found["victim"], hour+340*second)
		require.Len(t, found, 2)
		require.Equal(t, found["victim"], c.judged)
	}
}

// TestProcessorRestartedInPhase restarts the processor whenever beats are due, and the input in between.
func TestProcessorRestartedInPhase(t *testing.T) {
	c := newVillage(4, 400*second)
	c.Join(24)
	for i := range c.members {
		c.members[i].jitter = 0
	}
	for i := range 10 {
		due := 105*second + time.Duration(i)*10*second
		c.restartAt = append(c.restartAt, due+500*time.Millisecond)
		c.faults = append(c.faults, fault{from: due - 100*time.Millisecond, to: due + 400*time.Millisecond, killed: i%2 == 0})
	}
	c.members[0].dies = 210 * second
	found := c.found(t)
	require.Len(t, found, 1)
	require.Less(t, found["0"], 250*second)
}

// TestStallsWithAShortThreshold stalls the input, or the bus, for 2.6 s, which is less than blind_after, while components beat
// every second and are silent after 3 s. Then one dies.
func TestStallsWithAShortThreshold(t *testing.T) {
	c := newVillage(5, 80*second)
	c.config = configOf(Rule{Threshold: 3 * second, LateAfter: 2 * second})
	for i := range 25 {
		first := time.Duration(c.random.Int64N(int64(second)))
		c.members = append(c.members, member{key: fmt.Sprint(i), interval: second, first: first, jitter: 2 * time.Millisecond})
	}
	for i := range 6 {
		at := 10*second + time.Duration(i)*5*second + time.Duration(c.random.Int64N(int64(second)))
		c.faults = append(c.faults, fault{from: at, to: at + 2600*time.Millisecond, stalled: true})
	}
	c.members[3].dies = 50 * second
	found := c.found(t)
	require.Len(t, found, 1)
	require.Less(t, found["3"], 55*second)
}

// TestHolesAtRandom restarts the input, or cuts its connection, every 6 to 14 s for ten minutes, while ten of 50 components
// die: no other is found, however regular the beats are. Where they are, each death is found within three thresholds, but for
// one in 500, in which holes and beats coincide for longer.
func TestHolesAtRandom(t *testing.T) {
	for _, test := range []struct {
		jitter, mean, latest time.Duration
		share                int // of the deaths, one in so many is found after more than three thresholds
	}{
		{20 * time.Millisecond, 45 * second, 120 * second, 500},
		{300 * time.Millisecond, 50 * second, 200 * second, 20},
		{second, 75 * second, 600 * second, 3},
	} {
		t.Run(fmt.Sprint(test.jitter), func(t *testing.T) {
			late, deaths := 0, 0
			var worst, sum time.Duration
			schedules := uint64(200)
			if underRace || testing.Short() {
				schedules = 50
			}
			for seed := range schedules {
				for _, took := range deathsAmongHoles(t, seed, test.jitter) {
					deaths++
					sum += took
					worst = max(worst, took)
					if took > 90*second {
						late++
					}
				}
			}
			mean := sum / time.Duration(deaths)
			t.Logf("%d deaths were found after %v on average, %d after more than 90 s, the last after %v", deaths, mean, late, worst)
			require.LessOrEqual(t, late, deaths/test.share)
			require.Less(t, worst, test.latest)
			require.Less(t, mean, test.mean)
		})
	}
}

// deathsAmongHoles returns how long it takes to find each component that dies. No other may be found.
func deathsAmongHoles(t *testing.T, seed uint64, jitter time.Duration) (took []time.Duration) {
	t.Helper()
	c := newVillage(seed, 860*second)
	for i := range 50 {
		c.members = append(c.members, member{
			key: fmt.Sprint(i), interval: 10 * second, first: time.Duration(c.random.Int64N(int64(10 * second))), jitter: jitter,
		})
	}
	for at := 100 * second; at < 700*second; {
		length := time.Second + time.Duration(c.random.Int64N(int64(second)))
		c.faults = append(c.faults, fault{from: at, to: at + length, killed: seed%3 != 0})
		at += length + 6*second + time.Duration(c.random.Int64N(int64(8*second)))
	}
	for i := range 10 {
		c.members[5*i].dies = 110*second + time.Duration(c.random.Int64N(int64(560*second)))
	}
	found := c.found(t)
	for _, m := range c.members {
		at, silent := found[m.key]
		if m.dies == 0 {
			require.False(t, silent, "seed %d: %q lives and was silent at %v", seed, m.key, at)
			continue
		}
		require.True(t, silent, "seed %d: the death of %q at %v was not found", seed, m.key, m.dies)
		took = append(took, at-m.dies)
	}
	return took
}
