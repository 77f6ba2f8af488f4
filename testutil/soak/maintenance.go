package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// The times of the default options and of the colony's script.
const (
	defaultThreshold  = 30 * time.Second
	maintenanceLength = time.Minute
	// maintenanceMargin is how long after the deadline a gap may arrive.
	maintenanceMargin = 4 * time.Second
)

// defaultTimes are options with the default times.
const defaultTimes = `
[[inputs.chembus]]
  maintenance_file = %q

[[processors.liveness]]
  state_file = %q

[[outputs.chembus]]
  state_file = %q
`

// marker is the file that marks a maintenance.
func (h *host) marker() string { return filepath.Join(h.dir, "maintenance_mode") }

// soakMaintenance does maintenances as the colony's script does them, with the default times: with both signs, and with
// only one of them. One that starts all components again opens nothing. One that leaves out a component opens a gap, one
// threshold after its end.
func soakMaintenance(ctx context.Context, o options) error {
	set := setting{members: colony.Field(11), config: func(h *host) string {
		return fmt.Sprintf(defaultTimes, h.marker(), h.processorState(), h.outputState())
	}}
	signs := make(chan colony.Maintenance, 3)
	signs <- colony.Maintenance{Marker: "used"}
	signs <- colony.Maintenance{}
	signs <- colony.Maintenance{Marker: "used", NoSignals: true}
	fmt.Fprintf(o.out, "%s: maintenances of %v with the default options\n", time.Now().Format(time.TimeOnly), maintenanceLength)
	var mu sync.Mutex
	wrong := false
	err := onStages(ctx, o, set, cap(signs), func(_ int, r *round) error {
		m := <-signs
		what := fmt.Sprintf("marker: %v, signals: %v", m.Marker != "", !m.NoSignals)
		if m.Marker != "" {
			m.Marker = r.marker()
		}
		result, problem, err := r.maintain(m)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		wrong = wrong || problem != ""
		fmt.Fprintf(o.out, "%s  %s: %s%s\n", time.Now().Format(time.TimeOnly), what, result, problem)
		return nil
	})
	if err == nil && wrong {
		err = errWrong
	}
	return err
}

// maintain does two maintenances, the second of which leaves a component out. The result says what followed, the problem
// what is wrong with it.
func (r *round) maintain(m colony.Maintenance) (result, problem string, err error) {
	if !m.NoSignals {
		for _, topic := range []string{colony.SuspendTopic, colony.ResumeTopic} {
			if err := r.colony.WaitSubscribed(r.ctx, topic); err != nil {
				return "", "", err
			}
		}
	}
	m.Zooids = r.colony.Names()[2:]
	nine := m.Zooids
	if _, err := r.oneMaintenance(m, nine); err != nil {
		return "", "", err
	}
	if err := r.observe(5 * defaultThreshold / 2); err != nil {
		return "", "", err
	}
	if gaps := r.gaps(0); len(gaps) > 0 {
		return "", fmt.Sprintf("WRONG: all were started again, and there are gaps: %v", gaps), nil
	}

	// So the last beats are at another distance from the maintenance.
	if err := r.pause(7 * time.Second); err != nil {
		return "", "", err
	}
	missing := nine[4]
	silentBefore := time.Since(r.colony.LastBeat(missing))
	end, err := r.oneMaintenance(m, append(append([]string{}, nine[:4]...), nine[5:]...))
	if err != nil {
		return "", "", err
	}
	if err := r.observe(2 * defaultThreshold); err != nil {
		return "", "", err
	}
	gaps := r.gaps(0)
	if len(gaps) != 1 || gaps[0].zooid != missing {
		return "", fmt.Sprintf("WRONG: %q was not started again, and there are gaps: %v", missing, gaps), nil
	}
	after := (gaps[0].at - end).Round(time.Millisecond)
	result = fmt.Sprintf("the first opened nothing; in the second a component was left out that beat %v before: one gap, %v after the end",
		silentBefore.Round(time.Millisecond), after)
	if after < defaultThreshold || after > defaultThreshold+maintenanceMargin {
		problem = fmt.Sprintf("; WRONG: that is not one threshold, %v", defaultThreshold)
	}
	return result, problem, nil
}

// oneMaintenance does a maintenance that starts some zooids again, and returns when it was over.
func (r *round) oneMaintenance(m colony.Maintenance, again []string) (end time.Duration, err error) {
	if err := r.colony.Suspend(m); err != nil {
		return 0, err
	}
	if err := r.pause(maintenanceLength); err != nil {
		return 0, err
	}
	if err := r.await("it is noticed", func() bool { return r.seen.suspended }); err != nil {
		return 0, err
	}
	m.Zooids = again
	err = r.colony.Resume(m)
	return r.now(), err
}
