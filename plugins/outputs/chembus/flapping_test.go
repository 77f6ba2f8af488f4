package chembus

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// flapWindow and flapCount are the defaults of processors.liveness.
const (
	flapWindow = 10 * time.Minute
	flapCount  = 5
)

// simProcessor is the processor of a simulated monitor, which hears one component.
type simProcessor struct {
	detector *detector.Detector
	run      time.Duration // when its input started
	phase    time.Duration // of its ticks
	dead     bool
}

func newProcessor(run, phase time.Duration) *simProcessor {
	rule := &detector.Rule{Threshold: 30 * time.Second, LateAfter: 15 * time.Second, RetireAfter: 24 * time.Hour, Severity: "high", Gaps: true}
	return &simProcessor{run: run, phase: phase, detector: detector.New(&detector.Config{
		BlindAfter: 3 * time.Second, ReportInterval: 10 * time.Second, Rule: func(string, string) *detector.Rule { return rule },
		OutageCount: 5, OutageWindow: 10 * time.Second, FlapCount: flapCount, FlapWindow: flapWindow, ExpectWithin: time.Minute,
	}, "")}
}

// watch has each monitor watch a component that beats at some times, from the start of the monitor's processor on.
func (s *simulation) watch(processors []*simProcessor, beats []time.Duration, until time.Duration) {
	for i, p := range processors {
		m := s.monitors[i]
		found := func(findings []detector.Finding) {
			for _, f := range findings {
				if g := f.Gap; g != nil {
					level := silenceOf(g.IncidentID, f.Key, g.LastSeen, g.Missing.Seconds())
					level.Open, level.Kind, level.Severity, level.Threshold = g.Open, g.Type, g.Severity, g.Threshold.Seconds()
					level.FlapWindow = g.FlapWindow.Seconds()
					level.at = float64(s.now.UnixNano()) / 1e9
					m.write(level)
				}
			}
		}
		run := int64(i + 1)
		for _, at := range beats {
			s.at(at, func() {
				if !p.dead && at > p.run {
					found(p.detector.Beat(&detector.Beat{Key: "z", Run: run, Observed: at - p.run, LastSeen: float64(s.now.UnixNano()) / 1e9, Beats: 1}))
				}
			})
		}
		for at := p.run; at < until; at += time.Second {
			s.at(at+p.phase, func() {
				if !p.dead {
					found(p.detector.Tick(run, at+p.phase-p.run))
				}
			})
		}
	}
}

// flappingBeats are the beats of a component that falls silent again and again, up to a time, and is stable for a while
// after that. Then it dies.
func (s *simulation) flappingBeats(from, to, dies time.Duration) (beats []time.Duration) {
	for at := from; at < dies; {
		lives := 20*time.Second + time.Duration(s.random.Int64N(int64(40*time.Second)))
		if at > to {
			lives = dies - at
		}
		for until := at + lives; at < until; at += 10 * time.Second {
			beats = append(beats, at)
		}
		at += 30*time.Second + time.Duration(s.random.Int64N(int64(50*time.Second)))
	}
	return beats
}

// TestFlappingIsDampedOnce has a component flap beside monitors that started at different times, one of which is killed.
// Consumers are told of few gaps more than by one monitor. When it was stable for a while and then dies, they are told.
func TestFlappingIsDampedOnce(t *testing.T) {
	t.Parallel()
	runs := uint64(6)
	if testing.Short() {
		runs = 3
	}
	for seed := range runs {
		s := newSimulation(t, seed, 1+int(seed%3))
		processors := make([]*simProcessor, len(s.monitors))
		for i := range processors {
			processors[i] = newProcessor(0, time.Duration(s.random.Int64N(int64(time.Second))))
			if i > 0 {
				m := s.monitors[i]
				m.alive = false
				processors[i].run = time.Duration(s.random.Int64N(int64(10 * time.Minute))).Truncate(time.Second)
				s.at(processors[i].run, func() { s.revive(m, nil) })
			}
		}
		if len(processors) == 3 { // the others go on to know that it flaps
			s.at(20*time.Minute, func() { s.monitors[0].alive, processors[0].dead = false, true })
		}
		const to, dies = 30 * time.Minute, 45 * time.Minute
		s.watch(processors, s.flappingBeats(10*time.Second, to, dies), dies+2*time.Minute)
		s.run(dies + 2*time.Minute)
		kinds := s.kinds["z"]
		require.NotEmpty(t, kinds)
		t.Logf("seed %d, %d monitors: %d gaps", seed, len(s.monitors), len(kinds))
		last := len(kinds) - 1
		require.Equal(t, gaptype.Missing, kinds[last], "seed %d", seed)
		require.Equal(t, gaptype.Flapping, kinds[last-1], "seed %d: %v", seed, kinds)
		require.NotContains(t, kinds[:last-1], gaptype.Flapping, "seed %d: %v", seed, kinds)
		most := flapCount
		if len(s.monitors) > 1 {
			most++ // another one may have told of the silence with which it began to flap
		}
		require.LessOrEqual(t, last, most, "seed %d: %v", seed, kinds)
	}
}

