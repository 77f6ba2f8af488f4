package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/cmd/telegraf-chembus/watch"
	"github.com/kloros/telegraf-chembus/testutil/process"
)

// TestWatch runs the watch beside Telegraf on a colony in which a component is killed.
func TestWatch(t *testing.T) {
	const victim = "audio_io"
	s := newScene(t, fmt.Sprintf(remembering, filepath.Join(t.TempDir(), "liveness.json")))
	c := s.colony(5)
	live := s.startWatch("-json")
	s.wait("the live watch shows all components as up", func() bool {
		snapshots := s.snapshots(live)
		return len(snapshots) > 0 && countUp(snapshots[len(snapshots)-1]) == 5
	})
	require.NoError(t, c.Kill(victim))
	s.wait("the processor in Telegraf finds it silent", func() bool { return s.up(victim) == 0 })

	// Components are saved in rounds.
	var seen watch.Snapshot
	s.wait("the beats since the start of Telegraf are saved", func() bool {
		seen = s.watchOnce()
		return !slices.ContainsFunc(seen.Zooids, func(z watch.Zooid) bool { return z.Name != victim && z.Beats <= 5 })
	})
	require.True(t, seen.Bus.Observable)
	require.NotNil(t, seen.Bus.ProbeRTTS)
	require.Empty(t, seen.Notes)
	require.Len(t, seen.Zooids, 5)
	require.Equal(t, victim, seen.Zooids[0].Name, "silent components come first")
	require.Equal(t, "silent", seen.Zooids[0].State)
	require.Equal(t, watch.SomeSilent, seen.Status())
	require.Len(t, seen.Gaps, 1)
	require.Equal(t, victim, seen.Gaps[0].Zooid)
	require.True(t, seen.Memory.Fresh)
	require.Greater(t, seen.Zooids[0].SilenceS, seen.Zooids[0].ThresholdS)
	for _, z := range seen.Zooids[1:] {
		require.Equal(t, "up", z.State, z.Name)
		require.NotNil(t, z.IntervalS, z.Name)
		require.InDelta(t, 0.5, *z.IntervalS, 1, "%s: up to 8 streams with a beat every second", z.Name)
	}
	s.wait("the live watch shows it as silent", func() bool {
		snapshots := s.snapshots(live)
		return snapshots[len(snapshots)-1].Zooids[0].State == "silent"
	})
	s.Logf("the live watch showed it %v after the processor in Telegraf", firstSilent(s.snapshots(live), victim).Sub(s.foundSilent(victim)))

	require.NoError(t, c.Revive(victim))
	s.wait("it is up again", func() bool { return s.up(victim) == 1 })
	s.wait("the watch shows all components as up", func() bool { return countUp(s.watchOnce()) == 5 })
}

// watch returns the watch command with the options of the scene's Telegraf.
func (s *scene) watch(args ...string) *exec.Cmd {
	args = append([]string{"watch", "-config", filepath.Join(s.config.Dir, "chembus.conf")}, args...)
	cmd := exec.Command(filepath.Join(plugins, "telegraf-chembus"), args...)
	cmd.Env = append(os.Environ(), s.env()...)
	return cmd
}

// watchOnce returns the snapshot of a watch -once.
func (s *scene) watchOnce() watch.Snapshot {
	s.Helper()
	out, err := s.watch("-once", "-json").Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		require.Contains(s, []int{int(watch.SomeSilent), int(watch.NotKnown)}, exit.ExitCode(), "%s", exit.Stderr)
	} else {
		require.NoError(s, err)
	}
	var seen watch.Snapshot
	require.NoError(s, json.Unmarshal(out, &seen))
	return seen
}

// startWatch starts a live watch and stops it at the end of the test.
func (s *scene) startWatch(args ...string) *process.Process {
	s.Helper()
	p, err := process.Start(s.watch(args...), nil)
	require.NoError(s, err)
	s.Cleanup(func() { require.NoError(s, p.Stop()) })
	return p
}

// snapshots returns the snapshots that a live watch has written.
func (s *scene) snapshots(live *process.Process) []watch.Snapshot {
	s.Helper()
	var all []watch.Snapshot
	for line := range strings.Lines(live.Output()) {
		if !strings.HasSuffix(line, "\n") {
			break // incomplete
		}
		var seen watch.Snapshot
		require.NoError(s, json.Unmarshal([]byte(line), &seen), "the watch printed %q", line)
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

// firstSilent returns the time of the first snapshot with a zooid as silent.
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

// foundSilent returns the time at which the processor in Telegraf found a zooid silent.
func (s *scene) foundSilent(zooid string) time.Time {
	s.Helper()
	rows, err := s.influx.Query(database, fmt.Sprintf(`SELECT first("up") AS value FROM liveness WHERE zooid = '%s' AND "up" = 0`, zooid))
	require.NoError(s, err)
	require.Len(s, rows, 1)
	found, err := time.Parse(time.RFC3339Nano, fmt.Sprint(rows[0]["time"]))
	require.NoError(s, err)
	return found
}
