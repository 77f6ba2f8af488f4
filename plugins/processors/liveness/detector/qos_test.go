package detector

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"
)

// The quality of service of failure detectors as Chen, Toueg and Aguilera measure it ("On the Quality of
// Service of Failure Detectors", IEEE Transactions on Computers, 2002), in virtual time: components that
// live, crash at a known time and come back are put before a detector with a fixed threshold, before the
// adaptive one, and before a model of a plain monitor that polls last-seen times. All three hear the same.
//
//	go test -run '^$' -bench QoS ./plugins/processors/liveness/detector

// The detectors.
const (
	fixedThreshold = iota
	adaptiveThreshold
	poller
	detectors
)

var detectorNames = [detectors]string{"fixed", "adaptive", "poller"}

var asked = 100.0

const (
	qosInterval = 10 * time.Second
	qosDown     = 5 * time.Minute // from a crash to the restart
	pollEvery   = 15 * time.Second
	pollLimit   = 30 * time.Second
	longWait    = time.Second // a beat that waited longer on its way is dated back by the input
)

// verdict is a change of a detector's mind.
type verdict struct {
	at      time.Duration
	suspect bool
}

// detected returns the verdicts of a detector on a colony behind an input that ticks every second, emits a
// component's first beat after a tick at once and the rest merged before the next tick, and dates
// beats that waited on their way back to when they were sent.
func (c *colony) detected(adaptive *Adaptive) [][]verdict {
	verdicts := make([][]verdict, len(c.lives))
	config := configOf(Rule{Threshold: 30 * time.Second, LateAfter: 15 * time.Second})
	config.ReportInterval = 1 << 62
	config.Adaptive = adaptive
	d := New(&config, "")
	hear := func(at time.Duration, findings []Finding) {
		for _, f := range findings {
			who, err := strconv.Atoi(f.Key)
			if err != nil {
				panic(err)
			}
			switch f.Change {
			case FirstHeard, CameBack:
				verdicts[who] = append(verdicts[who], verdict{at, false})
			case WentSilent:
				verdicts[who] = append(verdicts[who], verdict{at, true})
			}
		}
	}
	type heard struct {
		Beat
		emitted bool // since the last tick
	}
	table := make([]heard, len(c.lives))
	for who := range table {
		table[who].Beat = Beat{Key: strconv.Itoa(who)}
	}
	var waiting []*heard
	tell := func(at time.Duration, h *heard) {
		hear(at, d.Beat(&h.Beat))
		h.Beats, h.emitted = 0, true
	}
	hear(0, d.Tick(0, 0))
	next := 0
	for tick := time.Second; tick <= c.until; tick += time.Second {
		if i := covering(c.outages, tick); i >= 0 {
			// The first evidence after it. Ticks are due at whole seconds, whenever they came last.
			tick = c.outages[i].to
		}
		for ; next < len(c.arrivals) && c.arrivals[next].at <= tick; next++ {
			a := c.arrivals[next]
			h := &table[a.who]
			proof := a.at
			if a.at-a.sent > longWait {
				proof = a.sent
			}
			h.Observed = max(h.Observed, c.observed(proof))
			h.LastSeen = a.sent.Seconds()
			h.Beats++
			switch {
			case !h.emitted:
				tell(a.at, h)
			case h.Beats == 1:
				waiting = append(waiting, h)
			}
		}
		slices.SortStableFunc(waiting, func(a, b *heard) int { return cmp.Compare(a.Observed, b.Observed) })
		for _, h := range waiting {
			tell(tick, h)
		}
		waiting = waiting[:0]
		for who := range table {
			table[who].emitted = false
		}
		hear(tick, d.Tick(0, c.observed(tick)))
		tick = tick.Truncate(time.Second)
	}
	return verdicts
}

// polled returns what a monitor makes of a colony that looks every 15 s, by the wall clock, whose last
// beat came more than 30 s ago.
func (c *colony) polled() [][]verdict {
	verdicts := make([][]verdict, len(c.lives))
	lastSeen := make(map[int]time.Duration)
	suspected := make([]bool, len(c.lives))
	next := 0
	for poll := between(rand.New(rand.NewPCG(c.seed, 0)), 0, pollEvery); poll <= c.until; poll += pollEvery {
		for ; next < len(c.arrivals) && c.arrivals[next].at <= poll; next++ {
			lastSeen[c.arrivals[next].who] = c.arrivals[next].at
		}
		for who, seen := range lastSeen {
			suspect := poll-seen > pollLimit
			if suspect != suspected[who] || verdicts[who] == nil {
				suspected[who] = suspect
				verdicts[who] = append(verdicts[who], verdict{poll, suspect})
			}
		}
	}
	return verdicts
}

// quality is the quality of service that a detector gave.
type quality struct {
	detections []time.Duration // T_D of each crash
	mistakes   int
	mistaken   time.Duration // spent in mistakes
	alive      time.Duration // of all the components together
}

