package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Of a hundred faults so many are of each kind, and the rest are pauses of the bus.
var faultShares = []struct {
	kind  faultKind
	share int
}{
	{busRestarted, 10},
	{monitorKilled, 13},
	{monitorReplaced, 8},
	{monitorStopped, 17},
	{consumerLate, 8},
}

const (
	// failuresAtOnce is how many components fail at about the same moment in a round.
	failuresAtOnce = 4
	// lead is the time from the beginning of a round to its first failure.
	lead = 2 * time.Second
	// quietTail is the time from the end of the last fault of a round to the end of the round. It is recovery, and
	// then enough to publish whatever waits.
	quietTail = publishLimit + restarted + time.Second
	// backSpread is how much later than the first of them a monitor may learn that a component is back.
	backSpread = time.Second
	// beatsMissed is by how much the last beat that a monitor heard may be older than the last one sent.
	beatsMissed = 10 * time.Second
	// silenceBefore is how long a component has been silent when it is found.
	silenceBefore = 31 * time.Second
)

// planMonitors draws n faults for so many stages. The same arguments give the same plan.
func planMonitors(seed uint64, n, stages int) []stagePlan {
	random := rand.New(rand.NewPCG(seed, 1))
	deck := shuffledKinds(random, n)
	planners := make([]planner, stages)
	for i := range planners {
		planners[i] = planner{
			plan:   stagePlan{name: fmt.Sprintf("s%d", i)},
			random: rand.New(rand.NewPCG(seed, uint64(i)+2)),
		}
	}
	for i := 0; len(deck) > 0; i++ {
		hand := deck[:1]
		deck = deck[1:]
		// Every second round has another fault, where there is one that goes with the first.
		if with := slices.IndexFunc(deck, func(k faultKind) bool { return goTogether(hand[0], k) }); with >= 0 && random.IntN(2) == 0 {
			hand = []faultKind{hand[0], deck[with]}
			deck = slices.Delete(deck, with, with+1)
		}
		planners[i%stages].addRound(hand)
	}
	plans := make([]stagePlan, stages)
	for i := range planners {
		plans[i] = planners[i].finish()
	}
	return plans
}

