package liveness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKilledBeforeItAppearsElsewhere has an expected component appear on another bus than the one on which it is awaited, after a kill
// signal there.
func TestKilledBeforeItAppearsElsewhere(t *testing.T) {
	r := expecting(t, "", "a")
	r.both(0, 2)
	r.kill("one", 1, 2)
	r.both(3, 4)
	r.hear("two", 1, 5, 6, "a")
	require.False(t, r.buses.all[0].detector.IsSeen("a"))
	require.Equal(t, "two", r.expected.anywhere["a"].values[0])
}
