package detector

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// crowded is a detector that keeps n components; those whose name begins with "zooid_" have none.
func crowded(n int, expected ...string) *Detector {
	c := config
	named := *config.Rule("", "")
	unnamed := named
	unnamed.Gaps, unnamed.Unnamed = false, true
	c.Rule = func(key, _ string) *Rule {
		if strings.HasPrefix(key, "zooid_") {
			return &unnamed
		}
		return &named
	}
	c.MaxComponents, c.Expected = n, expected
	return New(&c, "")
}

// hear lets components beat, and returns which others had to make room.
func hear(d *Detector, at time.Duration, keys ...string) (evicted []string) {
	for _, key := range keys {
		for _, f := range d.Beat(beatOf(key, at)) {
			if f.Change == WasEvicted {
				evicted = append(evicted, f.Key)
			}
		}
	}
	return evicted
}

func TestUnnamedMakeRoomFirst(t *testing.T) {
	d := crowded(4, "expected")
	d.Tick(0, 0)
	require.Empty(t, hear(d, 0, "zooid_1", "silent", "a"))
	observe(d, 0, 20*second)
	require.Empty(t, hear(d, 20*second, "a"))
	observe(d, 20*second, 40*second)
	require.Equal(t, []string{"zooid_1"}, hear(d, 40*second, "b"), "the one without a name, though the other is silent for as long")
	require.Empty(t, hear(d, 40*second, "zooid_2", "zooid_3"), "no name makes room for none")
	require.Equal(t, 2, d.Refused())
	found := d.Beat(beatOf("c", 40*second))
	require.Equal(t, WasEvicted, found[0].Change)
	require.Equal(t, "silent", found[0].Key)
	require.False(t, found[0].Gap.Open, "its gap is closed")
	require.Empty(t, hear(d, 40*second, "d"), "whoever beats stays, and who is expected")
	require.Equal(t, 3, d.Refused())
	observe(d, 40*second, 55*second)
	require.Equal(t, []string{"a"}, hear(d, 55*second, "d"), "the one that is silent for longest by now")
}

// TestUnnamedNeverKeepANamedOneOut floods a detector with names that are none.
func TestUnnamedNeverKeepANamedOneOut(t *testing.T) {
	const n = 3 * maxEvictable
	d := crowded(n)
	d.Tick(0, 0)
	for i := range 2 * n {
		hear(d, 0, fmt.Sprintf("zooid_%d", i))
	}
	require.Len(t, d.components, n)
	for i := range n {
		require.Len(t, hear(d, 0, fmt.Sprintf("named %d", i)), 1)
	}
	require.Empty(t, hear(d, 0, "one too many", "zooid_1"))
	require.Len(t, d.components, n)
}
