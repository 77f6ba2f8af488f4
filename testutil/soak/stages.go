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

// onStages does something on several stages at the same time. The log of each Telegraf is left in the folder of its stage.
func onStages(ctx context.Context, o options, set setting, n int, do func(i int, r *round) error) error {
	return inFolders(ctx, o, n, func(ctx context.Context, i int, o options) error {
		return onStage(ctx, o, set, i, func(r *round) error { return do(i, r) })
	})
}

// inFolders does something several times at the same time, each in a folder of its own in that of the options. An error of
// one ends all.
func inFolders(ctx context.Context, o options, n int, do func(ctx context.Context, i int, o options) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			time.Sleep(time.Duration(i) * stagger)
			own := o
			own.dir = filepath.Join(o.dir, strconv.Itoa(i))
			if errs[i] = os.Mkdir(own.dir, 0o700); errs[i] == nil {
				errs[i] = do(ctx, i, own)
			}
			if errs[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func onStage(ctx context.Context, o options, set setting, number int, do func(r *round) error) (err error) {
	s, err := newStage(ctx, o, set, number)
	defer func() {
		err = errors.Join(err, s.close())
		for _, h := range s.hosts {
			err = errors.Join(err, os.WriteFile(filepath.Join(h.dir, "telegraf.log"), []byte(h.log()), 0o600))
		}
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
