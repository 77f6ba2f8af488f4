package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

const (
	// reportInterval is how often the levels of all open gaps are repeated.
	reportInterval = 5 * time.Second
	// endLevels is how often the level of a gap that is closed is written.
	endLevels = 3
)

// levels is what the processor of one monitor writes to its output: the level of a gap at once when it opens or
// closes, and at every report. A level that is written while the output's process is dead is lost.
type levels struct {
	monitor  int
	start    time.Time // of the stage
	failures []failure
	write    func(lines string) bool                           // false if it is lost
	written  func(at time.Time, failure int, event levelEvent) // called after each level that was not lost

	open   map[int]bool
	ending map[int]int // how often the level of a closed gap has still to be written
}

type levelEvent string

const (
	opened   levelEvent = "opened"
	repeated levelEvent = "repeated"
	closed   levelEvent = "closed"
)

// turn is a moment at which a monitor finds a failure, or hears the component again.
type turn struct {
	at      time.Duration
	failure int
	event   levelEvent
}

// turns returns those of one monitor in the order of time.
func turns(failures []failure, monitor int) []turn {
	var all []turn
	for i, f := range failures {
		if f.finds[monitor] != never {
			all = append(all, turn{f.finds[monitor], i, opened}, turn{f.back[monitor], i, closed})
		}
	}
	slices.SortStableFunc(all, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
	return all
}

// run writes levels until the context ends. The first report is at phase.
func (l *levels) run(ctx context.Context, phase time.Duration) {
	l.open, l.ending = make(map[int]bool), make(map[int]int)
	left := turns(l.failures, l.monitor)
	for report := phase; ; {
		at := report
		if len(left) > 0 {
			at = min(at, left[0].at)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(l.start.Add(at))):
		}
		if len(left) > 0 && left[0].at == at {
			l.turn(left[0])
			left = left[1:]
			continue
		}
		l.report()
		report += reportInterval
	}
}

func (l *levels) turn(t turn) {
	if t.event == opened {
		l.open[t.failure] = true
		for i := range l.ending {
			if l.failures[i].component == l.failures[t.failure].component {
				delete(l.ending, i) // a component has one incident at a time
			}
		}
	} else {
		delete(l.open, t.failure)
		l.ending[t.failure] = endLevels
	}
	l.say(t.failure, t.event)
}

func (l *levels) report() {
	for i := range l.open {
		l.say(i, repeated)
	}
	for i := range l.ending {
		l.say(i, closed)
	}
}

func (l *levels) say(failure int, event levelEvent) {
	now := time.Now()
	if !l.write(level(&l.failures[failure], l.monitor, event, l.start, now)) {
		return
	}
	if event == closed {
		if l.ending[failure]--; l.ending[failure] == 0 {
			delete(l.ending, failure)
		}
	}
	l.written(now, failure, event)
}

// incidentID is the id under which a monitor knows a failure: it depends on the component and its last beat alone.
func (f *failure) incidentID(monitor int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s %d", f.component, f.lastSeen[monitor])).String()
}

// level is the line that the processor of a monitor writes about a failure.
func level(f *failure, monitor int, event levelEvent, start, now time.Time) string {
	seen := start.Add(f.lastSeen[monitor])
	silent := now.Sub(seen).Seconds()
	return fmt.Sprintf("liveness_gap,endpoint=tcp://bus,gap_type=heartbeat_missing,host=monitor%d,niche=test,zooid=%s "+
		"incident_id=%q,open=%t,event=%q,last_seen=%.6f,missing_seconds=%.6f,threshold_s=30,severity=\"critical\","+
		"reason=\"no heartbeat from %s for %.1f s\" %d\n",
		monitor, f.component, f.incidentID(monitor), event != closed, event,
		float64(seen.UnixMicro())/1e6, silent, f.component, silent, now.UnixNano())
}
