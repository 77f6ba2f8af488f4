package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// fleetFault is a kind of fault of a fleet.
type fleetFault struct {
	kind              string
	shortest, longest time.Duration
	do                func(s *fleetStage, d time.Duration) error
}

// fleetFaults are short enough that the window of the heartbeats holds them, the threshold and two intervals.
var fleetFaults = []fleetFault{
	{"NATS is off", 2 * time.Second, 15 * time.Second, (*fleetStage).stopNATS},
	{"a central Telegraf is killed", 0, 8 * time.Second, (*fleetStage).killCentral},
	{"a central Telegraf is replaced by one without state", 0, 8 * time.Second, (*fleetStage).replaceCentral},
	{"both central Telegrafs are replaced, one after the other", 0, 8 * time.Second, (*fleetStage).replaceBoth},
	{"the Telegraf of a host is off", 2 * time.Second, 15 * time.Second, (*fleetStage).stopHost},
	{"a site is cut off", 2 * time.Second, 15 * time.Second, (*fleetStage).cutSite},
}

// fleetRound is a fault, and the deaths around it.
type fleetRound struct {
	fault    fleetFault
	duration time.Duration
	deaths   []fleetDeath
}

// fleetDeath is one of a component: on which host, when after the beginning of the fault, and for how many rounds.
type fleetDeath struct {
	host, component int // the latter among those that live
	after           time.Duration
	rounds          int
}

// planFleet returns n rounds of each fault, mixed.
func planFleet(seed uint64, n int) []fleetRound {
	random := rand.New(rand.NewPCG(seed, 2))
	between := func(shortest, longest time.Duration) time.Duration {
		return shortest + time.Duration(random.Int64N(int64(longest-shortest)))
	}
	var plan []fleetRound
	for range n {
		for _, f := range fleetFaults {
			r := fleetRound{fault: f, duration: between(f.shortest, f.longest)}
			for range 2 {
				rounds := 0
				if random.IntN(2) == 0 {
					rounds = 3 // longer than the window
				}
				r.deaths = append(r.deaths, fleetDeath{
					host: random.IntN(fleetHosts), component: random.IntN(fleetComponents),
					after: between(-threshold-2*time.Second, r.duration+2*time.Second), rounds: rounds,
				})
			}
			plan = append(plan, r)
		}
	}
	random.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	return plan
}

// soakFleet does each fault of a fleet n times, while components die. Each death has to be one gap on its own bus, which is
// closed under the same id when the component is back.
func soakFleet(ctx context.Context, o options) error {
	plan := planFleet(o.seed, o.n)
	rounds := make(chan fleetRound, len(plan))
	for _, r := range plan {
		rounds <- r
	}
	close(rounds)
	started := time.Now()
	fmt.Fprintf(o.out, "%s: %d faults of each kind, on %d fleets of %d hosts, seed %d\n",
		started.Format(time.TimeOnly), o.n, o.stages, fleetHosts, o.seed)

	var mu sync.Mutex
	done := make(map[string]int)
	deaths, wrong := 0, 0
	err := inFolders(ctx, o, min(o.stages, len(plan)), func(ctx context.Context, _ int, o options) error {
		s, err := newFleetStage(ctx, o)
		defer s.close()
		for err == nil {
			r, more := <-rounds
			if !more {
				break
			}
			var problems []string
			if problems, err = s.round(r); err != nil {
				err = fmt.Errorf("%s for %v: %w", r.fault.kind, r.duration, err)
			}
			mu.Lock()
			done[r.fault.kind]++
			wrong += len(problems)
			for _, p := range problems {
				fmt.Fprintf(o.out, "WRONG: %s, %v in %s: %s: %s\n", time.Now().Format(time.TimeOnly), r.duration, o.dir, r.fault.kind, p)
			}
			mu.Unlock()
		}
		if err == nil {
			var problems []string
			problems, err = s.finish()
			mu.Lock()
			wrong += len(problems)
			for _, p := range problems {
				fmt.Fprintf(o.out, "WRONG: at the end in %s: %s\n", o.dir, p)
			}
			mu.Unlock()
		}
		mu.Lock()
		deaths += len(s.ended) + len(s.dead)
		mu.Unlock()
		return err
	})
	for _, f := range fleetFaults {
		fmt.Fprintf(o.out, "%3d times: %s\n", done[f.kind], f.kind)
	}
	fmt.Fprintf(o.out, "%s: %d deaths: %d wrong; %v\n", time.Now().Format(time.TimeOnly), deaths, wrong, time.Since(started).Round(time.Second))
	if err == nil && wrong > 0 {
		err = errWrong
	}
	return err
}

