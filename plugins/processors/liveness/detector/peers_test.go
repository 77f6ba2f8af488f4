package detector

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// The failure detectors of the literature and of well-known software, each as its paper or its source has it, to be
// compared with. Each hears every beat of one component, in seconds of the observation clock. The bus has no sequence
// numbers, so beats are numbered as they are heard. Each is asked for deadlines with one parameter that trades time to
// detect for mistakes.

// peer is such a detector.
type peer interface {
	Beat(at float64)
	Deadline(parameter float64) float64 // in seconds; only asked for after two beats
}

const (
	// resetAfter is a silence after which a peer begins anew: none of them says what to do about a restart.
	resetAfter = 120
	// untilKnown is the deadline of a peer that knows no interval.
	untilKnown = 30
	longWindow = 1000
)

// peers are all of them, with the settings of their curves.
var peers = []subject{
	{"fixed", span5(20, 60), peered(func() peer { return &constant{} })},
	poller(15, 20, 25, 30, 35, 40, 45, 52, 60),
	{"NFD-E", span5(5, 60), peered(func() peer { return &chen{windows: []*window{{size: 32}}} })},
	{"2W-FD", span5(5, 60), peered(func() peer { return &chen{windows: []*window{{size: 1}, {size: longWindow}}} })},
	{"φ, Akka", span5(2, 42), peered(func() peer { return &akka{w: window{size: longWindow}} })},
	{"φ, Cassandra", []float64{0.6, 0.8, 1, 1.2, 1.5, 2, 3, 4, 6}, peered(func() peer { return &cassandra{w: window{size: longWindow}} })},
	{"Bertier", []float64{1, 2, 4, 6, 8, 12, 16, 24, 32}, peered(func() peer { return &bertier{c: chen{windows: []*window{{size: longWindow}}}} })},
	{"Satzger", []float64{1.1, 1.2, 1.3, 1.5, 1.75, 2, 2.5, 3, 4}, peered(func() peer { return &satzger{w: window{size: longWindow}} })},
}

// span5 are nine settings from one to another.
func span5(from, to float64) (settings []float64) {
	for i := range 9 {
		settings = append(settings, from+(to-from)*float64(i)/8)
	}
	return settings
}

// peered puts a colony before a peer for each component, which looks at its deadlines every second.
func peered(create func() peer) func(*colony, []float64) [][][]verdict {
	return func(c *colony, settings []float64) [][][]verdict {
		verdicts := make([][][]verdict, len(settings))
		for s := range settings {
			verdicts[s] = make([][]verdict, len(c.lives))
		}
		type state struct {
			peer
			beats     int
			last      float64
			deadlines []float64
		}
		states := make([]state, len(c.lives))
		for _, a := range c.arrivals {
			z := &states[a.who]
			proof := a.at
			if a.at-a.sent > longWait {
				proof = a.sent
			}
			at := max(c.observed(proof).Seconds(), z.last)
			if z.beats == 0 {
				z.deadlines = make([]float64, len(settings))
			}
			for s, deadline := range z.deadlines {
				v := &verdicts[s][a.who]
				if z.beats > 0 {
					due := c.tickAfter(seconds(deadline))
					if due > a.at {
						continue
					}
					*v = append(*v, verdict{due, true})
				}
				*v = append(*v, verdict{a.at, false})
			}
			if z.beats == 0 || at-z.last > resetAfter {
				z.peer, z.beats = create(), 0
			}
			z.Beat(at)
			z.beats++
			z.last = at
			for s, setting := range settings {
				z.deadlines[s] = at + untilKnown
				if z.beats > 2 {
					z.deadlines[s] = min(max(z.Deadline(setting), at), at+resetAfter)
				}
			}
		}
		for who := range states {
			for s, deadline := range states[who].deadlines {
				if due := c.tickAfter(seconds(deadline)); due <= c.until {
					verdicts[s][who] = append(verdicts[s][who], verdict{due, true})
				}
			}
		}
		return verdicts
	}
}

// tickAfter is the first tick at which the observation clock shows more than a time.
func (c *colony) tickAfter(observed time.Duration) time.Duration {
	at := observed
	for _, o := range c.outages {
		if o.from > at {
			break
		}
		at += o.to - o.from
	}
	tick := at.Truncate(time.Second) + time.Second
	if i := covering(c.outages, tick); i >= 0 {
		return c.outages[i].to
	}
	return tick
}

// poller is a monitor that looks every 15 s, by the wall clock, whose last beat came more than so many seconds ago.
func poller(limits ...float64) subject {
	const every = 15 * time.Second
	return subject{"poller", limits, func(c *colony, limits []float64) [][][]verdict {
		all := make([][][]verdict, len(limits))
		for i, limit := range limits {
			verdicts := make([][]verdict, len(c.lives))
			lastSeen := make([]time.Duration, len(c.lives))
			suspected := make([]bool, len(c.lives))
			next := 0
			for poll := between(rand.New(rand.NewPCG(c.seed, 0)), 0, every); poll <= c.until; poll += every {
				for ; next < len(c.arrivals) && c.arrivals[next].at <= poll; next++ {
					lastSeen[c.arrivals[next].who] = c.arrivals[next].at
				}
				for who, seen := range lastSeen {
					suspect := poll-seen > seconds(limit)
					if seen > 0 && (suspect != suspected[who] || verdicts[who] == nil) {
						suspected[who] = suspect
						verdicts[who] = append(verdicts[who], verdict{poll, suspect})
					}
				}
			}
			all[i] = verdicts
		}
		return all
	}}
}