// measure compares verdicts with what happened. A life begins to count when it is first trusted: that it
// takes a beat to be known is no mistake.
func (q *quality) measure(c *colony, verdicts [][]verdict) {
	for who, lives := range c.lives {
		v := verdicts[who]
		for n, life := range lives {
			end := c.until // of what is said about this life
			if n+1 < len(lives) {
				end = lives[n+1].from
			}
			var trusted, suspected time.Duration
			known, suspect := false, false
			for ; len(v) > 0 && v[0].at < end; v = v[1:] {
				switch at := min(v[0].at, life.to); {
				case v[0].suspect:
					if v[0].at < life.to {
						q.mistakes++
					}
					suspect, suspected = true, v[0].at
				case !known:
					known, trusted = true, at
				default:
					suspect = false
					q.mistaken += at - min(suspected, at)
				}
			}
			if !known {
				continue // too short a time to be heard, at the very end
			}
			q.alive += life.to - trusted
			if suspect {
				q.mistaken += max(life.to-suspected, 0)
			}
			if n+1 < len(lives) {
				if !suspect {
					panic("a crash was never detected")
				}
				q.detections = append(q.detections, max(suspected-life.to, 0))
			}
		}
	}
}

// detection returns the mean detection time and its 99th percentile.
func (q *quality) detection() (mean, p99 time.Duration) {
	slices.Sort(q.detections)
	var sum time.Duration
	for _, d := range q.detections {
		sum += d
	}
	n := len(q.detections)
	return sum / time.Duration(n), q.detections[n*99/100]
}

// rate is λ_M, mistakes for each hour that a component lives.
func (q *quality) rate() float64 {
	return float64(q.mistakes) / q.alive.Hours()
}

// duration is T_M, the mean of a mistake.
func (q *quality) duration() time.Duration {
	return q.mistaken / time.Duration(max(q.mistakes, 1))
}

// accuracy is P_A, the probability that a component that lives is trusted.
func (q *quality) accuracy() float64 {
	return 1 - q.mistaken.Seconds()/q.alive.Seconds()
}

// simulate puts colonies of 40 components, each for 25 hours, before all detectors; for less where they
// beat so much more.
func simulate(t *trace, colonies int) [detectors]quality {
	const components = 40
	until := 25 * time.Hour / time.Duration(max(t.streams, 1))
	results := make([][detectors]quality, colonies)
	var group sync.WaitGroup
	for half := range 2 {
		group.Go(func() {
			for n := half; n < colonies; n += 2 {
				c := newColony(t, components, until, uint64(n))
				r := &results[n]
				r[fixedThreshold].measure(c, c.detected(nil))
				r[adaptiveThreshold].measure(c, c.detected(&Adaptive{MistakesPerYear: asked, Forgive: 1, Min: 5 * time.Second, Max: 2 * time.Minute}))
				r[poller].measure(c, c.polled())
			}
		})
	}
	group.Wait()
	var total [detectors]quality
	for _, r := range results {
		for d := range total {
			total[d].detections = append(total[d].detections, r[d].detections...)
			total[d].mistakes += r[d].mistakes
			total[d].mistaken += r[d].mistaken
			total[d].alive += r[d].alive
		}
	}
	return total
}

// BenchmarkQoS prints the table of the README: 20 000 hours of a component's life for each trace.
func BenchmarkQoS(b *testing.B) {
	for b.Loop() {
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', tabwriter.Debug|tabwriter.AlignRight)
		fmt.Fprintln(table, "\ntrace\tdetector\tT_D s\tT_D p99 s\tλ_M 1/h\tT_M s\tP_A\tmistakes\tcrashes\t")
		for i := range traces {
			for d, q := range simulate(&traces[i], 20) {
				q.write(table, traces[i].name, detectorNames[d])
			}
		}
		table.Flush()
	}
}

func (q *quality) write(w io.Writer, trace, detector string) {
	mean, p99 := q.detection()
	fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t%.5f\t%.1f\t%.7f\t%d\t%d\t\n", trace, detector,
		mean.Seconds(), p99.Seconds(), q.rate(), q.duration().Seconds(), q.accuracy(), q.mistakes, len(q.detections))
}

// TestQoS checks on a shorter run what the table claims.
func TestQoS(t *testing.T) {
	for i := range traces {
		t.Run(traces[i].name, func(t *testing.T) {
			if traces[i].limit {
				t.Skip("nothing is claimed")
			}
			q := simulate(&traces[i], 2)
			ours, theirs := &q[adaptiveThreshold], &q[poller]
			mean, _ := ours.detection()
			theirMean, _ := theirs.detection()
			require.Less(t, mean, theirMean, "slower to detect")
			require.LessOrEqual(t, ours.mistakes, theirs.mistakes, "more mistakes")
			if traces[i].outages {
				require.Zero(t, ours.mistakes)
				require.Zero(t, q[fixedThreshold].mistakes)
				require.NotZero(t, theirs.mistakes, "too peaceful to prove anything")
			}
		})
	}
}