// TestSilencesOfAComponentThatFlaps offers gaps of a component that flaps according to another monitor.
func TestSilencesOfAComponentThatFlaps(t *testing.T) {
	const window = 600
	at := func(at, missing float64) *gap {
		g := silenceOf(fmt.Sprint("mine ", at), "z", at-missing, missing)
		g.at = at
		return g
	}
	told := ofKind(gaptype.Flapping, at(1000, 30))
	told.Incident, told.FlapWindow = "theirs", window
	mine := func(now float64) *gap {
		g := ofKind(gaptype.Flapping, at(now, 30))
		g.FlapWindow = window
		return g
	}
	endless := *told
	endless.FlapWindow = 1e300
	outage := massOf("outage", 1500, 30, 1, "z")
	outage.at = 1530
	for _, test := range []struct {
		name  string
		told  *gap
		mine  []*gap
		known bool // the last of them
	}{
		{"a silence", told, []*gap{at(1500, 30)}, true},
		{"that began a window later", told, []*gap{at(1631, 30)}, false},
		{"that lasts", told, []*gap{at(1630, 30), at(3000, 1400)}, true},
		{"each of them within a window", told, []*gap{at(1500, 30), over(at(1500, 90)), at(2000, 30)}, true},
		{"a window after the last one was over", told, []*gap{at(1500, 30), over(at(1500, 30)), at(2131, 30)}, false},
		{"that it flaps", told, []*gap{mine(1500)}, true},
		{"it has flapped for long", told, []*gap{mine(1500), mine(2000), mine(2500), mine(3000)}, true},
		{"it flaps no more", told, []*gap{mine(1500), over(mine(1500)), at(1600, 30)}, false},
		{"it was silent with others", told, []*gap{outage}, true},
		{"another component", told, []*gap{silenceOf("x", "y", 1470, 30)}, false},
		{"another kind of trouble", told, []*gap{ofKind("latency_high", at(1500, 30))}, false},
		{"a window is not known", ofKind(gaptype.Flapping, at(1000, 30)), []*gap{at(1500, 30)}, false},
		{"for a time without end", &endless, []*gap{at(1000+longestFlapWindow+31, 30)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newTestOutbox(t, 10)
			o.log.Add(test.told)
			for _, g := range test.mine {
				publishAll(o)
				o.Offer(g)
			}
			require.Equal(t, test.known, o.pending.Len() == 0)

			// A monitor that joins then, or is restarted, is told.
			joins, restarted := newTestOutbox(t, 10), newTestOutbox(t, 10)
			o = newTestOutbox(t, 10)
			o.log.Add(test.told)
			learn(joins, o.log.silences.Values()...)
			require.NoError(t, restarted.Restore(saved(t, o)))
			for _, g := range test.mine {
				for _, other := range []*outbox{joins, restarted} {
					publishAll(other)
					other.Offer(g)
				}
			}
			require.Equal(t, test.known, joins.pending.Len() == 0)
			require.Equal(t, test.known, restarted.pending.Len() == 0)
		})
	}
	o := newTestOutbox(t, 10)
	o.log.Add(told)
	o.log.Retract("theirs")
	o.Offer(at(1500, 30))
	require.Equal(t, 1, o.pending.Len(), "nobody was told")
	o = newTestOutbox(t, 10)
	learn(o, silence{Component: "z", Incident: "theirs", Until: 9e9, FlapWindow: window})
	o.Offer(at(1500, 30))
	require.Equal(t, 1, o.pending.Len(), "that is in the future")
}

// TestFlappingOnABus has one of several outputs on a real bus tell that a component flaps.
func TestFlappingOnABus(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	start := time.Now()
	silent := func(incident string, after time.Duration, changes map[string]any) telegraf.Metric {
		m := gapMetric(incident, changes)
		m.AddTag("zooid", "z")
		m.AddField("last_seen", bus.EpochSeconds(start.Add(after-31*time.Second)))
		m.SetTime(start.Add(after))
		return m
	}
	first, second := connect(t, b.XSub()), connect(t, b.XSub())
	first.write(t, silent("flaps", 0, map[string]any{"gap_type": gaptype.Flapping, "flap_window_s": 600.0}))
	received(t, c, "flaps")
	require.Eventually(t, func() bool { return first.pending() == 0 }, patience, time.Millisecond)

	second.write(t, silent("second", 2*time.Minute, nil))
	require.Eventually(t, func() bool { return second.counted().Known == 1 }, patience, time.Millisecond)
	joins := connect(t, b.XSub())
	joins.write(t, silent("joins", 4*time.Minute, nil))
	require.Eventually(t, func() bool { return joins.counted().Known == 1 }, patience, time.Millisecond)
	joins.write(t, silent("a window later", 15*time.Minute, nil))
	require.Equal(t, []string{"flaps", "a window later"}, received(t, c, "a window later"))
}
