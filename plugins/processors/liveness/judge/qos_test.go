package judge

import (
	"cmp"
	"fmt"
	"io"
	"math"
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
// live, crash at a known time and come back are put before the judge with a fixed threshold, before the
// adaptive one, and before a model of a plain monitor that polls last-seen times. All three hear the same.
//
//	go test -run '^$' -bench QoS ./plugins/processors/liveness/judge

// The detectors.
const (
	fixedThreshold = iota
	adaptiveThreshold
	poller
	detectors
)

var detectorNames = [detectors]string{"fixed", "adaptive", "poller"}

const (
	qosInterval = 10 * time.Second
	qosDown     = 5 * time.Minute // from a crash to the restart
	pollEvery   = 15 * time.Second
	pollLimit   = 30 * time.Second
	longWait    = time.Second // a beat that waited longer on its way is dated back by the sensor
)

// trace is a way for components to beat, and for the bus to carry it.
type trace struct {
	name     string
	streams  int                                               // of each component, out of step
	interval func(random *rand.Rand, at time.Duration) float64 // seconds; nil: those of a sleeping loop
	loss     float64                                           // probability that a beat is lost
	stalls   bool                                              // components stall and catch up
	outages  bool                                              // the bus forwards nothing now and then
	limit    bool                                              // nothing is claimed of it: it shows the limits
}

var traces = []trace{
	{name: "regular"},
	{name: "jitter", interval: func(random *rand.Rand, _ time.Duration) float64 { return max(10+1.5*random.NormFloat64(), 0.1) }},
	{name: "loss 5 %", loss: 0.05},
	{name: "bursts", stalls: true},
	{name: "streams", streams: 8},
	{name: "drift", interval: func(_ *rand.Rand, at time.Duration) float64 { return 10 + 3*math.Sin(at.Hours()*math.Pi/2) }},
	{name: "outages", outages: true},
	{name: "loss 2 %", loss: 0.02, limit: true},
	{name: "loss 10 %", loss: 0.1, limit: true},
	{name: "long tail", interval: func(random *rand.Rand, _ time.Duration) float64 { return 7 + 3*random.ExpFloat64() }, limit: true},
}

// span is a time during which something holds.
type span struct{ from, to time.Duration }

// arrival is a beat that was not lost.
type arrival struct {
	at, sent time.Duration
	who      int
}

// colony is what happened, and what was heard of it.
type colony struct {
	until    time.Duration
	lives    [][]span // of each component; all but its last end with a crash
	outages  []span
	arrivals []arrival // in order
	seed     uint64
}

// newColony lets components beat; the same seed gives the same lives, whatever the trace.
func newColony(t *trace, components int, until time.Duration, seed uint64) *colony {
	c := &colony{until: until, lives: make([][]span, components), seed: seed}
	queued := make(map[span]bool)
	if t.outages {
		random := rand.New(rand.NewPCG(seed, 1))
		for at := exponential(random, 30*time.Minute); at < until; at += exponential(random, 30*time.Minute) {
			outage := span{at, at + time.Minute}
			c.outages = append(c.outages, outage)
			queued[outage] = random.IntN(2) == 0
			at = outage.to
		}
	}
	for who := range components {
		random := rand.New(rand.NewPCG(seed, uint64(2+who)))
		for born := between(random, 0, qosInterval); ; {
			life := span{born, born + between(random, 30*time.Minute, 4*time.Hour)}
			last := life.to+qosDown > until
			if last {
				life.to = until
			}
			c.lives[who] = append(c.lives[who], life)
			if last {
				break
			}
			born = life.to + qosDown
		}
		random = rand.New(rand.NewPCG(seed, uint64(1_000_000+who)))
		for _, life := range c.lives[who] {
			c.beats(t, who, life, queued, random)
		}
	}
	slices.SortStableFunc(c.arrivals, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	return c
}

// beats adds what is heard of one life.
func (c *colony) beats(t *trace, who int, life span, queued map[span]bool, random *rand.Rand) {
	var stalls []span
	if t.stalls {
		for at := life.from; at < life.to; {
			at += exponential(random, 5*time.Minute)
			stall := span{at, at + between(random, 5*time.Second, 25*time.Second)}
			stalls = append(stalls, stall)
			at = stall.to
		}
	}
	for stream := range max(t.streams, 1) {
		interval := t.interval
		if interval == nil {
			// A loop that sleeps for 10 s and then works a little, each at its own pace.
			pace := 10 + 0.01*random.Float64()
			interval = func(random *rand.Rand, _ time.Duration) float64 { return pace + 0.01*random.Float64() }
		}
		due := life.from
		if stream > 0 {
			due += between(random, 0, qosInterval)
		}
		for ; due < life.to; due += seconds(interval(random, due)) {
			sent := due
			if i := covering(stalls, sent); i >= 0 {
				sent = stalls[i].to // and those that follow are not later for it: it catches up
			}
			if sent >= life.to || random.Float64() < t.loss {
				continue
			}
			at := sent + between(random, 0, 5*time.Millisecond)
			if i := covering(c.outages, at); i >= 0 {
				if !queued[c.outages[i]] {
					continue
				}
				at = c.outages[i].to
			}
			c.arrivals = append(c.arrivals, arrival{at: at, sent: sent, who: who})
		}
	}
}

// observed is what a sensor's clock showed at a time: it stands still while the bus forwards nothing.
func (c *colony) observed(at time.Duration) time.Duration {
	observed := at
	for _, o := range c.outages {
		if o.from >= at {
			break
		}
		observed -= min(at, o.to) - o.from
	}
	return observed
}

// verdict is a change of a detector's mind.
type verdict struct {
	at      time.Duration
	suspect bool
}

// judged returns what the judge makes of a colony behind a sensor that ticks every second, tells of a
// component's first beat after a tick at once and of the rest merged before the next tick, and dates
// beats that waited on their way back to when they were sent.
func (c *colony) judged(adaptive *Adaptive) [][]verdict {
	verdicts := make([][]verdict, len(c.lives))
	config := configOf(Rule{Threshold: 30 * time.Second, LateAfter: 15 * time.Second})
	config.ReportInterval = 1 << 62
	config.Adaptive = adaptive
	j := New(config)
	hear := func(at time.Duration, findings []Finding) {
		for _, f := range findings {
			who, err := strconv.Atoi(f.Key)
			if err != nil {
				panic(err)
			}
			switch f.Change {
			case Started, Recovered:
				verdicts[who] = append(verdicts[who], verdict{at, false})
			case Stopped:
				verdicts[who] = append(verdicts[who], verdict{at, true})
			}
		}
	}
	type heard struct {
		Beat
		told bool // since the last tick
	}
	table := make([]heard, len(c.lives))
	for who := range table {
		table[who].Beat = Beat{Sensor: "s", Key: strconv.Itoa(who)}
	}
	var waiting []*heard
	tell := func(at time.Duration, h *heard) {
		hear(at, j.Beat(&h.Beat))
		h.Beats, h.told = 0, true
	}
	hear(0, j.Tick("s", 0))
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
			case !h.told:
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
			table[who].told = false
		}
		hear(tick, j.Tick("s", c.observed(tick)))
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
				r[fixedThreshold].measure(c, c.judged(nil))
				r[adaptiveThreshold].measure(c, c.judged(&Adaptive{Phi: 8, Min: 5 * time.Second, Max: 2 * time.Minute}))
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

// covering returns the index of the span that holds a time, -1 if there is none.
func covering(spans []span, at time.Duration) int {
	i, found := slices.BinarySearchFunc(spans, at, func(s span, at time.Duration) int { return cmp.Compare(s.from, at) })
	if !found {
		i--
	}
	if i >= 0 && at < spans[i].to {
		return i
	}
	return -1
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second))
}

func between(random *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(random.Int64N(int64(to-from)))
}

func exponential(random *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(random.ExpFloat64() * float64(mean))
}
