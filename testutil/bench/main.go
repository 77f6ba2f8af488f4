// Command bench measures telegraf-chembus, see make bench. It compares it with a small Python daemon, the usual
// alternative, and with a loop around libzmq's receive call, the lower limit. It prints a description of the machine and
// a table of figures with their budgets.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// python is the interpreter for which Debian's python3-zmq is installed.
const python = "/usr/bin/python3"

// rounds is the number of alternating runs for a median.
const rounds = 5

// bench is the environment of all parts.
type bench struct {
	root     string // of the module
	telegraf string // the program
	plugins  string // folder of telegraf-chembus
	influxd  string // InfluxDB 1.8
	dropIn   string // the drop-in for Telegraf
	nats     string // the program nats-server, with the program nats beside it
	dir      string // for temporary files
	rawLoop  string // the compiled loop around libzmq's receive call
	monitor  string // the Python daemon
	progress io.Writer

	fleetTime  time.Duration // how long the fleet must have no false gap
	fleetBuses int
}

// parts are the parts of the bench, in the order of measurement.
var parts = []struct {
	name    string
	measure func(*bench, context.Context) (table, error)
}{
	{"receive", (*bench).receive},
	{"scale", (*bench).scale},
	{"idle", (*bench).idle},
	{"delay", (*bench).delay},
	{"overload", (*bench).overload},
	{"growth", (*bench).growth},
	{"page", (*bench).page},
	{"dashboards", (*bench).dashboards},
	{fleetPart, (*bench).fleet},
}

// fleetPart is measured only if it is named, because it takes so long.
const fleetPart = "fleet"

func main() {
	b := &bench{progress: os.Stderr}
	flag.StringVar(&b.root, "root", ".", "`folder` of the module")
	flag.StringVar(&b.telegraf, "telegraf", "bin/telegraf", "`path` of telegraf")
	flag.StringVar(&b.nats, "nats", "bin/nats-server", "`path` of nats-server, with the program nats beside it; for the part fleet")
	flag.DurationVar(&b.fleetTime, "fleet-time", 10*time.Minute, "how long the part fleet looks for false gaps, a multiple of 10s")
	flag.IntVar(&b.fleetBuses, "fleet-buses", 1000, "number of buses in the part fleet")
	flag.StringVar(&b.plugins, "plugins", "bin", "`folder` of telegraf-chembus")
	flag.StringVar(&b.influxd, "influxd", "bin/influxd", "`path` of influxd 1.8")
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	only := flag.String("only", "", "measure only these `parts`, separated by commas, of "+strings.Join(names, ",")+"; by default all but fleet")
	flag.Parse()
	chosen := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == fleetPart })
	if *only != "" {
		chosen = strings.Split(*only, ",")
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx, chosen, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the parts and prints the table.
func (b *bench) run(ctx context.Context, chosen []string, out io.Writer) (err error) {
	if err := b.prepare(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()

	start := time.Now()
	description := machine(b.telegraf) // before the bench loads the machine
	var t table
	for _, name := range chosen {
		known := false
		for _, p := range parts {
			if p.name != name {
				continue
			}
			known = true
			b.logf("%s", name)
			rows, err := p.measure(b, ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			t = append(t, rows...)
		}
		if !known {
			return fmt.Errorf("unknown part %q", name)
		}
	}
	fmt.Fprintf(out, "%s; took %v\n\n", description, time.Since(start).Round(time.Second))
	if err := t.print(out); err != nil {
		return err
	}
	if n := t.failures(); n > 0 {
		return fmt.Errorf("%d budgets were exceeded", n)
	}
	return nil
}

// prepare sets the paths and compiles the raw loop.
func (b *bench) prepare() error {
	for _, path := range []*string{&b.root, &b.telegraf, &b.plugins, &b.nats, &b.influxd} {
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "telegraf-chembus-bench"); err != nil {
		return err
	}
	b.dropIn = filepath.Join(b.root, "sample.conf")
	programs := filepath.Join(b.root, "testutil", "bench", "baseline")
	b.monitor = filepath.Join(programs, "monitor.py")
	b.rawLoop = filepath.Join(b.dir, "rawloop")
	compile := fmt.Sprintf("gcc -O2 -o '%s' '%s' $(pkg-config --cflags --libs libzmq)", b.rawLoop, filepath.Join(programs, "rawloop.c"))
	if message, err := exec.Command("sh", "-c", compile).CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("compiling the raw loop: %w: %s", err, message), os.RemoveAll(b.dir))
	}
	return nil
}

// logf prints progress.
func (b *bench) logf(format string, args ...any) {
	fmt.Fprintf(b.progress, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
