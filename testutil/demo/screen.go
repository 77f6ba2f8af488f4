package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/parsers/influx"

	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// screen tells a person what happens, a line each. What comes from the bus is escaped.
type screen struct {
	start time.Time

	mu     sync.Mutex
	out    io.Writer
	states map[string]string // last known, by zooid
	told   string            // last summary
}

func newScreen(out io.Writer, start time.Time) *screen {
	return &screen{start: start, out: out, states: make(map[string]string)}
}

// say prints one line.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line(format, args...)
}

func (s *screen) line(format string, args ...any) {
	fmt.Fprintf(s.out, "%7.2fs  %s\n", time.Since(s.start).Seconds(), fmt.Sprintf(format, args...))
}

// gap shows a message as a subscriber on the bus received it.
func (s *screen) gap(m consumer.Message) {
	verdict := "handled"
	if !m.Handled {
		verdict = "dropped, its incident was seen before"
	}
	s.say("GAP       %q as a subscriber on the bus received it (%s):\n          %s", m.Signal, verdict, printable(m.Payload))
}

// printable keeps what comes from the bus from doing anything to a terminal.
func printable(text []byte) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, string(text))
}

// metrics follows what Telegraf writes, until the end of it.
func (s *screen) metrics(r io.Reader) {
	parser := influx.NewStreamParser(r)
	for {
		m, err := parser.Next()
		switch {
		case err == nil:
			s.metric(m)
		case errors.Is(err, influx.EOF):
			return
		default:
			s.say("telegraf wrote what is no metric: %v", err)
		}
	}
}

func (s *screen) metric(m telegraf.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m.Name() {
	case "liveness":
		zooid, _ := m.GetTag("zooid")
		state, _ := m.GetField("state")
		silence, _ := m.GetField("silence_s")
		now, _ := state.(string)
		seconds, _ := silence.(float64)
		if before := s.states[zooid]; before != now {
			s.states[zooid] = now
			switch {
			case before == "":
				s.line("up        %q, heard for the first time", zooid)
			case now == "up":
				s.line("up        %q again, was %s", zooid, before)
			default:
				s.line("%-9s %q, no heartbeat for %.1f s", now, zooid, seconds)
			}
		}
	case "liveness_gap":
		zooid, _ := m.GetTag("zooid")
		if open, _ := m.GetField("open"); open == false {
			s.line("closed    the gap of %q", zooid)
		}
	case "chembus_bus":
		s.summary(m)
	}
}

// summary says who is alive, when that has changed.
func (s *screen) summary(m telegraf.Metric) {
	by := make(map[string][]string)
	for _, zooid := range slices.Sorted(maps.Keys(s.states)) {
		by[s.states[zooid]] = append(by[s.states[zooid]], fmt.Sprintf("%q", zooid))
	}
	var parts []string
	for _, state := range []string{"up", "late", "silent", "killed"} {
		if names := by[state]; len(names) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", len(names), state, strings.Join(names, " ")))
		}
	}
	if observable, _ := m.GetField("observable"); observable != true {
		parts = append(parts, "the bus cannot be heard")
	}
	if summary := strings.Join(parts, ", "); summary != s.told {
		s.told = summary
		s.line("now       %s", summary)
	}
}
