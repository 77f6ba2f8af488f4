// Package logging keeps a plugin's log short: a line that could come with every metric is written once a minute, and
// a problem that lasts is reported when it begins and when it ends. Nobody who logs waits for whoever reads the log.
package logging

import (
	"time"

	"github.com/influxdata/telegraf"
)

// interval is the shortest time between two lines that a RateLimit lets pass.
const interval = time.Minute

// RateLimit lets one line pass in each interval. The zero value lets the next one pass.
type RateLimit struct {
	passed time.Time
	count  int
}

// Allow reports whether a line may be written now. If so it counts as written.
func (l *RateLimit) Allow(now time.Time) bool {
	if !l.passed.IsZero() && now.Sub(l.passed) < interval {
		return false
	}
	l.passed = now
	return true
}

// Count counts an event. If a line may be written now it returns the number of events since the last one, else 0.
func (l *RateLimit) Count(now time.Time) int {
	l.count++
	if !l.Allow(now) {
		return 0
	}
	n := l.count
	l.count = 0
	return n
}

// Change is what is new about a Problem.
type Change int

// The changes; most of the time there is None.
const (
	None Change = iota
	Began
	Ended
)

// Problem follows something that may be wrong for long, so that its beginning and its end are logged once each.
type Problem struct {
	// Tolerance is how long the problem has to last before it counts as begun.
	Tolerance time.Duration

	since    time.Time // zero: there is none
	reported bool
}

// Update takes whether the problem exists now. It returns what is to be logged, and when to call it again even if
// nothing happens; zero: not at all.
func (p *Problem) Update(exists bool, now time.Time) (change Change, next time.Time) {
	if !exists {
		if p.reported {
			change = Ended
		}
		p.since, p.reported = time.Time{}, false
		return change, time.Time{}
	}
	if p.since.IsZero() {
		p.since = now
	}
	if p.reported {
		return None, time.Time{}
	}
	if due := p.since.Add(p.Tolerance); now.Before(due) {
		return None, due
	}
	p.reported = true
	return Began, time.Time{}
}

// Warnf takes whether the problem exists now, as Update does, and logs a warning when it has begun and a text when it has
// ended.
func (p *Problem) Warnf(log telegraf.Logger, exists bool, now time.Time, ended, format string, args ...any) {
	switch change, _ := p.Update(exists, now); change {
	case Began:
		log.Warnf(format, args...)
	case Ended:
		log.Info(ended)
	case None:
	}
}
