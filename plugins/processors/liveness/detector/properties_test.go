package detector

import (
	"encoding/json"
	"flag"
	"reflect"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// streams is how many random streams each property is checked with, unless -rapid.checks says otherwise.
const streams, streamsUnderRace = "10000", "1000"

// seed makes every run check the same streams, unless -rapid.seed says otherwise (0: others each time).
const seed = "20261123"

// choose sets what was not given on the command line.
var choose = sync.OnceFunc(func() {
	chosen := make(map[string]bool)
	flag.Visit(func(f *flag.Flag) { chosen[f.Name] = true })
	checks := streams
	if underRace {
		checks = streamsUnderRace
	}
	for name, value := range map[string]string{"rapid.checks": checks, "rapid.seed": seed} {
		if !chosen[name] {
			_ = flag.Set(name, value)
		}
	}
})

func check(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	t.Parallel()
	choose()
	rapid.Check(t, property)
}

// TestVerdicts compares what the detector says with what is known to be true, after every tick.
func TestVerdicts(t *testing.T) {
	check(t, func(t *rapid.T) {
		w := drawWorld(t)
		if rapid.IntRange(0, 3).Draw(t, "adaptive") == 0 {
			w.adapt(t)
		}
		truth := newTruth(t, w)
		d := New(&w.Config, "")
		for _, in := range w.inputs {
			if in.restart {
				d = restarted(t, &w.Config, d)
			}
			findings := in.Feed(d)
			truth.d = d
			truth.Take(in, findings)
		}
	})
}

// TestInPieces saves and loads a detector before some of the ticks: it must find the same as one that is left alone.
func TestInPieces(t *testing.T) {
	check(t, func(t *rapid.T) {
		w := drawWorld(t)
		if rapid.Bool().Draw(t, "adaptive") {
			w.adapt(t)
		}
		if rapid.Bool().Draw(t, "watch") {
			w.watch(t)
		} else if rapid.Bool().Draw(t, "interrupted") {
			w.interrupt(t)
		}
		whole, pieces := New(&w.Config, ""), New(&w.Config, "")
		for i, in := range w.inputs {
			if in.restart && in.beat == nil && !in.kill && in.stop == "" {
				pieces = restarted(t, &w.Config, pieces)
				whole.clock.deaf = whole.clock.started // a restart is a hole
			}
			same(t, i, in, in.Feed(whole), in.Feed(pieces))
		}
	})
}

// TestRepeated repeats inputs, one by one or in a row from any earlier point, as a queue does that delivers at least
// once: they change nothing.
func TestRepeated(t *testing.T) {
	check(t, func(t *rapid.T) {
		w := drawWorld(t)
		if w.inputs[0].run == 0 {
			return // only the run tells a copy from a restart
		}
		if rapid.Bool().Draw(t, "adaptive") {
			w.adapt(t)
		}
		if rapid.Bool().Draw(t, "watch") {
			w.watch(t)
		} else if rapid.Bool().Draw(t, "interrupted") {
			w.interrupt(t)
		}
		once, again := New(&w.Config, ""), New(&w.Config, "")
		unknown := make(map[int]bool) // stops of components that were not known, or had retired
		for i, in := range w.inputs {
			_, known := once.components[in.stop]
			unknown[i] = in.stop != "" && !known
			same(t, i, in, in.Feed(once), in.Feed(again))
			if from := rapid.IntRange(0, 4*i+4).Draw(t, "from"); from <= i {
				to := rapid.IntRange(from, i).Draw(t, "to")
				for k, copied := range w.inputs[from : to+1] {
					if in.run-copied.run >= maxRuns || unknown[from+k] {
						continue // it is not remembered
					}
					if found := copied.Feed(again); len(found) > 0 {
						t.Fatalf("after input %d, %v, a copy of %v was news:\n%s", i, in, copied, describe(found))
					}
				}
			}
		}
		if want, got := describe(once.Report()), describe(again.Report()); want != got {
			t.Fatalf("without copies\n%s\nwith\n%s", want, got)
		}
	})
}

func same(t *rapid.T, i int, in input, want, got []Finding) {
	if len(want)+len(got) > 0 && !reflect.DeepEqual(want, got) {
		t.Fatalf("input %d, %v: one found\n%s\nthe other\n%s", i, in, describe(want), describe(got))
	}
}

func describe(findings any) string {
	text, _ := json.MarshalIndent(findings, "", " ")
	return string(text)
}
