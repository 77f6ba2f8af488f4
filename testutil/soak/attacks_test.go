package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAssessDeaths(t *testing.T) {
	gap := func(zooid string, at time.Duration) handling { return handling{zooid: zooid, kind: gapMissing, at: at} }
	died := map[string]time.Duration{"y": 10 * second, "z": 20 * second}
	for name, c := range map[string]struct {
		gaps    []handling
		problem string
	}{
		"as it should be":        {[]handling{gap("z", 50*second), gap("y", 40*second)}, ""},
		"not found":              {[]handling{gap("y", 40*second)}, `the death of "z" was not found`},
		"found late":             {[]handling{gap("y", 40*second), gap("z", 81*second)}, `the death of "z" was found 1m1s later, not within 1m0s`},
		"twice":                  {[]handling{gap("y", 40*second), gap("z", 50*second), gap("z", 51*second)}, `there are two gaps of "z"`},
		"of one that is alive":   {[]handling{gap("y", 40*second), gap("z", 50*second), gap("x", 51*second)}, `"x" at 51s, which is alive`},
		"before the death":       {[]handling{gap("y", 9*second), gap("z", 50*second)}, `"y" at 9s, which is alive`},
		"an outage, or flapping": {[]handling{{zooid: "z", kind: "heartbeat_mass_missing", at: 50 * second}}, `heartbeat_mass_missing of "z"`},
	} {
		_, problem := assessDeaths(died, c.gaps, time.Minute)
		if c.problem == "" {
			require.Empty(t, problem, name)
		} else {
			require.Contains(t, problem, c.problem, name)
		}
	}
}
