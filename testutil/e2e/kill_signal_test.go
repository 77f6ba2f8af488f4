package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// killsToLog makes Telegraf write each kill signal that the input reported to its log.
const killsToLog = `
[[outputs.file]]
  files = ["stdout"]
  metric_batch_size = 1
  namepass = ["chembus_kill"]
  data_format = "influx"
`

// delays are the times from a kill signal to the end of a plugin.
var delays = []time.Duration{
	0, 50 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second,
}

// TestInputIsKilledAfterKillSignal kills the input within a second after it has reported the kill signal.
func TestInputIsKilledAfterKillSignal(t *testing.T) {
	s := newKillSignalScene(t)
	for round, delay := range delays {
		s.afterSignal(fmt.Sprintf("killed %v after the signal", delay), func() (waitRestarted func()) {
			s.signal()
			require.Eventually(t, func() bool { return strings.Count(s.telegraf.Output(), "chembus_kill,") > round },
				limit, time.Millisecond, "the input has reported the signal")
			<-time.After(delay)
			return s.killPlugin("input")
		})
	}
	s.requireJudged()
}

// TestProcessorIsKilledAfterKillSignal kills the processor within a second after the signal was on the bus, and once before
// it, so that it is down when the input reports the signal.
func TestProcessorIsKilledAfterKillSignal(t *testing.T) {
	s := newKillSignalScene(t)
	signals := s.listener(colony.KillTopic)
	for round, delay := range delays {
		s.afterSignal(fmt.Sprintf("killed %v after the signal", delay), func() (waitRestarted func()) {
			s.signal()
			require.NoError(t, signals.Wait(t.Context(), func(received []consumer.Message) bool { return len(received) > round }))
			<-time.After(delay)
			return s.killPlugin("processor")
		})
	}
	s.afterSignal("killed before the signal", func() (waitRestarted func()) {
		waitRestarted = s.killPlugin("processor")
		s.signal()
		return waitRestarted
	})
	s.requireJudged()
}

// TestKillSignalThatNobodyHeard has the input be away when the kill signal comes. What ends then is one outage: the first
// mass_count components have a gap each, the others are its members, and none is reported twice.
func TestKillSignalThatNobodyHeard(t *testing.T) {
	s := newScene(t, quick)
	gaps := s.consumer()
	c := s.colony(12)
	s.waitSubscribed(c, colony.KillTopic)
	all := c.Names()
	since := time.Now()
	waitRestarted := s.killPlugin("input")
	require.NoError(t, c.KillSignal())
	waitRestarted()
	s.waitReported(since)
	s.requireOneOutage(gaps, all)
}

// requireOneOutage requires that all components are reported, each once, and with one outage.
func (s *scene) requireOneOutage(gaps *consumer.Consumer, all []string) {
	s.Helper()
	s.wait("all are reported", func() bool { return len(reportedIn(gaps.Received())) >= len(all) })
	s.observe(2 * quickThreshold)
	require.ElementsMatch(s, all, reportedIn(gaps.Received()))
	outages := 0
	for _, m := range gaps.Received() {
		if _, many := m.Facts["members"]; many {
			outages++
		}
	}
	require.Equal(s, 1, outages)
}

// killSignalScene is a scene whose components end their heartbeats at a kill signal, but for one of ZooidRuntime.
type killSignalScene struct {
	*scene
	gaps   *consumer.Consumer
	colony *colony.Colony
	obey   []string
}

const goesOn = "goes_on"

func newKillSignalScene(t *testing.T) *killSignalScene {
	t.Helper()
	state := filepath.Join(t.TempDir(), "liveness.json")
	s := &killSignalScene{scene: newSceneWith(t, fmt.Sprintf(remembering, state), killsToLog)}
	s.gaps = s.consumer()
	s.colony = s.colonyOf(append(colony.Field(8), colony.Zooid{Name: goesOn, RuntimeStreams: 1})...)
	s.obey = s.colony.Names()[:8]
	s.waitSubscribed(s.colony, colony.KillTopic)
	return s
}

func (s *killSignalScene) signal() {
	s.Helper()
	require.NoError(s, s.colony.KillSignal())
}

// afterSignal requires that no silence is a gap after what fail does, and starts the components again.
func (s *killSignalScene) afterSignal(what string, fail func() (waitRestarted func())) {
	s.Helper()
	waitRestarted := fail()
	since := time.Now()
	waitRestarted()
	s.waitReported(since)
	s.observe(10) // two thresholds and a half
	require.Empty(s, reportedIn(s.gaps.Received()), what)
	s.waitUp(goesOn)
	for _, zooid := range s.obey {
		require.NoError(s, s.colony.Revive(zooid))
	}
	s.waitUp(s.obey...)
}

// requireJudged requires that a death is a gap, as it was before the kill signals.
func (s *killSignalScene) requireJudged() {
	s.Helper()
	require.NoError(s, s.colony.Kill(s.obey[0]))
	s.wait("the death is found", func() bool { return len(s.gaps.Received()) > 0 })
	s.observe(4)
	require.Equal(s, []string{s.obey[0]}, reportedIn(s.gaps.Received()))
}

// waitReported waits until InfluxDB has a chembus_bus that is younger than a time. After a restart of the input the
// observation clock begins anew.
func (s *scene) waitReported(since time.Time) {
	s.Helper()
	s.wait("the input reports", func() bool {
		return s.number(`SELECT last(observed_s) AS value FROM chembus_bus WHERE time > %d`, since.UnixNano()) >= 0
	})
}
