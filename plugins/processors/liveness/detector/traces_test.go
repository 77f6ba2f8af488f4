package detector

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"
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
