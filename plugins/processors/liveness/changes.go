package liveness

import (
	"fmt"
	"strings"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// maxNamed is how many components one log line names.
const maxNamed = 20

// logLines are the changes that are logged, in the order of a log.
var logLines = []struct {
	change detector.Change
	text   string
}{
	{detector.FirstHeard, "Up, heard for the first time"},
	{detector.CameBack, "Up again"},
	{detector.WasKilled, "Stopped by the kill signal"},
	{detector.WasStopped, "Stopped, as announced"},
	{detector.WentSilent, "Silent"},
	{detector.NeverSeen, "Expected, but not heard"},
	{detector.WasRetired, "Retired after a long silence"},
	{detector.WentAway, "Gone, without a gap"},
	{detector.WasEvicted, "Removed to make room, since max_components are known"},
}

// changeLog gathers changes until the next tick, so that a thousand components that start are one line.
type changeLog struct {
	log   telegraf.Logger
	names map[detector.Change][]string
	more  map[detector.Change]int
	noted map[string]struct{} // of all of which there is a change
}

// Add notes a change of a component; the name is quoted.
func (l *changeLog) Add(change detector.Change, describe func() string) {
	switch change {
	case detector.Report, detector.StateChanged:
		return
	}
	name := describe()
	if _, again := l.noted[name]; again {
		l.Flush() // one line for each kind of change would not say which of the two came first
	}
	if l.names == nil {
		l.names, l.more = make(map[detector.Change][]string), make(map[detector.Change]int)
		l.noted = make(map[string]struct{})
	}
	l.noted[name] = struct{}{}
	if len(l.names[change]) == maxNamed {
		l.more[change]++
		return
	}
	l.names[change] = append(l.names[change], name)
}

// Flush writes what has been gathered.
func (l *changeLog) Flush() {
	if l.names == nil {
		return
	}
	for _, t := range logLines {
		names := l.names[t.change]
		if len(names) == 0 {
			continue
		}
		line := t.text + ": " + strings.Join(names, ", ")
		if n := l.more[t.change]; n > 0 {
			line += fmt.Sprintf(" and %d more", n)
		}
		l.log.Info(line)
	}
	l.names, l.more, l.noted = nil, nil, nil
}
