package logging

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var start = time.Unix(1_000_000, 0)

func TestRateLimitCountsWhatItHeldBack(t *testing.T) {
	var limit RateLimit
	for _, step := range []struct {
		after time.Duration
		want  int
	}{
		{0, 1},
		{0, 0},
		{30 * time.Second, 0},
		{time.Minute - 1, 0},
		{time.Minute, 4},
		{time.Minute + 1, 0},
		{2 * time.Minute, 2},
		{time.Hour, 1},
	} {
		require.Equal(t, step.want, limit.Count(start.Add(step.after)), "after %v", step.after)
	}
}

func TestRateLimitAllowsOneLineAMinute(t *testing.T) {
	var limit RateLimit
	lines := 0
	for second := range 150 {
		if limit.Allow(start.Add(time.Duration(second) * time.Second)) {
			lines++
		}
	}
	require.Equal(t, 3, lines)
}

func TestProblemIsReportedOnceAndSoIsItsEnd(t *testing.T) {
	p := Problem{Tolerance: 30 * time.Second}
	for _, step := range []struct {
		after  time.Duration
		exists bool
		want   Change
		next   time.Duration // 0: not at all
	}{
		{0, false, None, 0},
		{time.Second, true, None, 31 * time.Second},
		{20 * time.Second, true, None, 31 * time.Second},
		{31 * time.Second, true, Began, 0},
		{32 * time.Second, true, None, 0},
		{time.Hour, true, None, 0},
		{time.Hour + time.Second, false, Ended, 0},
		{time.Hour + 2*time.Second, false, None, 0},
		{2 * time.Hour, true, None, 2*time.Hour + 30*time.Second},
		{2*time.Hour + 29*time.Second, false, None, 0},
		{2*time.Hour + 30*time.Second, true, None, 2*time.Hour + time.Minute},
	} {
		change, next := p.Update(step.exists, start.Add(step.after))
		require.Equal(t, step.want, change, "after %v", step.after)
		if step.next == 0 {
			require.Zero(t, next, "after %v", step.after)
		} else {
			require.Equal(t, start.Add(step.next), next, "after %v", step.after)
		}
	}
}

func TestProblemWithoutToleranceBeginsAtOnce(t *testing.T) {
	var p Problem
	change, next := p.Update(true, start)
	require.Equal(t, Began, change)
	require.Zero(t, next)
	change, _ = p.Update(true, start)
	require.Equal(t, None, change)
	change, _ = p.Update(false, start)
	require.Equal(t, Ended, change)
}
