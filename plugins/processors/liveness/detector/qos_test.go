package detector

import (
	"cmp"
	"fmt"
	"math"
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
// adaptive one, and before a model of a plain monitor that polls last-seen times. All hear the same.
//
//	go test -run '^$' -bench QoS ./plugins/processors/liveness/detector

const (
	qosInterval = 10 * time.Second
	qosDown     = 5 * time.Minute // from a crash to the restart
	longWait    = time.Second     // a beat that waited longer on its way is dated back by the input
)

// subject is a detector that is put before colonies, with several settings at once.
type subject struct {
	name     string
	settings []float64
	verdicts func(c *colony, settings []float64) [][][]verdict // for each setting and component
}

// adaptive returns the adaptive detector; its settings are mistakes_per_year.
func adaptive(perYear ...float64) subject {
	return subject{"adaptive", perYear, func(c *colony, settings []float64) (all [][][]verdict) {
		for _, s := range settings {
			all = append(all, c.detected(adaptiveOf(s)))
		}
		return all
	}}
}

// adaptiveOf is the default configuration but for mistakes_per_year.
func adaptiveOf(perYear float64) *Adaptive {
	return &Adaptive{MistakesPerYear: perYear, Forgive: 1, Min: 5 * time.Second, Max: 2 * time.Minute}
}

// thirty is the detector as it is by default, with its threshold of 30 s.
var thirty = subject{"fixed", []float64{30}, func(c *colony, _ []float64) [][][]verdict { return [][][]verdict{c.detected(nil)} }}

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
		h.Beats, h.Starts, h.emitted = 0, 0, true
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
			if a.starts {
				h.Starts++
			}
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

// simulate puts colonies of 40 components, each for 25 hours, before subjects; for less where they beat so much more.
// It returns the quality for each of them and each of its settings.
func simulate(t *trace, colonies int, subjects ...subject) [][]quality {
	const components = 40
	until := 25 * time.Hour / time.Duration(max(t.streams, 1))
	total := make([][]quality, len(subjects))
	for i, s := range subjects {
		total[i] = make([]quality, len(s.settings))
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	for half := range 2 {
		group.Go(func() {
			for n := half; n < colonies; n += 2 {
				c := newColony(t, components, until, uint64(n))
				for i, s := range subjects {
					for k, verdicts := range s.verdicts(c, s.settings) {
						var q quality
						q.measure(c, verdicts)
						mu.Lock()
						total[i][k].add(&q)
						mu.Unlock()
					}
				}
			}
		})
	}
	group.Wait()
	return total
}

// BenchmarkQoS prints the table of the README: 20 000 hours of a component's life for each trace.
func BenchmarkQoS(b *testing.B) {
	subjects := []subject{thirty, adaptive(100), poller(30)}
	for b.Loop() {
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', tabwriter.Debug|tabwriter.AlignRight)
		fmt.Fprintln(table, "\ntrace\tdetector\tT_D s\tT_D p99 s\tλ_M 1/h\tT_M s\tP_A\tmistakes\tcrashes\t")
		for i := range traces {
			for s, q := range simulate(&traces[i], 20, subjects...) {
				q[0].write(table, traces[i].name, subjects[s].name)
			}
		}
		table.Flush()
	}
}

// atRate returns the time to detect a crash, in seconds, at a rate of mistakes: between two settings as on a straight
// line over the logarithm of the rate.
func atRate(settings []quality, perYear float64) float64 {
	var before, soon float64
	for i := range settings {
		mean, _ := settings[i].detection()
		rate := math.Log1p(settings[i].perYear())
		if rate > math.Log1p(perYear) {
			share := (math.Log1p(perYear) - before) / (rate - before)
			return soon + share*(mean.Seconds()-soon)
		}
		before, soon = rate, mean.Seconds()
	}
	return soon
}

// TestPromise checks that no trace has more mistakes than were asked for, how soon crashes are detected, and that the
// poller is slower, also on Pareto, for which there is no promise.
func TestPromise(t *testing.T) {
	colonies, settings := 2, []float64{30, 100, 300, 600, 1000, 2000, 10_000}
	brief := testing.Short() || underRace
	if brief {
		colonies, settings = 1, []float64{100}
	}
	var mean float64
	for i := range promised {
		trace := &promised[i]
		q := simulate(trace, colonies, adaptive(settings...), poller(30))
		ours, theirs := q[0], &q[1][0]
		theirMean, _ := theirs.detection()
		for n, asked := range settings {
			soon, _ := ours[n].detection()
			rate := ours[n].perYear()
			if asked <= 300 {
				// With so little time the count may be off by three deviations of a Poisson process.
				count := 1.2 * asked / year * ours[n].alive.Seconds()
				require.LessOrEqual(t, float64(ours[n].mistakes), count+3*math.Sqrt(count), "%s: asked for %g a year, got %.0f", trace.name, asked, rate)
			}
			require.Zero(t, ours[n].missed, "%s: crashes were not detected", trace.name)
			if asked == 100 {
				mean += soon.Seconds() / float64(len(promised))
			}
		}
		if !brief {
			require.Less(t, atRate(ours, theirs.perYear()), theirMean.Seconds(), "%s: with as many mistakes as the poller", trace.name)
		}
	}
	require.LessOrEqual(t, mean, 26.0, "seconds to detect a crash")
	if !brief {
		// Of the other traces the poller is nearest on this one: a few spacings are very long.
		pareto := slices.IndexFunc(traces, func(t trace) bool { return t.name == "Pareto" })
		q := simulate(&traces[pareto], 4, adaptive(20_000, 25_000), poller(30))
		theirs, _ := q[1][0].detection()
		require.Less(t, atRate(q[0], q[1][0].perYear()), theirs.Seconds(), "Pareto: with as many mistakes as the poller")
	}
}
