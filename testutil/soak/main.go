// Command soak does to real parts what may happen to them, see make soak, and fails if a gap was missed, doubled or false.
// README.md describes the scenarios.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// errWrong is the end of a scenario that found something.
var errWrong = errors.New("gaps were missed, doubled or false")

// scenario is what is done to the parts.
type scenario struct {
	stages int // default number of buses at the same time; 0: it is fixed
	run    func(ctx context.Context, o options) error
}

// scenarios are all scenarios by name.
var scenarios = map[string]scenario{
	"random":      {1, soakRandom},
	"monitors":    {24, soakMonitors},
	"killsignal":  {8, soakKillSignal},
	"maintenance": {0, soakMaintenance},
	"inphase":     {0, soakInPhase},
	"crashloop":   {0, soakCrashLoop},
	"fleet":       {2, soakFleet},
	"network":     {0, soakNetwork},
}

func main() {
	o := options{out: os.Stdout}
	names := strings.Join(slices.Sorted(maps.Keys(scenarios)), ", ")
	name := flag.String("scenario", "random", "`name` of the scenario: "+names)
	flag.IntVar(&o.n, "n", 300, "number of faults of random, monitors and network, of kills of each plugin of killsignal, of faults of each kind of fleet")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of what is random")
	flag.IntVar(&o.stages, "stages", 0, "number of buses at the same time of random, monitors and killsignal, of fleets (0: a default of the scenario)")
	flag.BoolVar(&o.adaptive, "adaptive", false, "with adaptive thresholds (random only)")
	flag.StringVar(&o.telegraf, "telegraf", "bin/telegraf", "`path` of telegraf")
	flag.StringVar(&o.plugins, "plugins", "bin", "`folder` of telegraf-chembus")
	flag.StringVar(&o.dropIn, "drop-in", "sample.conf", "drop-in `file`")
	flag.StringVar(&o.fleet, "fleet", "cmd/telegraf-chembus/fleet", "`folder` with the drop-ins of fleet")
	flag.StringVar(&o.nats, "nats", "bin/nats-server", "`path` of nats-server, with the program nats beside it; for fleet")
	flag.Parse()

	if *name == "network" {
		if err := enterOwnNetwork(); err != nil {
			fmt.Println("soak: network is skipped, it needs root, ip and tc:", err)
			return
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s, ok := scenarios[*name]
	var err error
	switch {
	case !ok:
		err = fmt.Errorf("there is no scenario %q; use one of %s", *name, names)
	case o.adaptive && *name != "random":
		err = fmt.Errorf("-adaptive has no effect on the scenario %q; use it with random", *name)
	case o.stages != 0 && s.stages == 0:
		err = fmt.Errorf("-stages has no effect on the scenario %q", *name)
	case o.n < 1 || o.stages < 0:
		err = errors.New("-n must be at least 1, -stages at least 0")
	default:
		if o.stages == 0 {
			o.stages = s.stages
		}
		err = soakIn(ctx, o, s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// options say what a scenario is done with.
type options struct {
	telegraf, plugins, dropIn string // programs and files
	fleet, nats               string // for the scenario of that name
	out                       io.Writer
	dir                       string // for all files
	n, stages                 int
	seed                      uint64
	adaptive                  bool
}

// soakIn runs a scenario in a new folder, which is kept if it fails.
func soakIn(ctx context.Context, o options, s scenario) error {
	for _, path := range []*string{&o.telegraf, &o.plugins, &o.dropIn, &o.fleet, &o.nats} {
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	var err error
	if o.dir, err = os.MkdirTemp("", "telegraf-chembus-soak"); err != nil {
		return err
	}
	if err := s.run(ctx, o); err != nil {
		return fmt.Errorf("%w; see the files in %s", err, o.dir)
	}
	return os.RemoveAll(o.dir)
}