// window is the last values, their sum and the sum of their squares.
type window struct {
	size    int
	values  []float64
	next    int
	sum, sq float64
}

// Add adds a value and returns the one that it replaces, if it replaces one.
func (w *window) Add(v float64) (old float64, full bool) {
	w.sum += v
	w.sq += v * v
	if len(w.values) < w.size {
		w.values = append(w.values, v)
		return 0, false
	}
	old = w.values[w.next]
	w.values[w.next] = v
	w.next = (w.next + 1) % w.size
	w.sum -= old
	w.sq -= old * old
	return old, true
}

func (w *window) Mean() float64 { return w.sum / float64(len(w.values)) }

func (w *window) Deviation() float64 {
	m := w.Mean()
	return math.Sqrt(max(w.sq/float64(len(w.values))-m*m, 0))
}

// constant is a threshold that is the same for all.
type constant struct{ last float64 }

func (d *constant) Beat(at float64)                    { d.last = at }
func (d *constant) Deadline(threshold float64) float64 { return d.last + threshold }

// chen is NFD-E of Chen, Toueg and Aguilera: the next beat is expected at the mean of the last arrivals, each less its
// number of intervals, and late by the parameter. With two windows it is 2W-FD of Tomsic, Sens, Garcia, Arantes and
// Sopena ("2W-FD: A Failure Detector Algorithm with QoS", 2015): the later expectation counts.
type chen struct {
	windows  []*window // of arrivals less number times the interval
	spacings window
	last     float64
	number   float64
	base     float64 // the interval by which arrivals are reduced
}

func (d *chen) Beat(at float64) {
	if d.number == 0 {
		d.spacings.size, d.base = longWindow, qosInterval.Seconds()
	} else {
		d.spacings.Add(at - d.last)
	}
	d.number++
	d.last = at
	for _, w := range d.windows {
		w.Add(at - d.number*d.base)
	}
}

// expected is when the next beat is: with the interval η the mean of A - η·i, and η times the next number. The windows
// hold A - base·i, so that it takes one sum.
func (d *chen) expected() float64 {
	eta := d.spacings.Mean()
	latest := math.Inf(-1)
	for _, w := range d.windows {
		n := float64(len(w.values))
		latest = max(latest, w.Mean()+d.base*(d.number-(n-1)/2)+eta*((n-1)/2+1))
	}
	return latest
}

func (d *chen) Deadline(margin float64) float64 { return d.expected() + margin }

// akka is the φ accrual detector of Hayashibara, Défago, Yared and Katayama (2004) as Akka has it, with φ at its
// default of 8; the parameter is acceptable-heartbeat-pause.
type akka struct {
	w    window
	last float64
}

func (d *akka) Beat(at float64) {
	if d.last > 0 {
		d.w.Add(at - d.last)
	}
	d.last = at
}

func (d *akka) Deadline(pause float64) float64 {
	const z, minDeviation = 5.61, 0.1 // φ of 8
	return d.last + pause + d.w.Mean() + z*max(d.w.Deviation(), minDeviation)
}

// cassandra is Cassandra's: exponentially distributed intervals, so φ grows with the silence in mean intervals. The
// parameter is that of its phi_convict_threshold.
type cassandra struct {
	w    window
	last float64
}

func (d *cassandra) Beat(at float64) {
	if d.last > 0 {
		d.w.Add(at - d.last)
	}
	d.last = at
}

func (d *cassandra) Deadline(phi float64) float64 { return d.last + phi*math.Ln10*d.w.Mean() }

// bertier is of Bertier, Marin and Sens ("Implementation and Performance Evaluation of an Adaptable Failure Detector",
// 2002): Chen's expectation and a margin after Jacobson. The parameter is its φ, 4 in the paper.
type bertier struct {
	c               chen
	delay, variance float64
}

func (d *bertier) Beat(at float64) {
	const gamma = 0.1
	if d.c.number >= 2 {
		off := at - d.c.expected() - d.delay
		d.delay += gamma * off
		d.variance += gamma * (math.Abs(off) - d.variance)
	}
	d.c.Beat(at)
}

func (d *bertier) Deadline(phi float64) float64 {
	return d.c.expected() + d.delay + phi*max(d.variance, 0.01)
}

// satzger is of Satzger, Pietzowski, Trumler and Ungerer ("A New Adaptive Accrual Failure Detector for Dependable
// Distributed Systems", 2007): the suspicion is the share of intervals that were shorter. Here it is 0.99, and
// the parameter is the factor by which a silence is shortened before.
type satzger struct {
	w      window
	sorted []float64
	last   float64
}

func (d *satzger) Beat(at float64) {
	if d.last > 0 {
		spacing := at - d.last
		if old, full := d.w.Add(spacing); full {
			i, _ := slices.BinarySearch(d.sorted, old)
			d.sorted = slices.Delete(d.sorted, i, i+1)
		}
		i, _ := slices.BinarySearch(d.sorted, spacing)
		d.sorted = slices.Insert(d.sorted, i, spacing)
	}
	d.last = at
}

func (d *satzger) Deadline(factor float64) float64 {
	return d.last + factor*d.sorted[int(0.99*float64(len(d.sorted)-1)+0.5)]
}
