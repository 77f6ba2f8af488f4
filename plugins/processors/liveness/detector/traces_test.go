package detector

import (
	"cmp"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"
)

// trace is a way for components to beat, and for the bus to carry it.
type trace struct {
	name     string
	streams  int                                               // of each component, out of step
	within   time.Duration                                     // in which they start; 0: an interval
	interval func(random *rand.Rand, at time.Duration) float64 // seconds; nil: those of a sleeping loop
	paces    bool                                              // each life has an interval of its own, 5 to 15 s
	loss     float64                                           // probability that a beat is lost
	runs     float64                                           // probability that a run of lost beats begins, three on average
	stalls   bool                                              // components stall and catch up
	outages  bool                                              // the bus forwards nothing now and then
	down     time.Duration                                     // from a crash to the restart; 0: qosDown
}

// traces are those for which a promise is kept, the first ten, and more.
var traces = []trace{
	{name: "regular"},
	{name: "jitter", interval: jitter},
	{name: "drift", interval: func(_ *rand.Rand, at time.Duration) float64 { return 10 + 3*math.Sin(at.Hours()*math.Pi/2) }},
	{name: "outages", outages: true},
	{name: "streams", streams: 8},
	{name: "loss 2 %", loss: 0.02},
	{name: "loss 5 %", loss: 0.05},
	{name: "loss 10 %", loss: 0.1},
	{name: "long tail", interval: func(random *rand.Rand, _ time.Duration) float64 { return 7 + 3*random.ExpFloat64() }},
	{name: "bursts", stalls: true},

	{name: "loss 20 %", loss: 0.2},
	{name: "jitter and loss", interval: jitter, loss: 0.05},
	{name: "bursts and loss", stalls: true, loss: 0.05},
	{name: "lognormal", interval: func(random *rand.Rand, _ time.Duration) float64 { return 10 * math.Exp(0.3*random.NormFloat64()-0.045) }},
	{name: "Pareto", interval: func(random *rand.Rand, _ time.Duration) float64 { return 6 * math.Pow(1-random.Float64(), -0.4) }},
	{name: "runs of loss", runs: 0.01},
	{name: "eight at once", streams: 8, within: 700 * time.Millisecond},
	{name: "new period", paces: true},
	{name: "new period, 77 s", paces: true, down: 77 * time.Second},
	// The two rhythms of the recorded colony: eight streams that start within 0.7 s, and one that was down for 77 s.
	{name: "recorded streams", streams: 8, within: 723 * time.Millisecond, interval: recorded},
	{name: "recorded restart", interval: recorded, down: 77*time.Second + 71*time.Millisecond},
}

// promised are those for which the number of mistakes a year is a promise.
var promised = traces[:10]

func jitter(random *rand.Rand, _ time.Duration) float64 { return max(10+1.5*random.NormFloat64(), 0.1) }

// recorded returns one of the intervals of a stream of testdata/intervals.json.
func recorded(random *rand.Rand, _ time.Duration) float64 {
	return recording()[random.IntN(len(recording()))]
}

// recording is the intervals of all streams in the recorded colony, in seconds.
var recording = sync.OnceValue(func() (intervals []float64) {
	text, err := os.ReadFile("testdata/intervals.json")
	if err == nil {
		err = json.Unmarshal(text, &intervals)
	}
	if err != nil {
		panic(err)
	}
	return intervals
})

// span is a time during which something holds.
type span struct{ from, to time.Duration }

// arrival is a beat that was not lost.
type arrival struct {
	at, sent time.Duration
	who      int
	starts   bool // a stream
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
			down := cmp.Or(t.down, qosDown)
			last := life.to+down > until
			if last {
				life.to = until
			}
			c.lives[who] = append(c.lives[who], life)
			if last {
				break
			}
			born = life.to + down
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
	pace := 1.0
	if t.paces {
		pace = 0.5 + random.Float64()
	}
	for stream := range max(t.streams, 1) {
		interval := t.interval
		if interval == nil {
			// A loop that sleeps for 10 s and then works a little, each at its own pace.
			pace := pace * (10 + 0.01*random.Float64())
			interval = func(random *rand.Rand, _ time.Duration) float64 { return pace + 0.01*random.Float64() }
		}
		due := life.from
		if stream > 0 {
			due += between(random, 0, cmp.Or(t.within, qosInterval))
		}
		run := false // of lost beats
		for first := true; due < life.to; due += seconds(interval(random, due)) {
			starts := first
			first = false
			sent := due
			if i := covering(stalls, sent); i >= 0 {
				sent = stalls[i].to // and those that follow are not later for it: it catches up
			}
			if t.runs > 0 {
				run = random.Float64() < t.runs || run && random.Float64() < 2.0/3
			}
			if sent >= life.to || run || random.Float64() < t.loss {
				continue
			}
			at := sent + between(random, 0, 5*time.Millisecond)
			if i := covering(c.outages, at); i >= 0 {
				if !queued[c.outages[i]] {
					continue
				}
				at = c.outages[i].to
			}
			c.arrivals = append(c.arrivals, arrival{at: at, sent: sent, who: who, starts: starts})
		}
	}
}

// observed is what the input's clock showed at a time: it stands still while the bus forwards nothing.
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
