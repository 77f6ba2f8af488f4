package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPlanOfSignalKills(t *testing.T) {
	plan := planSignalKills(1, 50, 8)
	kills, late := make(map[string]int), 0
	for _, k := range plan {
		kills[k.role]++
		require.True(t, k.delay >= 0 && k.delay < latestKill && k.victim >= 0 && k.victim < 8, k)
		if k.delay > latestKill/2 {
			late++
		}
	}
	require.Equal(t, map[string]int{input: 50, processor: 50}, kills)
	require.InDelta(t, 50, late, 25, "over the whole second")
	require.Equal(t, plan, planSignalKills(1, 50, 8))
	require.NotEqual(t, plan, planSignalKills(2, 50, 8))
}

// TestSeenReadsWhatIsAppended has a line be written in two parts.
func TestSeenReadsWhatIsAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.influx")
	s, err := newSeen(path)
	require.NoError(t, err)
	require.NoError(t, s.Update(), "there is no file yet")
	for _, part := range []struct {
		text  string
		kills int
		state string
	}{
		{"chembus_kill,host=soak observed_s=1 1\nliveness,zooid=a st", 1, ""},
		{"ate=\"up\" 2\n", 1, "up"},
		{"liveness,zooid=a state=\"late\" 3\nchembus_bus observed_s=7.5,suspended=true 4\nchembus_kill observed_s=2 5\n", 2, "late"},
	} {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		_, err = f.WriteString(part.text)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.NoError(t, s.Update())
		require.Equal(t, part.kills, s.kills)
		require.Equal(t, part.state, s.states["a"].name)
	}
	require.Equal(t, 7.5, s.observed)
	require.True(t, s.suspended)
	require.Equal(t, time.Unix(0, 4), s.reported)
}
