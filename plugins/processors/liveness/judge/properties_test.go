package judge

import (
	"encoding/json"
	"flag"
	"reflect"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// streams is how many random streams each property is checked with, unless -rapid.checks says otherwise.
const streams = "10000"

// seed makes every run check the same streams, unless -rapid.seed says otherwise (0: others each time).
const seed = "20261123"

// choose sets what was not given on the command line.
var choose = sync.OnceFunc(func() {
	chosen := make(map[string]bool)
	flag.Visit(func(f *flag.Flag) { chosen[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": streams, "rapid.seed": seed} {
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

// TestOneSensor compares what the judge says with what is known to be true, after every tick.
func TestOneSensor(t *testing.T) {
	check(t, func(t *rapid.T) {
		w := drawWorld(t, 1)
		if rapid.IntRange(0, 3).Draw(t, "adaptive") == 0 {
			w.adapt(t)
		}
		truth := newTruth(t, w)
		j := New(w.Config)
		for _, in := range w.inputs {
			if in.restart {
				j = restarted(t, w.Config, j)
			}
			truth.Take(in, in.Tell(j))
		}
	})
}

// TestTwoSensors does the same with two sensors, each of which may be blind or mute, or hear only some.
func TestTwoSensors(t *testing.T) {
	check(t, func(t *rapid.T) {
		w := drawWorld(t, 2)
		both := newJointTruth(t, w)
		j := New(w.Config)
		for _, in := range w.inputs {
			if in.restart {
				j = restarted(t, w.Config, j)
			}
			both.Take(in, in.Tell(j), j.Now())
		}
	})
}

// TestInPieces saves and loads a judge before some of the ticks: it must find the same as one that is left
// alone.
func TestInPieces(t *testing.T) {
	check(t, func(t *rapid.T) {
		w := drawWorld(t, rapid.IntRange(1, 2).Draw(t, "sensors"))
		if rapid.Bool().Draw(t, "adaptive") {
			w.adapt(t)
		}
		whole, pieces := New(w.Config), New(w.Config)
		for i, in := range w.inputs {
			if in.restart && in.beat == nil && !in.kill {
				pieces = restarted(t, w.Config, pieces)
			}
			want, got := in.Tell(whole), in.Tell(pieces)
			if len(want)+len(got) > 0 && !reflect.DeepEqual(want, got) {
				t.Fatalf("input %d, %v: in one piece\n%s\nin pieces\n%s", i, in, describe(want), describe(got))
			}
		}
	})
}

func describe(findings []Finding) string {
	text, _ := json.MarshalIndent(findings, "", " ")
	return string(text)
}
