package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// crashes are the times of a crash loop of the input.
type crashes struct {
	attack
	shortest, longest time.Duration // from one kill to the next
	length            time.Duration
	components        int
	deaths            int
}

var defaultCrashes = crashes{
	attack:   defaultAttack,
	shortest: 6 * time.Second, longest: 14 * time.Second,
	length: 10 * time.Minute, components: 50, deaths: 10,
}

// soakCrashLoop kills the input again and again. Only components that die may be gaps, each within three thresholds.
func soakCrashLoop(ctx context.Context, o options) error {
	c := defaultCrashes
	c.within = 3 * c.threshold
	members := colony.Field(c.components)
	fmt.Fprintf(o.out, "%s: the input is killed every %v to %v for %v, %d components with a beat in %v, %d die, seed %d\n",
		time.Now().Format(time.TimeOnly), c.shortest, c.longest, c.length, c.components, c.interval, c.deaths, o.seed)
	set := setting{members: members, spread: c.interval, config: attackConfig}
	return onAttackedStages(ctx, o, set, 1, func(_ int, r *round) (string, error) {
		return r.crashLoop(c, rand.New(rand.NewPCG(o.seed, 2)))
	})
}

// crashLoop does it. The deaths are spread over the time, so that each can be found before its end.
func (r *round) crashLoop(c crashes, random *rand.Rand) (problem string, err error) {
	if err := r.colonyKnown(c.attack); err != nil {
		return "", err
	}
	names := r.colony.Names()
	random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	died := make(map[string]time.Duration)
	share := (c.length - c.within) / time.Duration(c.deaths)
	start := r.now()
	nextKill, kills := start, 0
	nextDeath := start + time.Duration(random.Int64N(int64(share)))
	for end := start + c.length; r.now() < end; {
		if r.now() >= nextDeath && len(died) < c.deaths {
			victim := names[len(died)]
			died[victim] = r.now()
			if err := r.colony.Kill(victim); err != nil {
				return "", err
			}
			nextDeath = start + share*time.Duration(len(died)) + time.Duration(random.Int64N(int64(share)))
		}
		if r.now() >= nextKill {
			if err := r.awaitPlugins(0); err != nil {
				return "", err
			}
			if err := r.killInput(); err != nil {
				return "", err
			}
			kills++
			nextKill = r.now() + c.shortest + time.Duration(random.Int64N(int64(c.longest-c.shortest)))
		}
		if err := r.pause(poll); err != nil {
			return "", err
		}
	}
	r.note("the input was killed %d times, %d components died, %d gaps", kills, len(died), len(r.gaps(0)))
	return r.assessDeaths(died, c.within), nil
}
