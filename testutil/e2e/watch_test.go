package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/cmd/telegraf-chembus/watch"
	"github.com/kloros/telegraf-chembus/testutil/process"
)

// TestWatch looks at a colony in which a component was killed, beside the Telegraf that found it.
func TestWatch(t *testing.T) {
	const victim = "audio_io"
	s := newScene(t, fmt.Sprintf(remembering, filepath.Join(t.TempDir(), "liveness.json")))
	c := s.colony(5)
	live := s.startWatch("-json")
	s.wait("a live watch has everybody up", func() bool {
		snapshots := s.snapshots(live)
		return len(snapshots) > 0 && countUp(snapshots[len(snapshots)-1]) == 5
	})
	require.NoError(t, c.Kill(victim))
	s.wait("the judge in Telegraf finds it silent", func() bool { return s.up(victim) == 0 })

	seen := s.watchOnce()
	require.True(t, seen.Bus.Observable)
	require.NotNil(t, seen.Bus.ProbeRTTS)
	require.Empty(t, seen.Notes)
	require.Len(t, seen.Zooids, 5)
	require.Equal(t, victim, seen.Zooids[0].Name, "silent ones first")
	require.Equal(t, "silent", seen.Zooids[0].State)
	require.Greater(t, seen.Zooids[0].SilenceS, seen.Zooids[0].ThresholdS)
	for _, z := range seen.Zooids[1:] {
		require.Equal(t, "up", z.State, z.Name)
		require.Greater(t, z.Beats, int64(3), "%s: since Telegraf began, not the watch", z.Name)
		require.NotNil(t, z.IntervalS, z.Name)
		require.InDelta(t, 0.5, *z.IntervalS, 1, "%s: it has up to 8 streams that beat every second", z.Name)
	}
	s.wait("the live watch has it silent", func() bool {
		snapshots := s.snapshots(live)
		return snapshots[len(snapshots)-1].Zooids[0].State == "silent"
	})
	s.Logf("behind the judge in Telegraf: the live watch by %v", firstSilent(s.snapshots(live), victim).Sub(s.foundSilent(victim)))

	require.NoError(t, c.Revive(victim))
	s.wait("it is up again", func() bool { return s.up(victim) == 1 })
	s.wait("the watch has everybody up", func() bool { return countUp(s.watchOnce()) == 5 })
	require.NotContains(t, s.telegraf.Output(), "stands by", "the watch locks nothing")
}

// watch is the command with the options of the scene's Telegraf.
func (s *scene) watch(args ...string) *exec.Cmd {
	args = append([]string{"watch", "-config", filepath.Join(s.config.Dir, "chembus.conf")}, args...)
	cmd := exec.Command(filepath.Join(plugins, "telegraf-chembus"), args...)
	cmd.Env = append(os.Environ(), s.env()...)
	return cmd
}

// watchOnce looks once.
func (s *scene) watchOnce() watch.Snapshot {
	s.Helper()
	out, err := s.watch("-once", "-json").Output()
	require.NoError(s, err)
	var seen watch.Snapshot
	require.NoError(s, json.Unmarshal(out, &seen))
	return seen
}

// startWatch starts a live watch.
func (s *scene) startWatch(args ...string) *process.Process {
	s.Helper()
	p, err := process.Start(s.watch(args...), nil)
	require.NoError(s, err)
	s.Cleanup(func() { require.NoError(s, p.Stop()) })
	return p
}

// snapshots is what a live watch has written.
func (s *scene) snapshots(live *process.Process) []watch.Snapshot {
	s.Helper()
	var all []watch.Snapshot
	for line := range strings.Lines(live.Output()) {
		if !strings.HasSuffix(line, "\n") {
			break // is being written
		}
		var seen watch.Snapshot
		require.NoError(s, json.Unmarshal([]byte(line), &seen), "the watch said %q", line)
		all = append(all, seen)
	}
	return all
}

func countUp(seen watch.Snapshot) int {
	n := 0
	for _, z := range seen.Zooids {
		if z.State == "up" {
			n++
		}
	}
	return n
}

// firstSilent is when a zooid was shown as silent first.
func firstSilent(snapshots []watch.Snapshot, zooid string) time.Time {
	for _, seen := range snapshots {
		for _, z := range seen.Zooids {
			if z.Name == zooid && z.State == "silent" {
				return seen.Time
			}
		}
	}
	return time.Time{}
}

// foundSilent is when the judge in Telegraf found a zooid silent.
func (s *scene) foundSilent(zooid string) time.Time {
	s.Helper()
	rows, err := s.influx.Query(database, fmt.Sprintf(`SELECT first("up") AS value FROM liveness WHERE zooid = '%s' AND "up" = 0`, zooid))
	require.NoError(s, err)
	require.Len(s, rows, 1)
	found, err := time.Parse(time.RFC3339Nano, fmt.Sprint(rows[0]["time"]))
	require.NoError(s, err)
	return found
}
