package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// maintained is quick with a marker file.
func maintained(marker string) string {
	return strings.Replace(quick, "[[inputs.chembus]]", fmt.Sprintf("[[inputs.chembus]]\n  maintenance_file = %q", marker), 1)
}

// TestMaintenance does a maintenance as the colony's script does it, for twice the threshold, and with one of its two signs
// only. The nine components that are stopped in it and started again have no gap. In a second maintenance one of them is not
// started again: it has a gap, one threshold after the end.
func TestMaintenance(t *testing.T) {
	for name, signs := range map[string]struct{ signals, marker bool }{
		"signals and marker": {true, true},
		"only the signals":   {true, false},
		"only the marker":    {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			marker := filepath.Join(t.TempDir(), "maintenance_mode")
			s := newScene(t, maintained(marker))
			m := colony.Maintenance{NoSignals: !signs.signals}
			if signs.marker {
				m.Marker = marker
			}
			gaps := s.consumer()
			c := s.colony(11)
			if signs.signals {
				s.waitSubscribed(c, colony.SuspendTopic, colony.ResumeTopic)
			}
			nine := c.Names()[2:]
			m.Zooids = nine
			s.suspend(c, m)
			s.resume(c, m)
			s.waitUp(nine...)
			s.observe(2.5 * quickThreshold)
			require.Empty(t, reportedIn(gaps.Received()), "all were started again")
			require.Nil(t, s.value(`SELECT count("open") AS value FROM liveness_gap`))

			s.suspend(c, m)
			missing := nine[4]
			m.Zooids = append(append([]string{}, nine[:4]...), nine[5:]...)
			end := s.resume(c, m)
			s.wait("the gap arrives", func() bool { return len(gaps.Received()) > 0 })
			after := gaps.Received()[0].Received.Sub(end).Seconds()
			t.Logf("the gap arrived %.1f s after the end of the maintenance", after)
			require.Greater(t, after, quickThreshold-0.1, "one threshold, whenever the last beat was") // the clocks of two processes
			require.Less(t, after, quickThreshold+15, "the machine is too slow for this test")
			s.observe(quickThreshold)
			require.Equal(t, []string{missing}, reportedIn(gaps.Received()))
			s.waitForGap(missing, true)
			require.NoError(t, c.Revive(missing))
			s.waitForGap(missing, false)
			require.Len(t, gaps.Received(), 1)
		})
	}
}

// TestMaintenanceThatStartsNothing starts none of the nine components again. Each is reported once, some as members of an
// outage.
func TestMaintenanceThatStartsNothing(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "maintenance_mode")
	s := newScene(t, maintained(marker))
	gaps := s.consumer()
	c := s.colony(11)
	s.waitSubscribed(c, colony.SuspendTopic, colony.ResumeTopic)
	nine := c.Names()[2:]
	s.suspend(c, colony.Maintenance{Marker: marker, Zooids: nine})
	require.Empty(t, gaps.Received())
	s.resume(c, colony.Maintenance{Marker: marker})
	s.wait("all are reported", func() bool { return len(reportedIn(gaps.Received())) >= len(nine) })
	s.observe(2 * quickThreshold)
	require.ElementsMatch(t, nine, reportedIn(gaps.Received()))
}

// TestMaintenanceThatNobodyHeard has the input be away when MAINTENANCE_SUSPEND comes, and there is no marker: what is
// stopped is an outage.
func TestMaintenanceThatNobodyHeard(t *testing.T) {
	s := newScene(t, maintained(filepath.Join(t.TempDir(), "maintenance_mode")))
	gaps := s.consumer()
	c := s.colony(12)
	s.waitSubscribed(c, colony.SuspendTopic)
	ten := c.Names()[2:]
	since := time.Now()
	waitRestarted := s.killPlugin("input")
	require.NoError(t, c.Suspend(colony.Maintenance{Zooids: ten}))
	waitRestarted()
	s.waitReported(since)
	s.requireOneOutage(gaps, ten)
}

// suspend begins a maintenance and returns after twice the threshold. The observation clock stands still meanwhile.
func (s *scene) suspend(c *colony.Colony, m colony.Maintenance) {
	s.Helper()
	require.NoError(s, c.Suspend(m))
	s.waitSuspended(true)
	const observed = `SELECT last(observed_s) AS value FROM chembus_bus`
	stopped := s.number(observed)
	<-time.After(failureTime)
	require.Equal(s, true, s.value(`SELECT last(suspended) AS value FROM chembus_bus`))
	require.Equal(s, stopped, s.number(observed), "the clock stands still")
}

// resume ends a maintenance and returns when.
func (s *scene) resume(c *colony.Colony, m colony.Maintenance) time.Time {
	s.Helper()
	require.NoError(s, c.Resume(m))
	end := time.Now()
	s.waitSuspended(false)
	return end
}

func (s *scene) waitSuspended(suspended bool) {
	s.Helper()
	s.wait(fmt.Sprintf("InfluxDB has suspended=%v", suspended), func() bool {
		return s.value(`SELECT last(suspended) AS value FROM chembus_bus`) == suspended
	})
}

// waitSubscribed waits until what the colony publishes on topics is received by somebody.
func (s *scene) waitSubscribed(c *colony.Colony, topics ...string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	defer cancel()
	for _, topic := range topics {
		require.NoError(s, c.WaitSubscribed(ctx, topic))
	}
}