// deadFleet is a component that is dead, or was.
type deadFleet struct {
	host     *fleetHost
	zooid    string
	rounds   int // for which it stays dead
	incident string
}

func (d *deadFleet) String() string { return d.zooid + " of " + d.host.name }

// round does a fault and what happens around it, and waits until all is found. Problems are gaps that were missed, doubled or
// false, or not closed.
func (s *fleetStage) round(r fleetRound) (problems []string, err error) {
	var dying []*deadFleet
	lead := time.Duration(0)
	for _, d := range r.deaths {
		host := s.hosts[d.host]
		if alive := s.alive(host, dying); len(alive) > 1 {
			dying = append(dying, &deadFleet{host: host, zooid: alive[d.component%len(alive)], rounds: d.rounds})
		} else {
			dying = append(dying, nil)
		}
		lead = max(lead, -d.after)
	}
	failed := make(chan error, len(dying)+1)
	begins := time.Now().Add(lead)
	for i, d := range dying {
		go func() {
			err := s.pause(time.Until(begins.Add(r.deaths[i].after)))
			if err == nil && d != nil {
				err = d.host.colony.Kill(d.zooid)
			}
			failed <- err
		}()
	}
	go func() {
		err := s.pause(time.Until(begins))
		if err == nil {
			err = r.fault.do(s, r.duration)
		}
		failed <- err
	}()
	for range cap(failed) {
		if e := <-failed; e != nil {
			err = e
		}
	}
	if err != nil {
		return nil, err
	}
	for _, d := range dying {
		if d != nil {
			s.dead = append(s.dead, d)
			problems = append(problems, s.awaitGap(d)...)
		}
	}
	more, err := s.revive(func(d *deadFleet) bool { d.rounds--; return d.rounds < 0 })
	problems = append(problems, more...)
	return append(problems, s.surplus()...), err
}

// finish revives all, and returns what is wrong in the end.
func (s *fleetStage) finish() (problems []string, err error) {
	problems, err = s.revive(func(*deadFleet) bool { return true })
	if err == nil {
		err = s.pause(threshold + delivery)
	}
	return append(problems, s.surplus()...), err
}

// awaitGap waits for the gap of a component on its bus.
func (s *fleetStage) awaitGap(d *deadFleet) (problems []string) {
	found := s.await(func() bool {
		for _, h := range d.host.gaps.record().handled {
			if h.zooid == d.zooid && h.kind == gapMissing && !s.isKnown(d.host, h.incident) {
				d.incident = h.incident
				return true
			}
		}
		return false
	})
	if !found {
		problems = append(problems, fmt.Sprintf("missed: %s", d))
	}
	return problems
}

// isKnown reports whether an incident is of a death on a host.
func (s *fleetStage) isKnown(h *fleetHost, incident string) bool {
	of := func(d *deadFleet) bool { return d.host == h && d.incident == incident }
	return slices.ContainsFunc(s.dead, of) || slices.ContainsFunc(s.ended, of)
}

// revive revives some of the dead, and waits until a central Telegraf has closed their gaps.
func (s *fleetStage) revive(due func(*deadFleet) bool) (problems []string, err error) {
	var back, dead []*deadFleet
	for _, d := range s.dead {
		if !due(d) {
			dead = append(dead, d)
			continue
		}
		if err := d.host.colony.Revive(d.zooid); err != nil {
			return nil, err
		}
		back = append(back, d)
	}
	s.dead, s.ended = dead, append(s.ended, back...)
	for _, d := range back {
		if d.incident != "" && !s.await(func() bool { return s.isClosed(d.incident) }) {
			problems = append(problems, fmt.Sprintf("not closed: %s, incident %s", d, d.incident))
		}
	}
	return problems, s.ctx.Err()
}

// surplus returns the gaps that came without a death, and those that came again, since the last call.
func (s *fleetStage) surplus() (problems []string) {
	for _, h := range s.hosts {
		handled := h.gaps.record().handled
		for i, g := range handled[h.checked:] {
			switch i += h.checked; {
			case slices.ContainsFunc(handled[:i], func(before handling) bool { return before.incident == g.incident }):
				problems = append(problems, fmt.Sprintf("doubled: %s of %s, incident %s", g.zooid, h.name, g.incident))
			case !s.isKnown(h, g.incident):
				problems = append(problems, fmt.Sprintf("false: %s of %s, %s, incident %s", g.zooid, h.name, g.kind, g.incident))
			}
		}
		h.checked = len(handled)
	}
	return problems
}
