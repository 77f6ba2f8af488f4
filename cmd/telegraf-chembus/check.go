package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// check loads every table in the file, prints which are valid, warns and returns all problems. The file is shared if all
// plugins use it.
func check(file string, shared bool, stdout, stderr io.Writer) []error {
	log := lineLog{info: stderr, warn: stderr}
	uninstall, err := log.install()
	if err != nil {
		return []error{err}
	}
	defer uninstall()
	tables, problems := readTables(file)
	central := false // the file is of a host that needs the processor only
	for _, t := range tables {
		plugin, bad := t.load()
		var warnings []problem
		if len(bad) == 0 {
			bad, warnings = t.compare(plugin)
		}
		for _, w := range inOrder(append(warnings, t.unsetVariables()...)) {
			fmt.Fprint(stderr, logLine(telegraf.Warn, "", w.Error()))
		}
		if len(bad) == 0 {
			fmt.Fprintf(stdout, "%s: ok\n", t.role.id())
			printWatches(plugin, stdout)
		}
		if l, ok := plugin.(*liveness.Liveness); ok && l.Adopt {
			central = true
		}
		problems = append(problems, bad...)
	}
	for _, missing := range missingTables(file, tables, shared) {
		switch {
		case central:
		case shared:
			problems = append(problems, missing)
		default:
			fmt.Fprint(stderr, logLine(telegraf.Warn, "", missing.Error()))
		}
	}
	var failures []error
	for _, p := range inOrder(problems) {
		failures = append(failures, p)
	}
	return failures
}

// printWatches prints what the watches of the processor take.
func printWatches(plugin telegraf.PluginDescriber, stdout io.Writer) {
	l, ok := plugin.(*liveness.Liveness)
	if !ok {
		return
	}
	for _, w := range l.Watches {
		fmt.Fprintf(stdout, "  watch %q: %s by %s, tick %s, threshold %v\n", w.Name, strings.Join(w.Measurement, ", "),
			strings.Join(w.Identity, ", "), strings.Join(w.Tick, ", "), time.Duration(w.Threshold))
	}
}

// compare returns what does not fit in the options of a loaded plugin, the tables beside it and the files on this host.
func (t table) compare(plugin telegraf.PluginDescriber) (bad, warnings []problem) {
	for _, err := range []error{checkEndpoints(plugin), checkStateFolder(plugin)} {
		if err != nil {
			bad = append(bad, t.refusal(err))
		}
	}
	warnings = t.unusualSeverities(plugin)
	for _, err := range suspiciousEndpoints(plugin, t.neighbours()) {
		warnings = append(warnings, t.refusal(err))
	}
	return inOrder(bad), warnings
}

// missingTables returns the plugins that would not start with a file, for want of a table. A file without any table is
// a problem of its own.
func missingTables(file string, tables []table, shared bool) []problem {
	if len(tables) == 0 {
		return nil
	}
	unless := ", unless the file is for other plugins only"
	if shared {
		unless = ""
	}
	var missing []problem
	for _, r := range built() {
		if !r.optional && !slices.ContainsFunc(tables, func(t table) bool { return t.role.name == r.name }) {
			missing = append(missing, problem{file, 0, fmt.Sprintf(
				"table %s is missing, so telegraf-chembus %s does not start with this file; add it, without any option for the defaults%s",
				r.header(), r.name, unless)})
		}
	}
	return missing
}
