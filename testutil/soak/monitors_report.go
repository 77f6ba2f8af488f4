package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// excerptAround is how long before the first find and after the last handling an excerpt begins and ends.
	excerptAround = 2 * time.Second
	// excerptWidth is how much of a message between monitors it shows on each side of what it names, in bytes.
	excerptWidth = 90
)

// monitorReport is the outcome of a campaign of monitors.
type monitorReport struct {
	ledgers  []monitorLedger
	findings []gapFinding
}

func newMonitorReport(ledgers []monitorLedger) *monitorReport {
	r := &monitorReport{ledgers: ledgers}
	for i := range ledgers {
		r.findings = append(r.findings, ledgers[i].findings()...)
	}
	return r
}

func (r *monitorReport) count(o outcome) int {
	n := 0
	for _, f := range r.findings {
		if f.outcome == o {
			n++
		}
	}
	return n
}

// good reports whether nothing went wrong.
func (r *monitorReport) good() bool {
	return len(r.troubled()) == 0
}

// troubled returns the stages of which something went wrong.
func (r *monitorReport) troubled() []int {
	var all []int
	for _, f := range r.findings {
		if f.outcome.problem() && !slices.Contains(all, f.stage) {
			all = append(all, f.stage)
		}
	}
	return all
}

// outcomeNames are those of the outcomes that a reader wants to see one by one.
var outcomeNames = map[outcome]string{
	gapMissed:      "MISSED",
	gapDoubled:     "DOUBLED",
	gapAfterEnd:    "AFTER ITS END",
	gapUnknown:     "UNKNOWN",
	gapUndecidable: "undecidable",
}

// print writes the report for a person: the problems with what is in the ledger of each, then the sums.
func (r *monitorReport) print(out io.Writer) {
	for _, o := range slices.Sorted(maps.Keys(outcomeNames)) {
		for _, f := range r.findings {
			if f.outcome == o {
				fmt.Fprintf(out, "\n%s: %s (stage %d): %s\n", outcomeNames[o], f.name, f.stage, f.reason)
				for _, line := range r.ledgerOf(f.stage).excerpt(f.failure) {
					fmt.Fprintf(out, "  %s\n", line)
				}
			}
		}
	}

	kinds := make(map[faultKind]int)
	total, failures, late, severalIDs, again, early := 0, 0, 0, 0, 0, 0
	for _, l := range r.ledgers {
		for _, f := range l.faults {
			kinds[f.kind]++
			total++
		}
		for _, f := range l.failures {
			failures++
			late += one(f.late())
			severalIDs += one(f.severalIDs())
			again += one(f.again)
			early += one(f.early)
		}
	}
	fmt.Fprintf(out, "\nfaults on %d buses with %d monitors each\n", len(r.ledgers), monitorsOnBus)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(out, "  %-28s %5d\n", kind, kinds[kind])
	}
	fmt.Fprintf(out, "  %-28s %5d\n", "all", total)

	fmt.Fprintf(out, "\nfailures of components\n")
	for _, row := range []struct {
		name string
		n    int
	}{
		{"all", failures},
		{"found by one monitor late", late},
		{"last beats missed by some", severalIDs},
		{"of one that had failed before", again},
		{"back at any moment", early},
		{"expected to be handled", r.count(gapHandled) + r.count(gapMissed) + r.count(gapDoubled) + r.count(gapAfterEnd) + r.count(gapUndecidable)},
		{"handled once", r.count(gapHandled)},
		{"doubled", r.count(gapDoubled)},
		{"missed", r.count(gapMissed)},
		{"published after their end", r.count(gapAfterEnd)},
		{"unknown", r.count(gapUnknown)},
		{"undecidable", r.count(gapUndecidable)},
		{"over too soon to be expected", r.count(gapNotDue)},
	} {
		fmt.Fprintf(out, "  %-28s %5d\n", row.name, row.n)
	}
	fmt.Fprintf(out, "\nfrom the first find until it was handled\n")
	printDurations(out, "nothing disturbed", r.delays(true))
	printDurations(out, "all", r.delays(false))
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *monitorReport) ledgerOf(stage int) *monitorLedger {
	return &r.ledgers[slices.IndexFunc(r.ledgers, func(l monitorLedger) bool { return l.stage == stage })]
}

// delays returns how long it took until gaps were handled, in order; only where nothing was disturbed, or all.
func (r *monitorReport) delays(calmOnly bool) []time.Duration {
	var all []time.Duration
	for _, f := range r.findings {
		if f.outcome == gapHandled && (f.calm || !calmOnly) {
			all = append(all, f.delay)
		}
	}
	slices.Sort(all)
	return all
}

// excerptLine is a line of an excerpt.
type excerptLine struct {
	at   time.Duration
	text string
}

// excerpt returns what the ledger has on one failure, in the order of time.
func (l *monitorLedger) excerpt(failure int) []string {
	if failure < 0 {
		return nil
	}
	f := &l.failures[failure]
	var ids []string
	for m := range monitorsOnBus {
		ids = append(ids, f.incidentID(m))
	}
	within := span{l.foundAt(failure) - excerptAround, slices.Min(f.back[:]) + excerptAround}
	var lines []excerptLine
	add := func(at time.Duration, format string, args ...any) {
		lines = append(lines, excerptLine{at, fmt.Sprintf("%9.3f  %s", at.Seconds(), fmt.Sprintf(format, args...))})
	}
	for _, h := range l.handled {
		if slices.Contains(ids, h.incident) {
			within.to = max(within.to, h.at+excerptAround)
			add(h.at, "handled under %s", h.incident)
		}
	}
	for _, d := range l.faults {
		if d.from < within.to && d.to > within.from {
			add(d.from, "%s", d.monitorFault)
			add(d.to, "%s: over", d.monitorFault)
		}
	}
	last := make(map[int]levelEvent)
	for _, w := range l.levels {
		of := &l.failures[w.failure]
		switch {
		case w.failure == failure && w.event != last[w.monitor]: // repetitions once
			last[w.monitor] = w.event
			add(w.at, "monitor %d: %s, %s", w.monitor, w.event, ids[w.monitor])
		case w.failure != failure && of.component == f.component && w.at >= within.from && w.at <= within.to:
			add(w.at, "monitor %d: %s, %s, another failure of it", w.monitor, w.event, of.incidentID(w.monitor))
		}
	}
	for _, s := range l.forwarded {
		if slices.Contains(ids, s.incident) {
			add(s.at, "on the bus: gap of monitor %d, %s, published at %.3f", s.monitor, s.incident, s.stamp.Seconds())
		}
	}
	for _, p := range l.private {
		if at := mention(p.payload, append(ids, f.component)); at >= 0 && p.at >= within.from && p.at <= within.to {
			from, to := max(at-excerptWidth, 0), min(at+excerptWidth, len(p.payload))
			head := p.payload[:min(from, excerptWidth)]
			add(p.at, "on the bus: %s: %s … %s", p.topic, head, p.payload[from:to])
		}
	}
	slices.SortStableFunc(lines, func(a, b excerptLine) int { return cmp.Compare(a.at, b.at) })
	texts := make([]string, 0, len(lines))
	for _, line := range lines {
		texts = append(texts, line.text)
	}
	return texts
}

// mention is where a text names one of some names first; -1 if it does not.
func mention(text string, names []string) int {
	for _, name := range names {
		if at := strings.Index(text, name); at >= 0 {
			return at
		}
	}
	return -1
}
