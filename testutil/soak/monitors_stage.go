package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// monitorStage is one bus with its monitors and a consumer.
type monitorStage struct {
	number   int
	plan     stagePlan
	say      func(format string, args ...any)
	bus      *colony.Bus
	monitors [monitorsOnBus]*monitor
	consumer *consumer.Consumer // nil while it is away

	mu     sync.Mutex // guards what follows
	start  time.Time  // of the plan; zero while the stage is set
	ready  map[string]bool
	ledger monitorLedger
}

// runMonitorStage sets a stage, carries its plan out, and returns what happened and what the monitors logged.
func runMonitorStage(ctx context.Context, number int, plan stagePlan, program, dir string, say func(string, ...any)) (l monitorLedger, log string, err error) {
	s := &monitorStage{
		number: number, plan: plan, say: say,
		ready:  make(map[string]bool),
		ledger: monitorLedger{stage: number, failures: plan.failures},
	}
	defer func() {
		err = errors.Join(err, s.close())
		for _, m := range s.monitors {
			if m != nil {
				log += m.log()
			}
		}
		s.ledger.sort()
		l = s.ledger
	}()
	if err := s.set(ctx, program, filepath.Join(dir, fmt.Sprint("stage", number))); err != nil {
		return l, log, fmt.Errorf("setting stage %d: %w", number, err)
	}
	return l, log, s.run(ctx)
}

// set starts everything and waits until each monitor has published something.
func (s *monitorStage) set(ctx context.Context, program, dir string) error {
	var err error
	if s.bus, err = colony.NewBus(colony.BusConfig{OnForward: s.forwarded}); err != nil {
		return err
	}
	if err := s.join(); err != nil {
		return err
	}
	began := time.Now()
	var first []*failure // one for each monitor
	for i := range s.monitors {
		if s.monitors[i], err = newMonitor(i, program, dir, s.bus.XSub(), s.bus.XPub()); err != nil {
			return err
		}
		if err := s.monitors[i].start(); err != nil {
			return err
		}
		first = append(first, &failure{component: fmt.Sprintf("first_of_%d", i)})
	}
	write := func(event levelEvent) {
		for i, f := range first {
			s.monitors[i].write(level(f, i, event, began, time.Now()))
		}
	}
	limit := time.After(startLimit)
	for !s.allReady(first) {
		write(repeated)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit:
			return fmt.Errorf("not every monitor has published its first gap within %v", startLimit)
		case <-time.After(time.Second):
		}
	}
	write(closed)
	return nil
}

func (s *monitorStage) allReady(first []*failure) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range first {
		if !s.ready[f.incidentID(i)] {
			return false
		}
	}
	return true
}

// run carries the plan out.
func (s *monitorStage) run(ctx context.Context) error {
	s.mu.Lock()
	s.start = time.Now()
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var writing, disturbing sync.WaitGroup
	for i, m := range s.monitors {
		l := &levels{
			monitor: i, start: s.start, failures: s.plan.failures, write: m.write,
			written: func(at time.Time, failure int, event levelEvent) { s.written(at, failure, i, event) },
		}
		writing.Go(func() { l.run(ctx, reportInterval*time.Duration(i+1)/monitorsOnBus) })
	}
	errs := make([]error, len(s.plan.faults))
	for i, f := range s.plan.faults {
		disturbing.Go(func() {
			if s.wait(ctx, f.at) {
				if errs[i] = s.disturb(ctx, f); errs[i] != nil {
					errs[i] = fmt.Errorf("stage %d: %s: %w", s.number, f, errs[i])
					cancel()
				}
			}
		})
	}
	s.wait(ctx, s.plan.end+endKnown)
	disturbing.Wait()
	cancel()
	writing.Wait()
	err := errors.Join(errs...)
	for _, m := range s.monitors {
		if m.ended() {
			err = errors.Join(err, fmt.Errorf("stage %d: monitor %d ended by itself", s.number, m.number))
		}
	}
	return err
}