// shuffledKinds returns the kinds of n faults.
func shuffledKinds(random *rand.Rand, n int) []faultKind {
	var kinds []faultKind
	for _, s := range faultShares {
		for range n * s.share / 100 {
			kinds = append(kinds, s.kind)
		}
	}
	for len(kinds) < n {
		kinds = append(kinds, busPaused)
	}
	random.Shuffle(n, func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	return kinds
}

// goTogether reports whether two faults can overlap: they concern different things. Of three monitors two may be
// disturbed, never all: when nobody is left who knows what was published, nobody can.
func goTogether(a, b faultKind) bool {
	fa, fb := monitorFault{kind: a}, monitorFault{kind: b}
	return !(fa.ofBus() && fb.ofBus()) && !(a == consumerLate && b == consumerLate)
}

// planner lays out the rounds of one stage, one after another.
type planner struct {
	random   *rand.Rand
	plan     stagePlan
	rounds   int
	returned []*failure // whose component is back, and may fail again
	at       time.Duration
}

// between draws a time, all alike.
func (p *planner) between(shortest, longest time.Duration) time.Duration {
	return shortest + time.Duration(p.random.Int64N(int64(longest-shortest)+1))
}

// chance is true so many times of a hundred.
func (p *planner) chance(percent int) bool { return p.random.IntN(100) < percent }

// around draws a time near a moment: very near as often as within a second.
func (p *planner) around(moment time.Duration) time.Duration {
	switch p.random.IntN(3) {
	case 0:
		return moment + p.between(0, 20*time.Millisecond)
	case 1:
		return moment + p.between(-50*time.Millisecond, 50*time.Millisecond)
	}
	return moment + p.between(-time.Second, time.Second)
}

// addRound adds failures, and faults around the moments at which they are found, and a quiet time.
func (p *planner) addRound(kinds []faultKind) {
	p.rounds++
	begin := p.at + lead
	var failures []*failure
	for k := range failuresAtOnce {
		var before *failure
		if k == 0 && len(p.returned) > 0 && p.chance(50) {
			before = p.returned[0]
		}
		name := fmt.Sprintf("%s%d_%c", p.plan.mark(), p.rounds, 'a'+k)
		failures = append(failures, p.fail(name, before, begin+p.between(0, time.Second)))
	}
	p.returned = nil

	over := begin
	monitors := p.random.Perm(monitorsOnBus)
	for _, kind := range kinds {
		find := failures[p.random.IntN(len(failures))]
		f := monitorFault{kind: kind, at: p.around(find.found())}
		if f.ofMonitor() {
			f.monitor, monitors = monitors[0], monitors[1:]
		}
		switch kind {
		case busPaused:
			f.length = p.between(5*time.Second, 15*time.Second)
		case busRestarted:
			f.length = p.between(50*time.Millisecond, 4*time.Second)
		case monitorKilled, monitorReplaced:
			f.length = p.between(50*time.Millisecond, 3*time.Second)
			if p.chance(25) {
				f.length = p.between(3*time.Second, 12*time.Second)
			}
		case monitorStopped:
			f.length = p.between(time.Second, 12*time.Second)
		case consumerLate:
			// It leaves before anything is found. What is published while it leaves would be lost to it.
			f.at = p.at + lead/4
			f.length = begin + p.between(0, 15*time.Second) - f.at
		}
		if f.ofMonitor() && p.chance(30) {
			f.at += p.between(0, 6*time.Second) // while what was found earlier is dealt with
		}
		p.plan.faults = append(p.plan.faults, f)
		over = max(over, f.end())
	}
	end := over + quietTail

	for _, f := range failures {
		var second *failure
		switch p.random.IntN(10) {
		case 0, 1: // back at any moment, perhaps before anybody has heard of it
			f.early = true
			p.comeBack(f, f.found()+p.between(200*time.Millisecond, 12*time.Second))
			if p.chance(50) {
				second = p.fail(f.component, f, slices.Max(f.back[:])+p.between(6*time.Second, 10*time.Second))
				p.comeBack(second, max(end, second.found()+publishLimit+time.Second))
				end = max(end, slices.Min(second.back[:]))
			}
		case 2: // lasts for longer than consumers remember an incident
			p.comeBack(f, end+p.between(60*time.Second, 80*time.Second))
		default:
			p.comeBack(f, end)
			p.returned = append(p.returned, f)
		}
		p.plan.failures = append(p.plan.failures, *f)
		if second != nil {
			p.plan.failures = append(p.plan.failures, *second)
		}
	}
	p.at = end + backSpread
}

// fail lets a component fail, for the first time or after a former failure, so that it is found at a moment.
func (p *planner) fail(component string, before *failure, found time.Duration) *failure {
	f := &failure{component: component, again: before != nil}
	// A monitor that misses the last beats has heard an older one, but one after the former failure.
	last, missed := found-silenceBefore, found-silenceBefore-beatsMissed
	if before != nil {
		f.component = before.component
		missed = slices.Max(before.back[:]) + time.Second
		last = missed + time.Second
		found = max(found, last+time.Second)
	}
	spread := []time.Duration{0, 4 * time.Millisecond, 50 * time.Millisecond, 1500 * time.Millisecond}[p.random.IntN(4)]
	for i := range f.finds {
		f.lastSeen[i], f.back[i] = last, never
		if p.chance(40) {
			f.lastSeen[i] = missed
		}
		f.finds[i] = found + p.between(0, spread)
		if p.chance(15) {
			f.finds[i] = found + p.between(0, 20*time.Second)
		}
	}
	return f
}

// comeBack lets the monitors hear the component again from a moment on. Who has not found the failure by then
// does not find it any more.
func (p *planner) comeBack(f *failure, at time.Duration) {
	for i := range f.back {
		f.back[i] = at + p.between(0, backSpread)
		if f.finds[i] >= at {
			f.finds[i] = never
		}
	}
}

// finish returns the plan; at its end every component is back.
func (p *planner) finish() stagePlan {
	p.plan.end = p.at
	for i := range p.plan.failures {
		f := &p.plan.failures[i]
		for m := range f.back {
			f.back[m] = min(f.back[m], p.at)
		}
	}
	return p.plan
}
