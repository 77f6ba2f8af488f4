package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// signalKillComponents is how many components end at a kill signal.
const signalKillComponents = 8

// latestKill is the longest time from a kill signal to the end of a plugin.
const latestKill = time.Second

// goesOn is a component of ZooidRuntime, whose heartbeats go on after a kill signal.
const goesOn = "goes_on"

// signalKill is one kill of a plugin after a kill signal.
type signalKill struct {
	role   string
	delay  time.Duration // from the signal, as the input reported it (as it was on the bus, for the processor)
	victim int           // the component that dies afterwards
}

func (k signalKill) String() string {
	return fmt.Sprintf("%s killed %v after the signal", k.role, k.delay.Round(time.Millisecond))
}

// planSignalKills returns n kills of the input and n of the processor, mixed.
func planSignalKills(seed uint64, n int) []signalKill {
	random := rand.New(rand.NewPCG(seed, 1))
	var plan []signalKill
	for range n {
		for _, role := range []string{input, processor} {
			plan = append(plan, signalKill{role, time.Duration(random.Int64N(int64(latestKill))), random.IntN(signalKillComponents)})
		}
	}
	random.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	return plan
}

// soakKillSignal kills the input n times after a kill signal, and the processor as often, on several buses at a time. No
// gap may follow, and the death of a component of the restarted colony has to be one.
func soakKillSignal(ctx context.Context, o options) error {
	zooids := quickZooids(signalKillComponents)
	obey := make([]string, len(zooids))
	for i, z := range zooids {
		obey[i] = z.Name
	}
	set := quickSetting(0, false)
	set.members = append(slices.Clone(zooids), colony.Zooid{Name: goesOn, Interval: beatInterval, RuntimeStreams: 1})
	plan := make(chan signalKill, 2*o.n)
	for _, kill := range planSignalKills(o.seed, o.n) {
		plan <- kill
	}
	close(plan)
	started := time.Now()
	fmt.Fprintf(o.out, "%s: %d kills of the input and as many of the processor after a kill signal, on %d buses, seed %d\n",
		started.Format(time.TimeOnly), o.n, o.stages, o.seed)

	var mu sync.Mutex
	done, wrong := make(map[string]int), 0
	err := onStages(ctx, o, set, min(o.stages, 2*o.n), func(_ int, r *round) error {
		signals, err := r.listenForSignals()
		if err != nil {
			return err
		}
		defer signals.Close()
		for kill := range plan {
			problem, err := r.afterSignal(kill, obey, signals)
			if err != nil {
				return fmt.Errorf("%s: %w", kill, err)
			}
			mu.Lock()
			done[kill.role]++
			if problem != "" {
				wrong++
				fmt.Fprintf(o.out, "WRONG: %s: %s\n", kill, problem)
			}
			mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(o.out, "%s: input killed %d times, processor %d times, each 0 to %v after the signal; then a component died each time: %d wrong; %v\n",
		time.Now().Format(time.TimeOnly), done[input], done[processor], latestKill, wrong, time.Since(started).Round(time.Second))
	if wrong > 0 {
		return errWrong
	}
	return nil
}

// listenForSignals returns a consumer of kill signals that is connected, as the input is.
func (r *round) listenForSignals() (*consumer.Consumer, error) {
	var connected atomic.Bool
	signals, err := consumer.New(consumer.Config{
		XPub: r.bus.XPub(), Topic: colony.KillTopic,
		OnDropped: func([][]byte) { connected.Store(true) }, // what only begins like the topic
	})
	if err != nil {
		return nil, err
	}
	err = r.await("the consumer of kill signals is connected", func() bool {
		_ = r.publisher.Send([]byte(colony.KillTopic+".ping"), []byte("{}")) // fails only once it is closed
		return connected.Load()
	})
	if err == nil {
		err = r.colony.WaitSubscribed(r.ctx, colony.KillTopic)
	}
	return signals, err
}

// afterSignal does one kill, and starts the components again. The problem is empty if there was no gap, and one for the
// death that follows.
func (r *round) afterSignal(k signalKill, obey []string, signals *consumer.Consumer) (problem string, err error) {
	before, kills, heard := len(r.gaps(0)), r.seen.kills, len(signals.Received())
	if err := r.colony.KillSignal(); err != nil {
		return "", err
	}
	if err := r.await("the signal is heard", func() bool {
		if k.role == processor {
			return len(signals.Received()) > heard
		}
		return r.seen.kills > kills
	}); err != nil {
		return "", err
	}
	if err := r.pause(k.delay); err != nil {
		return "", err
	}
	pid, err := r.agent().Plugin(k.role)
	if err != nil {
		return "", err
	}
	if err := errors.Join(syscall.Kill(pid, syscall.SIGKILL), r.awaitPlugins(pid)); err != nil {
		return "", err
	}
	if err := r.observe(5 * threshold / 2); err != nil {
		return "", err
	}
	if gaps := r.gaps(before); len(gaps) > 0 {
		return fmt.Sprintf("%d gaps, the first of %q", len(gaps), gaps[0].zooid), r.reviveAll(obey)
	}
	if err := errors.Join(r.awaitUp(time.Time{}, goesOn), r.reviveAll(obey)); err != nil {
		return "", err
	}

	victim := obey[k.victim]
	if err := r.colony.Kill(victim); err != nil {
		return "", err
	}
	if err := r.observe(3 * threshold); err != nil {
		return "", err
	}
	if gaps := r.gaps(before); len(gaps) != 1 || gaps[0].zooid != victim {
		return fmt.Sprintf("the death of %q afterwards led to %d gaps: %v", victim, len(gaps), gaps), r.reviveAll([]string{victim})
	}
	return "", r.reviveAll([]string{victim})
}

func (r *round) reviveAll(zooids []string) error {
	since := time.Now()
	for _, zooid := range zooids {
		if err := r.colony.Revive(zooid); err != nil {
			return err
		}
	}
	return r.awaitUp(since, zooids...)
}
