package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"
)

// attack is what is done to the input while nobody dies, and what has to follow a death.
type attack struct {
	interval, threshold time.Duration // of the heartbeats; of the processor
	within              time.Duration // of its death a component has to be a gap
}

// defaultAttack has the default times.
var defaultAttack = attack{interval: 10 * time.Second, threshold: defaultThreshold}

// learning is how many intervals pass before the first attack.
const learning = 3

// attackOptions are the default options but for what is needed to listen to the large messages.
const attackOptions = `
[[inputs.chembus]]
  signals = [%q]

[[processors.liveness]]
  state_file = %q

[[outputs.chembus]]
  state_file = %q
`

func attackConfig(h *host) string {
	return fmt.Sprintf(attackOptions, largeTopic, h.processorState(), h.outputState())
}

// onAttackedStages says what each stage found. What is wrong is an error at the end.
func onAttackedStages(ctx context.Context, o options, set setting, n int, do func(i int, r *round) (problem string, err error)) error {
	var mu sync.Mutex
	wrong := false
	err := onStages(ctx, o, set, n, func(i int, r *round) error {
		problem, err := do(i, r)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		wrong = wrong || problem != ""
		if problem == "" {
			problem = "as it should be"
		} else {
			problem = "WRONG: " + problem
		}
		for _, line := range r.notes {
			fmt.Fprintf(o.out, "bus %d: %s\n", i, line)
		}
		fmt.Fprintf(o.out, "%s: bus %d: %s\n", time.Now().Format(time.TimeOnly), i, problem)
		return nil
	})
	if err == nil && wrong {
		return errWrong
	}
	return err
}

// colonyKnown waits until the rhythm of the components can be known, and until large messages are received.
func (r *round) colonyKnown(a attack) error {
	if err := r.publisher.WaitSubscribed(r.ctx, largeTopic); err != nil {
		return err
	}
	return r.observe(learning * a.interval)
}

func (r *round) killInput() error {
	pid, err := r.agent().Plugin(input)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// diesWithin kills a component and requires a gap of it, and of no other, within some time.
func (r *round) diesWithin(limit time.Duration, victim string) (problem string, err error) {
	died := r.now()
	if err := r.colony.Kill(victim); err != nil {
		return "", err
	}
	err = r.await("the gap of a component that died", func() bool { return len(r.gaps(0)) > 0 || r.now() > died+limit })
	return r.assessDeaths(map[string]time.Duration{victim: died}, limit), err
}

// assessDeaths compares deaths with what the first consumer handled.
func (r *round) assessDeaths(died map[string]time.Duration, limit time.Duration) (problem string) {
	delays, problem := assessDeaths(died, r.gaps(0), limit)
	for _, zooid := range slices.Sorted(maps.Keys(delays)) {
		r.note("the death of %q was found after %v", zooid, delays[zooid].Round(time.Millisecond))
	}
	return problem
}

// assessDeaths returns how long after each death it was found. The problem is empty if each led to one gap in time, and
// there is no other gap.
func assessDeaths(died map[string]time.Duration, gaps []handling, limit time.Duration) (delays map[string]time.Duration, problem string) {
	delays = make(map[string]time.Duration)
	for _, g := range gaps {
		at, dead := died[g.zooid]
		if !dead || g.kind != gapMissing || g.at < at {
			return delays, fmt.Sprintf("%s of %q at %v, which is alive", g.kind, g.zooid, g.at)
		}
		if _, twice := delays[g.zooid]; twice {
			return delays, fmt.Sprintf("there are two gaps of %q", g.zooid)
		}
		delays[g.zooid] = g.at - at
	}
	for _, zooid := range slices.Sorted(maps.Keys(died)) {
		switch delay, found := delays[zooid]; {
		case !found:
			return delays, fmt.Sprintf("the death of %q was not found", zooid)
		case delay > limit:
			return delays, fmt.Sprintf("the death of %q was found %v later, not within %v", zooid, delay, limit)
		}
	}
	return delays, ""
}
