package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

const (
	// largeTopic is among the signals of the input.
	largeTopic = "EVOLUTION"
	// largeSize is far above max_message_size.
	largeSize = 5 << 20
	// inPhaseZooids is how many components beat at one moment.
	inPhaseZooids = 24
	// attacks is how often each attack of inphase is repeated.
	attacks = 10
	// How long before the beats the input is killed, and the large message is sent. A message takes some time.
	killLead  = 300 * time.Millisecond
	largeLead = 50 * time.Millisecond
)

// soakInPhase has all components beat at the same moment. On one bus the input is killed just before, on the other it
// is sent a large message. No gap may follow, and a component that dies then has to be one within two thresholds.
func soakInPhase(ctx context.Context, o options) error {
	a := defaultAttack
	a.within = 2 * a.threshold
	fmt.Fprintf(o.out, "%s: %d components beat at the same moment; %d times just before, one input is killed, and another is sent %d MiB\n",
		time.Now().Format(time.TimeOnly), inPhaseZooids, attacks, largeSize>>20)
	set := setting{members: inPhase(inPhaseZooids, a.interval), config: attackConfig}
	return onAttackedStages(ctx, o, set, 2, func(i int, r *round) (string, error) {
		if i == 0 {
			return r.attackInPhase(a, "the input is killed", killLead, r.killInput)
		}
		return r.attackInPhase(a, "a large message", largeLead, r.sendLarge)
	})
}

// inPhase returns zooids that beat at the same moment if they are started so.
func inPhase(n int, interval time.Duration) []colony.Zooid {
	zooids := make([]colony.Zooid, n)
	for i := range zooids {
		zooids[i] = colony.Zooid{Name: fmt.Sprintf("in_phase_%02d", i), Interval: interval, DoubleTap: true}
	}
	return zooids
}

// attackInPhase repeats something so long before the beats, and then kills a component.
func (r *round) attackInPhase(a attack, what string, before time.Duration, do func() error) (problem string, err error) {
	if err := r.colonyKnown(a); err != nil {
		return "", err
	}
	names := r.colony.Names()
	for range attacks {
		due := r.colony.LastBeat(names[0]).Add(a.interval)
		if time.Until(due) < before {
			due = due.Add(a.interval)
		}
		if err := r.pause(time.Until(due) - before); err != nil {
			return "", err
		}
		if err := do(); err != nil {
			return "", err
		}
		// So that the next one is before the beats that follow.
		if err := errors.Join(r.pause(time.Until(due)+a.interval/10), r.awaitPlugins(0)); err != nil {
			return "", err
		}
	}
	r.note("%s %d times: %d false gaps", what, attacks, len(r.gaps(0)))
	if gaps := r.gaps(0); len(gaps) > 0 {
		return fmt.Sprintf("%s, and there are gaps of components that are alive: %v", what, gaps), nil
	}
	return r.diesWithin(a.within, names[0])
}

func (r *round) sendLarge() error {
	return r.publisher.Send([]byte(largeTopic), make([]byte, largeSize))
}
