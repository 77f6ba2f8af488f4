package liveness

import (
	"fmt"
	"strings"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/judge"
)

// maxNamed is how many components one log line names.
const maxNamed = 20

// told are the changes that the operator is told of, in the order of a log.
var told = []struct {
	change judge.Change
	text   string
}{
	{judge.Started, "Up, heard for the first time"},
	{judge.Recovered, "Up again"},
	{judge.Ended, "Killed on purpose"},
	{judge.Stopped, "Silent"},
	{judge.Missed, "Expected, but not heard"},
	{judge.Forgotten, "Forgotten"},
}

// changeLog gathers changes, so that a colony that starts is one line and not a thousand.
type changeLog struct {
	log   telegraf.Logger
	names map[judge.Change][]string
	more  map[judge.Change]int
	noted map[string]struct{} // everybody of whom there is a change
}

// Add notes a change of a component.
func (l *changeLog) Add(change judge.Change, name string) {
	switch change {
	case judge.Report, judge.Changed:
		return
	}
	if _, again := l.noted[name]; again {
		l.Flush() // one log would not tell which of the two changes came first
	}
	if l.names == nil {
		l.names, l.more = make(map[judge.Change][]string), make(map[judge.Change]int)
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
	for _, t := range told {
		names := l.names[t.change]
		if len(names) == 0 {
			continue
		}
		line := fmt.Sprintf("%q", names)
		line = t.text + ": " + strings.Trim(line, "[]")
		if n := l.more[t.change]; n > 0 {
			line += fmt.Sprintf(" and %d more", n)
		}
		l.log.Info(line)
	}
	l.names, l.more, l.noted = nil, nil, nil
}
