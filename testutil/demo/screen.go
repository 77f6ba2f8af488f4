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

// screen prints events, one line each. Text from the bus is escaped.
type screen struct {
	start time.Time

	mu      sync.Mutex
	out     io.Writer
	states  map[string]string // last known, by zooid
	closed  any               // incident of the last gap that was closed
	summary string            // last printed
}

func newScreen(out io.Writer, start time.Time) *screen {
	return &screen{start: start, out: out, states: make(map[string]string)}
}

// printf prints one line.
func (s *screen) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line(format, args...)
}

func (s *screen) line(format string, args ...any) {
	fmt.Fprintf(s.out, "%7.2fs  %s\n", time.Since(s.start).Seconds(), fmt.Sprintf(format, args...))
}

// gap prints a message that a subscriber on the bus received.
func (s *screen) gap(m consumer.Message) {
	result := "handled"
	if !m.Handled {
		result = "dropped as a duplicate"
	}
	s.printf("GAP       %q received by a subscriber on the bus (%s):\n          %s", m.Signal, result, printable(m.Payload))
}

// printable replaces characters that could affect a terminal.
func printable(text []byte) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, string(text))
}

// metrics reads the metrics that Telegraf writes until the end of its output.
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
			s.printf("invalid line from Telegraf: %v", err)
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
				s.line("up        %q, first heartbeat", zooid)
			case now == "up":
				s.line("up        %q again, was %s", zooid, before)
			default:
				s.line("%-9s %q, no heartbeat for %.1f s", now, zooid, seconds)
			}
		}
	case "liveness_gap":
		zooid, _ := m.GetTag("zooid")
		incident, _ := m.GetField("incident_id")
		if open, _ := m.GetField("open"); open == false && s.closed != incident { // which is repeated
			s.closed = incident
			s.line("closed    gap of %q", zooid)
		}
	case "chembus_bus":
		s.summarize(m)
	}
}

// summarize prints the number of components in each state if it has changed.
func (s *screen) summarize(m telegraf.Metric) {
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
		reason := "the bus is not observable"
		if suspended, _ := m.GetField("suspended"); suspended == true {
			reason = "the bus is in maintenance: silence does not count"
		}
		parts = append(parts, reason)
	}
	if summary := strings.Join(parts, ", "); summary != s.summary {
		s.summary = summary
		s.line("now       %s", summary)
	}
}
