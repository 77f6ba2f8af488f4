package detector

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBeatOnItsWayOfASilentOne has one that was silent already be killed, and its last beat come after the signal: its
// gap is closed, and its silence is on purpose from now on.
func TestBeatOnItsWayOfASilentOne(t *testing.T) {
	d := New(&config, "")
	d.Tick(0, 0)
	d.Beat(beatOf("a", 0))
	observe(d, 0, 40*second)
	require.Empty(t, d.Kill(0, 40*second))
	found := d.Beat(beatOf("a", 41*second))
	require.Len(t, found, 1)
	require.Equal(t, Killed, found[0].Status.State)
	require.False(t, found[0].Gap.Open)
	require.Empty(t, observe(d, 41*second, 200*second))
	require.Equal(t, Up, d.Beat(beatOf("a", 201*second))[0].Status.State)
}
