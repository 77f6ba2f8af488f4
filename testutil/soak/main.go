// Command soak does random faults to the real parts (a bus, a colony, a Telegraf with the drop-in, two
// consumers) and compares what really happened to each zooid with what each consumer handled. It is what
// make soak runs, and fails unless no gap was missed, doubled or false.
//
// With -monitors it does faults to three monitors on one bus: real outputs with a real proxy between them and a
// consumer, on many buses at the same time. It fails if a failure was handled twice, or not at all.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	var o options
	n := flag.Int("n", 300, "how many faults")
	seed := flag.Uint64("seed", 1, "which faults")
	flag.StringVar(&o.telegraf, "telegraf", "bin/telegraf", "the Telegraf `program`")
	flag.StringVar(&o.plugins, "plugins", "bin", "the `folder` of the program telegraf-chembus")
	flag.StringVar(&o.dropIn, "drop-in", "sample.conf", "the drop-in `file`")
	monitors := flag.Bool("monitors", false, "do the faults to three monitors on one bus instead of to one Telegraf")
	stages := flag.Int("stages", 24, "with -monitors: on how many buses at the same time")
	flag.Parse()
	o.zooids = 50

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	if *monitors {
		err = soakMonitors(ctx, monitorCampaign{
			program: filepath.Join(o.plugins, "telegraf-chembus"), faults: *n, seed: *seed, stages: *stages,
		})
	} else {
		err = soak(ctx, o, *n, *seed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// soak runs a campaign and keeps the evidence if it does not end well.
func soak(ctx context.Context, o options, n int, seed uint64) error {
	for _, path := range []*string{&o.telegraf, &o.plugins, &o.dropIn} {
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	var err error
	if o.dir, err = os.MkdirTemp("", "telegraf-chembus-soak"); err != nil {
		return err
	}
	r, err := run(ctx, o, n, seed, os.Stdout)
	if r != nil {
		r.print(os.Stdout)
		if err == nil && !r.good() {
			err = errors.New("gaps were missed, doubled or false")
		}
	}
	if err != nil {
		return fmt.Errorf("%w; the evidence is in %s", err, o.dir)
	}
	return os.RemoveAll(o.dir)
}

// run sets the stage, does n faults and reports. What Telegraf and its plugins said is left in the folder.
func run(ctx context.Context, o options, n int, seed uint64, out io.Writer) (r *report, err error) {
	s, err := newStage(ctx, o)
	defer func() {
		err = errors.Join(err, s.close(), os.WriteFile(filepath.Join(o.dir, "telegraf.log"), []byte(s.log()), 0o600))
	}()
	if err != nil {
		return nil, err
	}
	c := newCampaign(s, seed, out)
	c.say("the stage is set at %s: %d zooids, seed %d, %d faults", time.Now().Format(time.TimeOnly), o.zooids, seed, n)
	l, err := c.run(ctx, n)
	return &report{faults: c.counts, disk: s.disk.String(), deaths: len(l.deaths), findings: l.findings()}, err
}
