package chembus

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/testutil"
)

// newLogStepper returns a plugin on a bus, as its publisher stands after a probe has come back, with what it logs from then on.
func newLogStepper(t *testing.T, endpoint string) (*stepper, *testutil.CaptureLogger) {
	t.Helper()
	s := newStepper(t, endpoint)
	s.until(t, "a probe has come back", func() bool { return !s.publisher.returned.IsZero() })
	log := &testutil.CaptureLogger{}
	s.Log, s.publisher.log.Log = log, log
	return s, log
}

// TestMuteOutputIsLogged has nothing come back for 30 s, during which the process runs.
func TestMuteOutputIsLogged(t *testing.T) {
	s, log := newLogStepper(t, startBus(t).XSub())
	from := time.Now()
	step := func(seconds int) {
		s.publisher.logState(3, from.Add(time.Duration(seconds)*time.Second))
	}
	for second := range 29 {
		step(second)
	}
	require.Empty(t, log.Messages())
	require.True(t, s.publisher.works)
	for second := 29; second < 100; second++ {
		step(second)
	}
	require.False(t, s.publisher.works)
	require.Len(t, log.Messages(), 1, "once")
	require.Contains(t, log.Messages()[0].Text, fmt.Sprintf(
		"Gaps cannot be published, 3 wait: for 30s nothing that was sent to %q has come back from %q", s.endpoint, s.subscribeEndpoint))
}

// TestPauseOfTheProcessIsNotMute has the process stand still for an hour.
func TestPauseOfTheProcessIsNotMute(t *testing.T) {
	s, log := newLogStepper(t, startBus(t).XSub())
	s.publisher.logState(0, time.Now().Add(time.Hour))
	require.True(t, s.publisher.works)
	require.Empty(t, log.Messages())
}

func TestGapsThatWaitForAConsumerAreLogged(t *testing.T) {
	s, log := newLogStepper(t, startBus(t).XSub())
	from := time.Now()
	update := func(pending int, after time.Duration) {
		s.publisher.logState(pending, from.Add(after))
	}
	update(2, 0)
	update(2, waitTolerance-1)
	require.Empty(t, log.Messages())
	update(3, waitTolerance)
	update(3, time.Hour)
	require.Len(t, log.Messages(), 1, "once")
	require.Equal(t, fmt.Sprintf(`3 gaps wait: nobody on the bus at %q subscribes to "CAPABILITY_GAP". Start a consumer`, s.endpoint), log.Messages()[0].Text)
	update(0, time.Hour)
	require.Len(t, log.Messages(), 2, "and when it is over")
}

// TestMuteBeforeTheFirstGap has the bus stand still while the output has nothing to publish. The state file, which Telegraf
// reads as a metric, says so, and when the bus forwards again.
func TestMuteBeforeTheFirstGap(t *testing.T) {
	b := startBus(t)
	s, log := newLogStepper(t, b.XSub())
	require.NoError(t, s.openState())
	t.Cleanup(s.closeState)
	require.NoError(t, b.Pause())
	start := time.Now()
	for second := range 40 {
		_, err := s.publisher.sendAndSave(start.Add(time.Duration(second) * time.Second))
		require.NoError(t, err)
	}
	state := func() string {
		s.nextSave = time.Time{}
		s.saveIfDue(time.Now())
		content, err := os.ReadFile(s.StateFile)
		require.NoError(t, err)
		return string(content)
	}
	require.Contains(t, state(), `"publishing":false`)
	require.Len(t, log.Messages(), 1)
	require.Contains(t, log.Messages()[0].Text, "Check that publish_endpoint and subscribe_endpoint are of one bus")
	require.NoError(t, b.Resume())
	s.until(t, "publishing works again", func() bool { return s.publisher.works })
	require.Contains(t, state(), `"publishing":true`)
}
