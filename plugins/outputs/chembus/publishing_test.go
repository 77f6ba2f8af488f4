package chembus

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/testutil"

	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

// newTestPublishLog returns a log that begins now, with what it has logged.
func newTestPublishLog() (*publishLog, *testutil.CaptureLogger) {
	log := &testutil.CaptureLogger{}
	return &publishLog{
		waits:  logging.Problem{Tolerance: waitTolerance},
		plugin: &ChemBus{Log: log, endpoint: "tcp://bus:1", subscribeEndpoint: "tcp://bus:2", Signal: topic},
	}, log
}

// updates has a view last for seconds, from a time on, and returns what was said of publishing at their end.
func (l *publishLog) updates(v publishView, from time.Time, seconds int) (works bool) {
	for i := range seconds + 1 {
		works = l.Update(v, from.Add(time.Duration(i)*time.Second))
	}
	return works
}

func TestMuteOutputIsLoggedWithItsCause(t *testing.T) {
	for _, test := range []struct {
		view publishView
		want string
	}{
		{publishView{pending: 3}, `Gaps cannot be published, 3 wait: no connection to the bus at "tcp://bus:1" for 30s`},
		{publishView{up: true}, `Gaps cannot be published, 0 wait: no connection to the bus at "tcp://bus:2", from which the acks come`},
		{publishView{up: true, hearing: true}, `for 30s no probe that was sent to "tcp://bus:1" has come back from "tcp://bus:2"`},
		{publishView{refusals: 1, hearing: true}, `somebody subscribes to a topic of more than 1048576 bytes`},
	} {
		l, log := newTestPublishLog()
		works := test.view
		works.returns, works.refusals = 1, 0
		require.True(t, l.Update(works, now))
		test.view.returns = 1
		require.True(t, l.updates(test.view, now, 29))
		require.Empty(t, log.Messages())
		require.False(t, l.updates(test.view, now.Add(30*time.Second), 3600))
		require.Len(t, log.Messages(), 1, "once")
		require.Equal(t, testutil.LevelWarn, rune(log.Messages()[0].Level))
		require.Contains(t, log.Messages()[0].Text, test.want)

		works.returns = 2
		require.True(t, l.Update(works, now.Add(2*time.Hour)))
		require.Len(t, log.Messages(), 2, "and when it is over")
	}
}

// TestPauseOfTheProcessIsNotMute has the process stand still for an hour.
func TestPauseOfTheProcessIsNotMute(t *testing.T) {
	l, log := newTestPublishLog()
	l.Update(publishView{returns: 1}, now)
	require.True(t, l.Update(publishView{returns: 1}, now.Add(time.Hour)))
	require.Empty(t, log.Messages())
}

func TestGapsThatWaitForAConsumerAreLogged(t *testing.T) {
	l, log := newTestPublishLog()
	view := publishView{up: true, hearing: true, pending: 2}
	update := func(after time.Duration) {
		view.returns++
		require.True(t, l.Update(view, now.Add(after)))
	}
	update(0)
	update(waitTolerance - 1)
	require.Empty(t, log.Messages())
	view.pending = 3
	update(waitTolerance)
	update(time.Hour)
	require.Len(t, log.Messages(), 1, "once")
	require.Equal(t, `3 gaps wait: nobody on the bus at "tcp://bus:1" subscribes to "CAPABILITY_GAP". Start a consumer`, log.Messages()[0].Text)
	view.pending = 0
	update(time.Hour)
	require.Len(t, log.Messages(), 2, "and when it is over")
}

// TestMuteBeforeTheFirstGap has the bus stand still while the output has nothing to publish. The state file, which Telegraf
// reads as a metric, says so, and when the bus forwards again.
func TestMuteBeforeTheFirstGap(t *testing.T) {
	b := startBus(t)
	s := newStepper(t, b.XSub())
	log := &testutil.CaptureLogger{}
	s.Log = log
	require.NoError(t, s.openState())
	t.Cleanup(s.closeState)
	s.until(t, "a probe has come back", func() bool { return s.publisher.dispatcher.returns > 0 })
	require.NoError(t, b.Pause())
	start := time.Now()
	for second := range 40 {
		_, err := s.publisher.dispatch(start.Add(time.Duration(second) * time.Second))
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
	s.until(t, "publishing works again", func() bool { return s.publishing })
	require.Contains(t, state(), `"publishing":true`)
}
