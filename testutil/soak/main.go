// Command soak injects random faults into a bus, a colony, a Telegraf with the drop-in and two consumers, see make soak. It
// compares what happened to each zooid with the gaps that each consumer handled, and fails if a gap was missed, doubled or
// false.
//
// With -monitors it injects faults into three monitors of one bus: outputs with a proxy between them and a consumer, on
// many buses at the same time. It fails if a failure was handled twice or not at all.
//
// With -killsignal it kills the input and the processor within a second after a kill signal, on several buses at the same
// time. With -maintenance it does maintenances as the colony's script does them, with the default times. Both fail if a gap
// follows that should not, or none that should.
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
	n := flag.Int("n", 300, "number of faults")
	seed := flag.Uint64("seed", 1, "seed of the random faults")
	flag.StringVar(&o.telegraf, "telegraf", "bin/telegraf", "`path` of telegraf")
	flag.StringVar(&o.plugins, "plugins", "bin", "`folder` of telegraf-chembus")
	flag.StringVar(&o.dropIn, "drop-in", "sample.conf", "drop-in `file`")
	monitors := flag.Bool("monitors", false, "inject faults into three monitors of one bus instead of one Telegraf")
	killSignal := flag.Bool("killsignal", false, "kill the input, and the processor, -n times each within a second after a kill signal")
	maintenance := flag.Bool("maintenance", false, "do maintenances with the default times")
	stages := flag.Int("stages", 24, "with -monitors and -killsignal: number of buses at the same time")
	flag.BoolVar(&o.adaptive, "adaptive", false, "with the random faults: adaptive thresholds")
	flag.Parse()
	o.zooids = 50
	if o.adaptive && (*monitors || *killSignal || *maintenance) {
		fmt.Fprintln(os.Stderr, "soak: -adaptive goes with the random faults only")
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *killSignal:
		err = soakIn(&o, func() error { return soakKillSignal(ctx, o, *n, *seed, *stages, os.Stdout) })
	case *maintenance:
		err = soakIn(&o, func() error { return soakMaintenance(ctx, o, os.Stdout) })
	case *monitors:
		err = soakMonitors(ctx, monitorCampaign{
			program: filepath.Join(o.plugins, "telegraf-chembus"), faults: *n, seed: *seed, stages: *stages,
		})
	default:
		err = soakIn(&o, func() error { return soak(ctx, o, *n, *seed) })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// soakIn runs a campaign in a new folder, which is kept if it fails.
func soakIn(o *options, campaign func() error) error {
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
	if err := campaign(); err != nil {
		return fmt.Errorf("%w; see the files in %s", err, o.dir)
	}
	return os.RemoveAll(o.dir)
}

// soak runs a campaign of random faults.
func soak(ctx context.Context, o options, n int, seed uint64) error {
	r, err := run(ctx, o, n, seed, os.Stdout)
	if r != nil {
		r.print(os.Stdout)
		if err == nil && !r.good() {
			err = errors.New("gaps were missed, doubled or false")
		}
	}
	return err
}

// run runs a campaign of n faults on a new stage and returns the report. It writes the log of Telegraf to the folder.
func run(ctx context.Context, o options, n int, seed uint64, out io.Writer) (r *report, err error) {
	s, err := newStage(ctx, o)
	defer func() {
		err = errors.Join(err, s.close(), os.WriteFile(filepath.Join(o.dir, "telegraf.log"), []byte(s.log()), 0o600))
	}()
	if err != nil {
		return nil, err
	}
	c := newCampaign(s, seed, out)
	c.logf("started at %s: %d zooids, seed %d, %d faults, adaptive = %v",
		time.Now().Format(time.TimeOnly), o.zooids, seed, n, o.adaptive)
	l, err := c.run(ctx, n)
	if o.adaptive && err == nil {
		l.adaptive, err = readThresholds(s.metricsFile(), s.start)
	}
	return &report{
		faults: c.counts, disk: s.disk.String(), deaths: len(l.deaths), findings: l.findings(), thresholds: l.thresholds(),
	}, err
}
