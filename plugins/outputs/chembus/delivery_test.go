package chembus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"

	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

func (c *ChemBus) counted() counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outbox.counts
}

// TestDeliveryIsProved has the bus take a gap and not forward it: that is no delivery. It is sent again,
// and a consumer handles it once.
func TestDeliveryIsProved(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	v := connect(t, b.XSub(), func(c *ChemBus) { c.ConfirmTimeout = config.Duration(20 * time.Millisecond) })
	v.write(t, gapMetric("through", nil))
	received(t, c, "through")
	require.Eventually(t, func() bool { return v.counted().Acked == 1 }, patience, time.Millisecond)
	before := v.counted().Repeated // on a slow machine the first was sent again, too

	require.NoError(t, b.Pause())
	v.write(t, gapMetric("stuck", nil))
	require.Eventually(t, func() bool { return v.counted().Repeated >= before+2 }, patience, time.Millisecond)
	require.Equal(t, 1, v.pending())
	require.NoError(t, b.Resume())
	received(t, c, "stuck")
	require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond)
	v.write(t, gapMetric("end", nil))
	received(t, c, "end")
	var handled []string
	for _, m := range c.Handled() {
		handled = append(handled, *m.IncidentID)
	}
	require.Equal(t, []string{"through", "stuck", "end"}, handled)
}

func TestRestartRepeatsNothing(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	file := filepath.Join(t.TempDir(), "output.json")
	keep := func(c *ChemBus) { c.StateFile, c.closeTimeout = file, forever }
	v := connect(t, b.XSub(), keep)
	v.write(t, gapMetric("a", nil))
	v.close(t)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	v = connect(t, b.XSub(), keep)
	v.write(t, gapMetric("a", nil), gapMetric("b", nil))
	v.close(t)
	require.Equal(t, []string{"a", "b"}, received(t, c, "b"))
	require.EqualValues(t, 2, v.counted().Acked)
	require.Empty(t, v.warnings())
}

// TestEndIsRemembered restarts after a gap was closed: what comes next is news, though the component's clock was
// set back.
func TestEndIsRemembered(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	file := filepath.Join(t.TempDir(), "output.json")
	keep := func(c *ChemBus) { c.StateFile, c.closeTimeout = file, forever }
	v := connect(t, b.XSub(), keep)
	v.write(t, gapMetric("a", map[string]any{"zooid": "z"}))
	received(t, c, "a")
	require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond)
	v.write(t, gapMetric("a", map[string]any{"zooid": "z", "open": false}))
	v.close(t)
	v = connect(t, b.XSub(), keep)
	v.write(t, gapMetric("b", map[string]any{"zooid": "z", "last_seen": 1795446000.0}))
	require.Equal(t, []string{"a", "b"}, received(t, c, "b"))
}

// TestCloseDoesNotWaitForWhatIsOver closes the only gap that waits.
func TestCloseDoesNotWaitForWhatIsOver(t *testing.T) {
	b := startBus(t)
	v := connect(t, b.XSub(), func(c *ChemBus) { c.closeTimeout = forever })
	v.write(t, gapMetric("a", nil))
	v.closed = true
	closed := make(chan error, 1)
	go func() { closed <- v.Close() }()
	require.Eventually(t, v.loop.Stopping, patience, time.Millisecond)
	require.NoError(t, v.Write([]telegraf.Metric{gapMetric("a", map[string]any{"open": false})}))
	returns(t, "Close", closed)
	require.Empty(t, v.warnings())
}

// TestStateIsThereFromTheStart has somebody read it as a metric before there was any gap.
func TestStateIsThereFromTheStart(t *testing.T) {
	v := connect(t, startBus(t).XSub())
	require.Eventually(t, func() bool {
		content, err := os.ReadFile(v.StateFile)
		return err == nil && strings.Contains(string(content), `"published":0`)
	}, patience, time.Millisecond)
}

