package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// stagger is the time between the beginnings of two stages: not all processes start at once.
const stagger = 100 * time.Millisecond

// monitorCampaign says what a campaign of monitors is run with.
type monitorCampaign struct {
	program string // telegraf-chembus
	dir     string // a folder of its own
	faults  int
	seed    uint64
	stages  int
}

// log is the file with what the monitors of a stage logged.
func (c monitorCampaign) log(stage int) string {
	return filepath.Join(c.dir, fmt.Sprintf("stage%d.log", stage))
}

// run does the faults, on so many buses at the same time, and reports. What the monitors logged is left in the
// folder. Of a campaign that broke off there is no report: what was due was not waited for.
func (c monitorCampaign) run(ctx context.Context, out io.Writer) (*monitorReport, error) {
	if c.faults < 1 || c.stages < 1 {
		return nil, errors.New("a campaign needs a fault and a stage at least")
	}
	plans := planMonitors(c.seed, c.faults, min(c.stages, c.faults))
	longest := time.Duration(0)
	for _, p := range plans {
		longest = max(longest, p.end)
	}
	var printing sync.Mutex
	say := func(format string, args ...any) {
		printing.Lock()
		defer printing.Unlock()
		fmt.Fprintf(out, format+"\n", args...)
	}
	say("%s: %d faults on %d buses with %d monitors each, seed %d; it takes %v",
		time.Now().Format(time.TimeOnly), c.faults, len(plans), monitorsOnBus, c.seed, longest.Round(time.Second))

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ledgers, errs := make([]monitorLedger, len(plans)), make([]error, len(plans))
	var stages sync.WaitGroup
	for i, plan := range plans {
		stages.Go(func() {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Duration(i) * stagger):
			}
			var log string
			ledgers[i], log, errs[i] = runMonitorStage(ctx, i, plan, c.program, c.dir, say)
			errs[i] = errors.Join(errs[i], os.WriteFile(c.log(i), []byte(log), 0o600))
			if errs[i] != nil {
				cancel() // what the others would show is not worth the time
			}
		})
	}
	stages.Wait()
	if err := errors.Join(errors.Join(errs...), ctx.Err()); err != nil {
		return nil, err
	}
	return newMonitorReport(ledgers), nil
}

// soakMonitors runs a campaign of monitors.
func soakMonitors(ctx context.Context, o options) error {
	c := monitorCampaign{
		program: filepath.Join(o.plugins, "telegraf-chembus"), dir: o.dir, faults: o.n, seed: o.seed, stages: o.stages,
	}
	r, err := c.run(ctx, o.out)
	if err != nil {
		return err
	}
	r.print(o.out)
	if !r.good() {
		return errWrong
	}
	return nil
}
