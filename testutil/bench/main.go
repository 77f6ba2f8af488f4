// Command bench measures telegraf-chembus beside what people would run instead, a small Python daemon,
// and beside the limit, a loop around libzmq's receive call. It is what make bench runs: it prints the
// machine, and one table of figures with the budget of each.
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
	"strings"
	"syscall"
	"time"
)

// python is the interpreter that has Debian's python3-zmq.
const python = "/usr/bin/python3"

// rounds is how many alternating runs a median is of.
const rounds = 5

// bench is what all parts need.
type bench struct {
	root     string // of the module
	telegraf string // the program
	plugins  string // folder of telegraf-chembus
	dropIn   string // the drop-in for Telegraf
	dir      string // for whatever is made
	rawLoop  string // the compiled loop around libzmq's receive call
	monitor  string // the Python daemon
	progress io.Writer
}

// parts are measured in this order.
var parts = []struct {
	name    string
	measure func(*bench, context.Context) (table, error)
}{
	{"receive", (*bench).receive},
	{"crowd", (*bench).crowd},
	{"idle", (*bench).idle},
	{"delay", (*bench).delay},
	{"overload", (*bench).overload},
	{"growth", (*bench).growth},
}

func main() {
	b := &bench{progress: os.Stderr}
	flag.StringVar(&b.root, "root", ".", "the `folder` of the module")
	flag.StringVar(&b.telegraf, "telegraf", "bin/telegraf", "the Telegraf `program`")
	flag.StringVar(&b.plugins, "plugins", "bin", "the `folder` of the program telegraf-chembus")
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	only := flag.String("only", "", "measure only these `parts`, of "+strings.Join(names, ","))
	flag.Parse()
	chosen := names
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
	description := machine(b.telegraf) // before the load
	var t table
	for _, name := range chosen {
		known := false
		for _, p := range parts {
			if p.name != name {
				continue
			}
			known = true
			b.say("%s", name)
			rows, err := p.measure(b, ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			t = append(t, rows...)
		}
		if !known {
			return fmt.Errorf("there is no part %q", name)
		}
	}
	fmt.Fprintf(out, "%s; took %v\n\n", description, time.Since(start).Round(time.Second))
	if err := t.print(out); err != nil {
		return err
	}
	if n := t.failures(); n > 0 {
		return fmt.Errorf("%d budgets were not kept", n)
	}
	return nil
}

// prepare makes the peers.
func (b *bench) prepare() error {
	for _, path := range []*string{&b.root, &b.telegraf, &b.plugins} {
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
	peers := filepath.Join(b.root, "testutil", "bench", "peers")
	b.monitor = filepath.Join(peers, "monitor.py")
	b.rawLoop = filepath.Join(b.dir, "rawloop")
	compile := fmt.Sprintf("gcc -O2 -o '%s' '%s' $(pkg-config --cflags --libs libzmq)", b.rawLoop, filepath.Join(peers, "rawloop.c"))
	if message, err := exec.Command("sh", "-c", compile).CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("compiling the raw loop: %w: %s", err, message), os.RemoveAll(b.dir))
	}
	return nil
}

// say tells what is going on.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