// wait waits for a moment of the plan; false if the context ends before.
func (s *monitorStage) wait(ctx context.Context, until time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(s.start.Add(until))):
		return true
	}
}

// disturb does a fault from its beginning to its end.
func (s *monitorStage) disturb(ctx context.Context, f monitorFault) error {
	begin, end := s.acts(f)
	from := time.Since(s.start)
	err := begin()
	s.say("stage %d, %8.3f s: %s", s.number, from.Seconds(), f)
	s.wait(ctx, f.end())
	err = errors.Join(err, end())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.faults = append(s.ledger.faults, doneFault{f, span{from, time.Since(s.start)}})
	return err
}

// acts returns what begins and ends a fault.
func (s *monitorStage) acts(f monitorFault) (begin, end func() error) {
	m := s.monitors[f.monitor]
	switch f.kind {
	case busPaused:
		return s.bus.Pause, s.bus.Resume
	case busRestarted:
		return s.bus.Kill, s.bus.Restart
	case monitorKilled:
		return m.kill, m.start
	case monitorReplaced:
		return m.kill, func() error {
			if err := m.loseState(); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return m.start()
		}
	case monitorStopped:
		return func() error { return m.signal(syscall.SIGSTOP) }, func() error { return m.signal(syscall.SIGCONT) }
	case consumerLate:
		return s.leave, s.join
	}
	panic("unreachable: all kinds are listed")
}

// join connects the consumer, which begins with an empty memory.
func (s *monitorStage) join() error {
	c, err := consumer.New(consumer.Config{XPub: s.bus.XPub(), Topic: gapTopic, OnMessage: s.received})
	s.consumer = c
	return err
}

func (s *monitorStage) leave() error {
	if s.consumer == nil {
		return nil
	}
	err := s.consumer.Close()
	s.consumer = nil
	return err
}

// received takes what the consumer received.
func (s *monitorStage) received(m consumer.Message) {
	if !m.Handled {
		return
	}
	h := handledGap{incident: "none"}
	if m.IncidentID != nil {
		h.incident = *m.IncidentID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.start.IsZero() {
		s.ready[h.incident] = true
		return
	}
	h.at = m.Received.Sub(s.start)
	if s.ready[h.incident] {
		return // it was set with this one
	}
	s.ledger.handled = append(s.ledger.handled, h)
}

// forwarded takes what the bus forwards.
func (s *monitorStage) forwarded(frames [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.start.IsZero() || len(frames) != 2 {
		return
	}
	at := time.Since(s.start)
	topic, payload := string(frames[0]), string(frames[1])
	if topic != gapTopic {
		if strings.Contains(payload, s.plan.mark()) {
			s.ledger.private = append(s.ledger.private, privateMessage{at, topic, payload})
		}
		return
	}
	var m struct {
		IncidentID string  `json:"incident_id"`
		Intensity  float64 `json:"intensity"`
		TS         float64 `json:"ts"`
	}
	if err := json.Unmarshal(frames[1], &m); err != nil {
		m.IncidentID = err.Error() // no incident has this id
	}
	s.ledger.forwarded = append(s.ledger.forwarded, forwardedGap{
		at: at, stamp: time.UnixMicro(int64(m.TS * 1e6)).Sub(s.start),
		monitor: slices.Index([]float64{1, 2, 3}, m.Intensity), incident: m.IncidentID,
	})
}

// written takes what a monitor was handed.
func (s *monitorStage) written(at time.Time, failure, monitor int, event levelEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.levels = append(s.ledger.levels, writtenLevel{at.Sub(s.start), failure, monitor, event})
}

// close ends everything.
func (s *monitorStage) close() error {
	var err error
	for _, m := range s.monitors {
		if m != nil {
			err = errors.Join(err, m.kill())
		}
	}
	err = errors.Join(err, s.leave())
	if s.bus != nil {
		err = errors.Join(err, s.bus.Close())
	}
	return err
}
