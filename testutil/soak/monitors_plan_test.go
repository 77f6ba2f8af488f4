package main

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPlanIsThatOfItsSeed(t *testing.T) {
	require.Equal(t, planMonitors(1, 60, 7), planMonitors(1, 60, 7))
	require.NotEqual(t, planMonitors(1, 60, 7), planMonitors(2, 60, 7))
}

func TestPlanHasEnoughPausesNearFinds(t *testing.T) {
	for seed := range uint64(20) {
		for _, n := range []int{1, 30, 600} {
			plans := planMonitors(seed, n, min(n, 24))
			require.Len(t, plans, min(n, 24))
			kinds := make(map[faultKind]int)
			faults, near := 0, 0
			for _, p := range plans {
				for _, f := range p.faults {
					faults++
					kinds[f.kind]++
					if f.kind != busPaused {
						continue
					}
					require.GreaterOrEqual(t, f.length, 5*time.Second)
					require.LessOrEqual(t, f.length, 15*time.Second)
					if slices.ContainsFunc(p.failures, func(g failure) bool { return (g.found() - f.at).Abs() <= time.Second }) {
						near++
					}
				}
			}
			require.Equal(t, n, faults)
			require.Equal(t, kinds[busPaused], near)
			require.GreaterOrEqual(t, 3*near, n, "at least a third")
			if n == 600 {
				require.Len(t, kinds, 6, "every kind")
			}
		}
	}
}

// TestPlanIsDecidable looks for what would leave open what has to be handled.
func TestPlanIsDecidable(t *testing.T) {
	for seed := range uint64(20) {
		for _, p := range planMonitors(seed, 100, 4) {
			checkFailures(t, p)
			checkFaults(t, p)
		}
	}
}

func checkFailures(t *testing.T, p stagePlan) {
	t.Helper()
	last := make(map[string]failure)
	for _, f := range p.failures {
		require.Contains(t, f.component, p.mark())
		require.NotEqual(t, never, f.found(), "somebody finds it")
		before, again := last[f.component]
		require.Equal(t, again, f.again)
		for m := range monitorsOnBus {
			require.LessOrEqual(t, f.back[m], p.end, "all are back at the end")
			if f.finds[m] != never {
				require.Less(t, f.finds[m], f.back[m], "nobody finds what it knows to be back")
				require.Less(t, f.lastSeen[m], f.finds[m])
			}
			if again {
				require.Greater(t, f.lastSeen[m], slices.Max(before.back[:]), "it was heard in between, by all")
			}
		}
		last[f.component] = f
	}
}

func checkFaults(t *testing.T, p stagePlan) {
	t.Helper()
	for i, f := range p.faults {
		require.Positive(t, f.length)
		require.Less(t, f.end()+publishLimit, p.end, "there is a quiet time behind it")
		together := 0
		for j, g := range p.faults {
			if i == j || g.at >= f.end() || f.at >= g.end() {
				continue
			}
			together++
			require.False(t, f.ofBus() && g.ofBus(), "one fault of the bus at a time")
			require.False(t, f.ofMonitor() && g.ofMonitor() && f.monitor == g.monitor, "one fault of a monitor at a time")
			require.False(t, f.kind == consumerLate && g.kind == consumerLate)
		}
		require.LessOrEqual(t, together, 1, "a monitor is left that hears everything")
		if f.kind == consumerLate {
			for _, g := range p.failures {
				for _, find := range g.finds {
					require.False(t, find >= f.at-time.Second && find <= f.at+time.Second/4, "nothing is published while the consumer leaves")
				}
			}
		}
	}
}
