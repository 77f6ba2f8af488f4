package detector

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGone has a component without a name fall silent: it is gone, is in no periodic report, and may come back.
func TestGone(t *testing.T) {
	d := crowded(10, "zooid_9")
	d.Tick(0, 0)
	hear(d, 0, "zooid_1", "zooid_9", "a")
	found := observe(d, 0, 31*second)
	states := make(map[string]State)
	for _, f := range found {
		states[f.Key] = f.Status.State
		require.Equal(t, f.Key != "zooid_1" && f.Status.State == Silent, f.Gap != nil, "%s %s", f.Key, f.Status.State)
	}
	require.Equal(t, map[string]State{"zooid_1": Gone, "zooid_9": Silent, "a": Silent}, states, "an expected one is missed")
	d = restarted(t, d.config, d)
	for _, f := range d.Tick(0, 40*second) {
		require.NotEqual(t, "zooid_1", f.Key)
	}
	for at := 41 * second; at <= 50*second; at += second {
		for _, f := range d.Tick(0, at) {
			require.NotEqual(t, "zooid_1", f.Key)
		}
	}
	require.Len(t, d.Report(), 3, "who asks for all gets all")
	back := d.Beat(beatOf("zooid_1", 50*second))
	require.Len(t, back, 1)
	require.Equal(t, Up, back[0].Status.State)
}
