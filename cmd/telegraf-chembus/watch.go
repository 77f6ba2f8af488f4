//go:build cgo

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/influxdata/telegraf"
	"golang.org/x/term"

	"github.com/kloros/telegraf-chembus/cmd/telegraf-chembus/watch"
	"github.com/kloros/telegraf-chembus/plugins/inputs/chembus"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// runWatch shows the state of all components as a table or as JSON, once or until a signal. It returns the
// watch.Status of a single snapshot.
func runWatch(a arguments, stdout, stderr io.Writer) (int, error) {
	// These signals must not end the process before the terminal is restored. In raw mode the keyboard sends none.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	log := lineLog{info: io.Discard, warn: stderr}
	uninstall, err := log.install()
	if err != nil {
		return 0, err
	}
	defer uninstall()
	in, processor, output, err := loadWatch(a.file)
	if err != nil {
		return 0, err
	}
	if !a.once && !a.json {
		return 0, watchScreen(ctx, a)
	}

	w, err := watch.Start(in, processor, output)
	if err != nil {
		return 0, fmt.Errorf("watch: %w", err)
	}
	defer w.Stop()
	if a.once {
		return watchOnce(ctx, w, a.json, stdout)
	}
	return 0, watchJSON(ctx, w, a.interval, stdout)
}

// loadWatch loads the input and the processor that a watch runs, and finds the state file of the output.
func loadWatch(file string) (*chembus.ChemBus, *liveness.Liveness, string, error) {
	var plugins []telegraf.PluginDescriber
	for _, name := range []string{"input", "processor"} {
		r, _ := roleNamed(name)
		t, err := tableFor(r, file)
		if err != nil {
			return nil, nil, "", err
		}
		plugin, problems := t.load(func(p telegraf.PluginDescriber) {
			if in, ok := p.(*chembus.ChemBus); ok {
				watch.Configure(in)
			}
		})
		if len(problems) > 0 {
			return nil, nil, "", problems[0]
		}
		plugins = append(plugins, plugin)
	}
	return plugins[0].(*chembus.ChemBus), plugins[1].(*liveness.Liveness), outputState(file), nil
}

// outputState returns the state file of the output; empty if FILE has no valid table for it. A watch does without.
func outputState(file string) string {
	r, _ := roleNamed("output")
	t, err := tableFor(r, file)
	if err != nil {
		return ""
	}
	plugin, problems := t.configured()
	if len(problems) > 0 {
		return ""
	}
	path, _ := plugin.(stateful).StatePlace()
	return path
}

func watchOnce(ctx context.Context, w *watch.Watcher, asJSON bool, stdout io.Writer) (int, error) {
	s, err := w.Once(ctx)
	if err != nil {
		return 0, fmt.Errorf("watch: ended before the first snapshot: %w", err)
	}
	write := s.WriteTable
	if asJSON {
		write = s.WriteJSON
	}
	return int(s.Status()), write(stdout)
}

func watchJSON(ctx context.Context, w *watch.Watcher, interval time.Duration, stdout io.Writer) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			s, err := w.Snapshot(now)
			if err == nil {
				err = s.WriteJSON(stdout)
			}
			if err != nil {
				return fmt.Errorf("watch: %w", err)
			}
		}
	}
}

// watchScreen shows the snapshots of a child process, which runs this program with -json, on the terminal.
func watchScreen(ctx context.Context, a arguments) error {
	if !term.IsTerminal(int(os.Stdout.Fd())) {
		return errors.New("watch: stdout is not a terminal; use -once or -json")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("watch: finding the path of this program: %w", err)
	}
	args := []string{"watch", "-json", "-interval", a.interval.String()}
	if a.file != "" {
		args = append(args, "-config", a.file)
	}
	s, err := watch.StartStream(exec.Command(self, args...))
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer s.Stop()
	if err := watch.Show(ctx, s); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}
