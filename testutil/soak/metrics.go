package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/parsers/influx"
)

// seen is what the metrics that Telegraf wrote to its file say. It belongs to one goroutine.
type seen struct {
	path   string
	offset int64
	parser influx.Parser

	states    map[string]state                                          // of the components
	inForce   func(zooid string, at time.Time, threshold time.Duration) // called for each report of a component, if set
	kills     int                                                       // kill signals that the input reported
	reported  time.Time                                                 // the last chembus_bus
	observed  float64                                                   // and what the observation clock showed then
	suspended bool
}

// state is what the processor said last of a component.
type state struct {
	name string
	at   time.Time
}

func newSeen(path string) (*seen, error) {
	s := &seen{path: path, states: make(map[string]state)}
	return s, s.parser.Init()
}

// Update reads what was written since the last call.
func (s *seen) Update() error {
	f, err := os.Open(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // Telegraf creates it
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(s.offset, io.SeekStart); err != nil {
		return err
	}
	content, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	content = content[:bytes.LastIndexByte(content, '\n')+1]
	s.offset += int64(len(content))
	metrics, err := s.parser.Parse(content)
	for _, m := range metrics {
		s.take(m)
	}
	return err
}

func (s *seen) take(m telegraf.Metric) {
	switch m.Name() {
	case "chembus_kill":
		s.kills++
	case "chembus_bus":
		observed, _ := m.GetField("observed_s")
		suspended, _ := m.GetField("suspended")
		s.reported = m.Time()
		s.observed, _ = observed.(float64)
		s.suspended, _ = suspended.(bool)
	case "liveness":
		zooid, _ := m.GetTag("zooid")
		value, _ := m.GetField("state")
		name, _ := value.(string)
		s.states[zooid] = state{name, m.Time()}
		if threshold, ok := m.GetField("threshold_s"); ok && s.inForce != nil {
			seconds, _ := threshold.(float64)
			s.inForce(zooid, m.Time(), time.Duration(seconds*float64(time.Second)))
		}
	}
}

// round does what has to happen in turn on a stage, and waits for its effect.
type round struct {
	*stage
	ctx   context.Context
	seen  *seen
	notes []string // for the report
}

func (r *round) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// roundLimit is the timeout for a condition, not an expected time.
const roundLimit = 3 * time.Minute

// await waits for a condition on what Telegraf wrote.
func (r *round) await(what string, condition func() bool) error {
	for limit := time.Now().Add(roundLimit); ; {
		if err := r.seen.Update(); err != nil {
			return err
		}
		if condition() {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("%s: not after %v", what, roundLimit)
		}
		select {
		case <-r.ctx.Done():
			return r.ctx.Err()
		case <-r.agent().Done():
			return errors.New("telegraf exited")
		case <-time.After(poll):
		}
	}
}

// awaitUp waits until the processor has said since a time that zooids are up.
func (r *round) awaitUp(since time.Time, zooids ...string) error {
	return r.await(fmt.Sprintf("up: %q", zooids), func() bool {
		for _, zooid := range zooids {
			if s := r.seen.states[zooid]; s.name != "up" || s.at.Before(since) {
				return false
			}
		}
		return true
	})
}

// observe waits until the observation clock of the present run of the input has advanced.
func (r *round) observe(d time.Duration) error {
	since := time.Now()
	if err := r.await("the input reports", func() bool { return r.seen.reported.After(since) }); err != nil {
		return err
	}
	start := r.seen.observed
	return r.await("the observation clock advances", func() bool { return r.seen.observed >= start+d.Seconds() })
}

// gaps returns what the first consumer has handled since a number of gaps.
func (r *round) gaps(after int) []handling { return r.listeners[0].record().handled[after:] }

// pause waits.
func (r *round) pause(d time.Duration) error {
	select {
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-time.After(d):
		return nil
	}
}
