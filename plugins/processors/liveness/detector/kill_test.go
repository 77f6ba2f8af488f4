package detector

import (
	"testing"
	"time"

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

// TestBeatLongAfterTheKillSignal has the detector hear nothing for a while after the signal, so that its clock stands still: by
// the clock of the input a beat was sent too late to have been on its way.
func TestBeatLongAfterTheKillSignal(t *testing.T) {
	d := New(&config, "")
	d.Tick(1, 0)
	beat := func(at time.Duration) *Beat {
		b := beatOf("a", at)
		b.Run = 1
		return b
	}
	d.Beat(beat(second))
	require.Len(t, d.Kill(1, 2*second), 1)
	require.Empty(t, d.Beat(beat(6*second)))
	found := d.Beat(beat(16 * second))
	require.Len(t, found, 1)
	require.Equal(t, CameBack, found[0].Change)
}
