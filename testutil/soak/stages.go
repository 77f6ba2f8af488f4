package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// onStages does something on several stages at the same time, each in a folder of its own in that of the options. The log
// of each Telegraf is left there. An error of one ends all.
func onStages(ctx context.Context, o options, set setting, n int, do func(i int, r *round) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, n)
	var stages sync.WaitGroup
	for i := range n {
		stages.Go(func() {
			time.Sleep(time.Duration(i) * stagger)
			own := o
			own.dir = filepath.Join(o.dir, strconv.Itoa(i))
			if errs[i] = onStage(ctx, own, set, i, func(r *round) error { return do(i, r) }); errs[i] != nil {
				cancel()
			}
		})
	}
	stages.Wait()
	return errors.Join(errs...)
}

func onStage(ctx context.Context, o options, set setting, number int, do func(r *round) error) (err error) {
	if err := os.Mkdir(o.dir, 0o700); err != nil {
		return err
	}
	s, err := newStage(ctx, o, set, number)
	defer func() {
		err = errors.Join(err, s.close(), os.WriteFile(filepath.Join(o.dir, "telegraf.log"), []byte(s.log()), 0o600))
	}()
	if err != nil {
		return err
	}
	r := &round{stage: s, ctx: ctx}
	if r.seen, err = newSeen(s.metricsFile()); err != nil {
		return err
	}
	return do(r)
}
