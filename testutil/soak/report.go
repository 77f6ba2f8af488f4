package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// report is the outcome of a campaign.
type report struct {
	faults   map[string]int
	disk     string
	deaths   int
	findings []finding

	thresholds []time.Duration // of each death, if they are adaptive, in ascending order
}

// add adds the outcome on one stage.
func (r *report) add(c *campaign, l ledger) {
	for kind, n := range c.counts {
		r.faults[kind] += n
	}
	r.disk = c.disk.String()
	r.deaths += len(l.deaths)
	r.findings = append(r.findings, l.findings()...)
	r.thresholds = append(r.thresholds, l.thresholds()...)
	slices.Sort(r.thresholds)
}

// count returns the number of findings with the verdict.
func (r *report) count(v verdict) int {
	n := 0
	for _, f := range r.findings {
		if f.verdict == v {
			n++
		}
	}
	return n
}

// good reports whether no gap was missed, doubled or false.
func (r *report) good() bool {
	return r.count(missed) == 0 && r.count(doubled) == 0 && r.count(falseAlarm) == 0
}

// judge prints the report of a campaign that ended without an error. It fails if the campaign did, or found something.
func (r *report) judge(out io.Writer, err error) error {
	if err != nil {
		return err
	}
	r.print(out)
	if !r.good() {
		return errWrong
	}
	return nil
}

// delays returns the delays past the deadline in ascending order, of all handled gaps or of the undisturbed ones.
func (r *report) delays(undisturbedOnly bool) []time.Duration {
	var all []time.Duration
	for _, f := range r.findings {
		if f.verdict == handled && (f.undisturbed || !undisturbedOnly) {
			all = append(all, f.delay)
		}
	}
	slices.Sort(all)
	return all
}

// reasons are the names of the verdicts whose findings are listed.
var reasons = map[verdict]string{
	missed:            "MISSED",
	doubled:           "DOUBLED",
	falseAlarm:        "FALSE",
	nearThreshold:     "undecidable, near the threshold",
	noTimeToDeliver:   "undecidable, no time to deliver",
	consumerAway:      "undecidable, consumer away",
	consumerRestarted: "undecidable, consumer restarted",
}

// undecidableWhy explains all undecidable findings. README.md has the same paragraph.
const undecidableWhy = `A failure can be decided if, while nothing else was wrong, it lasted long enough to be found (the threshold
and 2 s) and then to be delivered (8 s with the consumer connected). If another fault or its own end left
less time than that, it is undecidable: a single gap is right, and none is right, too, because only the
parts themselves know what they observed, saved or received at that moment. So it is with a consumer that
was restarted in between and handles the same incident again within 60 s. Whatever happened, a gap before
the silence could have reached the threshold, a gap of a component that has been back for longer than a
delivery takes, and a second gap are wrong.`

// print prints the report.
func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "\nfaults (the state files are on %s)\n", r.disk)
	total := 0
	for _, kind := range slices.Sorted(maps.Keys(r.faults)) {
		fmt.Fprintf(out, "  %-22s %5d\n", kind, r.faults[kind])
		total += r.faults[kind]
	}
	fmt.Fprintf(out, "  %-22s %5d\n", "all", total)

	undecidable := 0
	for _, f := range r.findings {
		if f.verdict.undecidable() {
			undecidable++
		}
	}
	fmt.Fprintf(out, "\ndeaths of zooids: %d; each with two consumers:\n", r.deaths)
	for _, row := range []struct {
		name string
		n    int
	}{
		{"gaps expected", r.count(handled) + r.count(missed) + r.count(doubled)},
		{"handled", r.count(handled)},
		{"missed", r.count(missed)},
		{"doubled", r.count(doubled)},
		{"false", r.count(falseAlarm)},
		{"undecidable", undecidable},
		{"too short for a gap", r.count(nothing)},
	} {
		fmt.Fprintf(out, "  %-22s %5d\n", row.name, row.n)
	}
	if undecidable > 0 {
		fmt.Fprintf(out, "\n%.1f %% are undecidable. %s\n", 100*float64(undecidable)/float64(len(r.findings)), undecidableWhy)
	}
	fmt.Fprintf(out, "\ndelay past the deadline\n")
	printDurations(out, "nothing disturbed", r.delays(true))
	printDurations(out, "all", r.delays(false))
	if r.thresholds != nil {
		fmt.Fprintf(out, "\nadaptive thresholds\n")
		printDurations(out, "at the deaths", r.thresholds)
	}
	for _, v := range slices.Sorted(maps.Keys(reasons)) {
		for _, f := range r.findings {
			if f.verdict == v {
				fmt.Fprintf(out, "%s: %s, %s: %s\n", reasons[v], f.zooid, f.consumer, strings.TrimPrefix(f.reason, "; "))
			}
		}
	}
}

// printDurations prints quantiles of durations in ascending order.
func printDurations(out io.Writer, name string, all []time.Duration) {
	if len(all) == 0 {
		fmt.Fprintf(out, "  %-22s none\n", name)
		return
	}
	fmt.Fprintf(out, "  %-22s %d:", name, len(all))
	for _, q := range []struct {
		name  string
		share float64
	}{{"min", 0}, {"median", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}} {
		at := int(q.share * float64(len(all)-1))
		fmt.Fprintf(out, "  %s %.3f s", q.name, all[at].Seconds())
	}
	fmt.Fprintln(out)
}
