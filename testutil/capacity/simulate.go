package main

import (
	"math"
	"time"
)

// fault is what happens to a partition. Times are from its beginning.
type fault struct {
	name     string
	down     int           // central Telegrafs that do not run
	downFor  time.Duration // until they, or others in their place, run
	replaced bool          // what runs then has no state, and reads the whole window
	natsOff  time.Duration // nothing can be published
	cutShare float64       // of the hosts, which cannot publish
	cutFor   time.Duration
}

var faults = []fault{
	{name: "one of two central Telegrafs restarts", down: 1, downFor: assumed.restart},
	{name: "one of two central hosts is replaced", down: 1, downFor: assumed.replacement, replaced: true},
	{name: "both central Telegrafs restart", down: 2, downFor: assumed.restart},
	{name: "both central hosts are replaced", down: 2, downFor: assumed.replacement, replaced: true},
	{name: "one of three NATS servers is lost", natsOff: assumed.election},
	{name: "a site with a tenth of the hosts is cut off for 10 min", cutShare: 0.1, cutFor: 10 * time.Minute},
	{name: "the same for 30 min", cutShare: 0.1, cutFor: 30 * time.Minute},
}

// outcome is what a fault does. Times are in seconds; +Inf: for ever.
type outcome struct {
	late     float64 // the longest time by which a gap of a host that is not cut off is late
	recovery float64 // until every central Telegraf has read everything
	lost     float64 // share of the metrics that hosts could not publish and did not keep
}

// simulationLimit is the longest time that is simulated, in seconds.
const simulationLimit = 24 * 3600

// simulate follows the metrics of a partition with so many buses through a fault, second by second. They wait at their hosts while they
// cannot be published, and then in the stream until a central Telegraf has read them; each reads readRate a second, in order. A gap is
// found when one of them has read all that was heard up to its deadline.
func (f fleet) simulate(buses int, x fault) outcome {
	l := f.load(buses)
	forever := outcome{late: math.Inf(1), recovery: math.Inf(1)}
	if l.metrics >= measured.readRate {
		return forever
	}
	capacity := float64(buses) * x.cutShare * f.hostBuffer
	stored := l.metrics * f.window.Seconds() // metrics that were published, from the beginning of the window
	heard := stored                          // with those that the hosts keep while NATS is off
	read := make([][]float64, f.centrals)    // of them by each central Telegraf, at each second
	var due []float64                        // heard at each second
	var cut, lost float64                    // metrics that wait at hosts that are cut off, and that these dropped
	for t := 0.0; t < simulationLimit; t++ {
		heard += l.metrics * (1 - x.cutShare)
		cut += l.metrics * x.cutShare
		lost += max(0, cut-capacity)
		cut = min(cut, capacity)
		if t >= x.cutFor.Seconds() {
			heard, cut = heard+cut, 0
		}
		if t >= x.natsOff.Seconds() {
			stored = heard
		}
		due = append(due, heard)
		done := stored == heard && cut == 0
		for i := range read {
			before := stored
			if t > 0 {
				before = read[i][len(read[i])-1]
			}
			switch {
			case i < x.down && t < x.downFor.Seconds():
				read[i], done = append(read[i], before), false
				continue
			case i < x.down && x.replaced && t == x.downFor.Seconds():
				before = stored - l.metrics*f.window.Seconds()
			}
			now := min(stored, before+measured.readRate)
			read[i] = append(read[i], now)
			done = done && now == stored
		}
		if done {
			return outcome{late: latest(due, read), recovery: t, lost: lost / max(1, l.metrics*x.cutShare*x.cutFor.Seconds())}
		}
	}
	return forever
}

// latest returns the longest time, in seconds, from when metrics are due until one of several readers has read them.
func latest(due []float64, read [][]float64) float64 {
	longest := 0
	at := make([]int, len(read)) // when each reader has read what is due
	for t := range due {
		first := len(due)
		for i := range read {
			at[i] = max(at[i], t)
			for at[i] < len(due) && read[i][at[i]] < due[t] {
				at[i]++
			}
			first = min(first, at[i])
		}
		longest = max(longest, first-t)
	}
	return float64(longest)
}
