package detector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAnnouncedStop has one of two components announce its stop, and its last beat come after that.
func TestAnnouncedStop(t *testing.T) {
	d := New(&config, "")
	d.Tick(0, 0)
	d.Beat(beatOf("stops", 0))
	d.Beat(beatOf("dies", 0))
	found := d.Stop("stops", 0, 0)
	require.Len(t, found, 1)
	require.Equal(t, Stopped, found[0].Status.State)
	require.False(t, found[0].Status.Alive)
	require.Empty(t, d.Beat(beatOf("stops", second)), "it was on its way")

	found = observe(d, 0, 200*second)
	require.Len(t, found, 2, "late, then silent")
	require.Equal(t, "dies", found[1].Key)

	d = restarted(t, &config, d)
	found = d.Beat(beatOf("stops", 200*second))
	require.Len(t, found, 1)
	require.Equal(t, Up, found[0].Status.State, "with its next beat")
	require.Nil(t, found[0].Gap)
	require.NotEmpty(t, observe(d, 200*second, 300*second), "and judged as before")
}

func TestStreamThatStartsAfterAnAnnouncedStop(t *testing.T) {
	d := New(&config, "")
	d.Tick(0, 0)
	d.Beat(beatOf("a", 0))
	d.Stop("a", 0, 0)
	b := beatOf("a", second)
	b.Starts = 1
	require.Equal(t, Up, d.Beat(b)[0].Status.State, "it was started again")
}

// TestStopOfAComponentThatRunsAgain has Telegraf stall while a component stops and is started again: the input reports beats
// before stops.
func TestStopOfAComponentThatRunsAgain(t *testing.T) {
	for last, ends := range map[time.Duration]bool{6 * second: true, 8 * second: false} { // 6: a beat that was on its way
		d := New(&config, "")
		for _, observed := range []time.Duration{0, second} {
			d.Tick(7, observed)
			b := beatOf("a", observed)
			b.Run = 7
			d.Beat(b)
		}
		b := beatOf("a", last)
		b.Run = 7
		d.Beat(b)
		require.Equal(t, ends, len(d.Stop("a", 7, 2*second)) == 1, "it would end the monitoring of what runs")
	}
}

func TestStopOfASilentOneKeepsItsGap(t *testing.T) {
	d := New(&config, "")
	d.Tick(0, 0)
	d.Beat(beatOf("a", 0))
	observe(d, 0, 40*second)
	require.Empty(t, d.Stop("a", 0, 40*second))
	require.Empty(t, d.Stop("unknown", 0, 40*second))
}

// TestKillSignalIsALevel repeats a kill signal of which the detector heard nothing, at each tick.
func TestKillSignalIsALevel(t *testing.T) {
	d := New(&config, "")
	d.Tick(1, 0)
	for _, key := range []string{"a", "b"} {
		b := beatOf(key, 0)
		b.Run = 1
		d.Beat(b)
	}
	after := beatOf("b", 10*second)
	after.Run = 1
	d.Beat(after)
	killed := d.Kill(1, 2*second) // with the tick at 50 s
	require.Len(t, killed, 1, "b has beaten since")
	require.Equal(t, "a", killed[0].Key)
	d.Tick(1, 50*second)
	for at := 51 * second; at < 100*second; at += second {
		require.Empty(t, d.Kill(1, 2*second), "it is known")
		d.Tick(1, at)
	}
}
