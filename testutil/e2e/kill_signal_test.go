package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// killsToLog makes Telegraf write each kill signal that the input reported to its log.
const killsToLog = `
[[outputs.file]]
  files = ["stdout"]
  metric_batch_size = 1
  namepass = ["chembus_kill"]
  data_format = "influx"
`

// TestPluginIsKilledAfterKillSignal ends all heartbeats by the kill signal, and kills the input or the processor within a
// second of it. No silence after the signal is a gap, and the colony that is started again is judged as usual.
func TestPluginIsKilledAfterKillSignal(t *testing.T) {
	for _, role := range []string{"input", "processor"} {
		t.Run(role, func(t *testing.T) {
			state := filepath.Join(t.TempDir(), "liveness.json")
			s := newSceneWith(t, fmt.Sprintf(remembering, state), killsToLog)
			gaps := s.consumer()
			zooids := colony.Field(8)
			c := s.colonyOf(append(zooids, colony.Zooid{Name: "goes_on", RuntimeStreams: 1})...)
			killed := c.Names()[:len(zooids)]
			s.waitSubscribed(c, colony.KillTopic)
			for round, delay := range []time.Duration{0, 50, 200, 500, 1000} {
				require.NoError(t, c.KillSignal())
				require.Eventually(t, func() bool {
					return strings.Count(s.telegraf.Output(), "chembus_kill,") > round
				}, limit, time.Millisecond, "the input has heard the signal")
				<-time.After(delay * time.Millisecond)
				since := time.Now()
				killPlugin(role)(s, func() {})
				s.waitReported(since)
				s.observe(10)
				require.Empty(t, reportedIn(gaps.Received()), "%v after the signal", delay*time.Millisecond)
				s.waitUp("goes_on")
				for _, zooid := range killed {
					require.NoError(t, c.Revive(zooid))
				}
				s.waitUp(killed...)
			}
			require.NoError(t, c.Kill(killed[0]))
			s.wait("a death is reported as usual", func() bool { return len(gaps.Received()) > 0 })
			s.observe(4)
			require.Equal(t, []string{killed[0]}, reportedIn(gaps.Received()))
		})
	}
}

// waitReported waits until InfluxDB has a chembus_bus that is younger than a time. After a restart of the input the
// observation clock begins anew.
func (s *scene) waitReported(since time.Time) {
	s.Helper()
	s.wait("the input reports", func() bool {
		return s.number(`SELECT last(observed_s) AS value FROM chembus_bus WHERE time > %d`, since.UnixNano()) >= 0
	})
}