// TestStateOfTheFormerNameIsTakenOver starts without a state_file, in a folder that holds what the file was called before.
// TestStartAfterOneThatFailed has Telegraf start the plugin again: what was read from the state file is not there twice.
func TestStartAfterOneThatFailed(t *testing.T) {
	c, _ := standard()
	c.Investigate, c.StateFile = true, filepath.Join(t.TempDir(), "output.json")
	require.NoError(t, os.WriteFile(c.StateFile, []byte(`{"version":2,"counts":{"acked":1},"incidents":[{"id":"i"}],"investigations":{
		"waiting":[{"incident":"i"},{"incident":"j","begun":"2026-01-01T00:00:00Z"}]}}`), 0o600))
	require.NoError(t, c.Init())
	for range 2 {
		require.NoError(t, c.openState())
		require.Equal(t, investigationCounts{Waiting: 1, Lost: 1}, c.outbox.investigations.Counts())
		require.EqualValues(t, 1, c.outbox.counts.Acked)
		c.closeState()
	}
}

func TestStateOfTheFormerNameIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("STATE_DIRECTORY", dir)
	former := filepath.Join(dir, "output.json")
	require.NoError(t, os.WriteFile(former, []byte(`{"version":1,"confirmed":["a"],"counts":{"published":7}}`), 0o600))
	v := connect(t, startBus(t).XSub(), func(c *ChemBus) { c.StateFile = "" })
	require.EqualValues(t, 7, v.counted().Published)
	v.close(t)
	for _, file := range []string{former, filepath.Join(dir, "output.json")} {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(content), `"published":7`, file)
	}
}

func TestDamagedState(t *testing.T) {
	b := startBus(t)
	file := filepath.Join(t.TempDir(), "output.json")
	for _, content := range []string{"", "{", `{"version":99}`, `{"version":1,"confirmed":"a"}`} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		v := connect(t, b.XSub(), func(c *ChemBus) { c.StateFile, c.closeTimeout = file, 0 })
		require.Len(t, v.warnings(), 1)
		require.Contains(t, v.warnings()[0], file+`.damaged`)
		aside, err := os.ReadFile(file + ".damaged")
		require.NoError(t, err)
		require.Equal(t, content, string(aside))
		v.close(t)
	}
}

// TestRecorderReturnsNoProbes has somebody hear everything on the bus while the output itself cannot: no ack could
// come, so nothing is sent.
func TestRecorderReturnsNoProbes(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	recorder, err := consumer.New(consumer.Config{XPub: b.XPub()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, recorder.Close()) })
	s := newStepper(t, b.XSub())
	s.publisher.Close()
	s.subscribeEndpoint = "tcp://127.0.0.1:1"
	require.NoError(t, s.publisher.Open())
	s.until(t, "the recorder and the subscriber show", func() bool {
		return s.publisher.out.Listeners.Covers(s.publisher.topics.probe) && s.publisher.out.Listeners.Has(topic)
	})
	require.False(t, s.listened())
	require.NoError(t, s.Write([]telegraf.Metric{gapMetric("a", nil)}))
	_, err = s.publisher.sendAndSave(time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 1, s.pending())
	require.Zero(t, s.counted().Published)
	require.Empty(t, c.Received())
}

func TestTwoOutputsOfOneStateFile(t *testing.T) {
	b := startBus(t)
	v := connect(t, b.XSub())
	second, _ := standard()
	second.at(t, b.XSub())
	second.StateFile = v.StateFile
	require.NoError(t, second.Init())
	err := second.Connect()
	require.ErrorContains(t, err, "as by a second copy of the drop-in, remove that")
	require.ErrorContains(t, err, "give each plugin a state_file of its own")
}

func TestMembersOfAMassIncident(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	v := connect(t, b.XSub())
	v.write(t,
		gapMetric("bad", map[string]any{"members": "no list"}),
		gapMetric("mass", map[string]any{"members": `["a,b","\"c\""]`, "member_count": int64(200)}))
	require.Equal(t, []string{"mass"}, received(t, c, "mass"))
	facts := c.Received()[0].Facts
	require.Equal(t, []any{"a,b", `"c"`}, facts["members"])
	require.EqualValues(t, 200, facts["member_count"])
}
