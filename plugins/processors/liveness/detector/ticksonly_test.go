package detector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOnlyTicksMoveTheClock has beats between ticks, before the first one, and in a hole.
func TestOnlyTicksMoveTheClock(t *testing.T) {
	rule := &Rule{Threshold: 30 * time.Second, LateAfter: 15 * time.Second, RetireAfter: time.Hour, Gaps: true}
	d := New(&Config{
		BlindAfter: 10 * time.Second, TicksOnly: true, ReportInterval: time.Hour,
		Rule:        func(string, string) *Rule { return rule },
		OutageCount: 5, OutageWindow: time.Second, FlapCount: 5, FlapWindow: time.Second,
	}, "")
	second := func(s int) time.Duration { return time.Duration(s) * time.Second }
	beat := func(at int) { d.Beat(&Beat{Key: "a", Run: 1, Observed: second(at), LastSeen: float64(at), Beats: 1}) }
	for _, step := range []struct{ beat, tick, now int }{
		{beat: 5, now: 0},
		{beat: 8, now: 0},
		{tick: 12, now: 0}, // what came before the first tick says nothing
		{beat: 15, now: 0},
		{tick: 20, now: 8},
		{beat: 25, now: 8},
		{beat: 35, now: 8},
		{tick: 40, now: 8}, // too late, though there were beats between
		{tick: 45, now: 13},
	} {
		if step.tick > 0 {
			d.Tick(1, second(step.tick))
		} else {
			beat(step.beat)
		}
		require.Equal(t, second(step.now), d.Now(), "%+v", step)
	}
	beat(50)
	require.Equal(t, second(18), d.components["a"].last, "what the clock will show if the next tick comes in time")
	d.Tick(1, second(51))
	require.Equal(t, second(19), d.Now())
}
