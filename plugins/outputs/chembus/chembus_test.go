package chembus

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/outputs"
	"github.com/influxdata/telegraf/testutil"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

const (
	topic = "CAPABILITY_GAP"
	// patience is what a condition gets on a machine that is busy with something else.
	patience = 30 * time.Second
	// forever is longer than any test runs: what it delays shows as a failure.
	forever = time.Hour
)

// subscribeEndpoints are where to listen on a test's bus, by where to publish.
var subscribeEndpoints sync.Map

func startBus(t *testing.T) *colony.Bus {
	t.Helper()
	b, err := colony.NewBus(colony.BusConfig{})
	require.NoError(t, err)
	subscribeEndpoints.Store(b.XSub(), b.XPub())
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func listen(t *testing.T, b *colony.Bus) *consumer.Consumer {
	t.Helper()
	c, err := consumer.New(consumer.Config{XPub: b.XPub(), Topic: topic})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// standard returns the plugin as Telegraf makes it, before Init.
func standard() (*ChemBus, *testutil.CaptureLogger) {
	c := outputs.Outputs["chembus"]().(*ChemBus)
	log := &testutil.CaptureLogger{}
	c.Log = log
	return c, log
}

// at gives a plugin the endpoints of a test's bus, or one at which there is none, and a state file of
// its own.
func (c *ChemBus) at(t *testing.T, endpoint string) {
	c.PublishEndpoint, c.SubscribeEndpoint = endpoint, endpoint
	if xpub, ok := subscribeEndpoints.Load(endpoint); ok {
		c.SubscribeEndpoint = xpub.(string)
	}
	c.StateFile = filepath.Join(t.TempDir(), "voice.json")
}

// voice is a plugin that was connected. It is closed at the end of the test, without waiting for
// anything.
type voice struct {
	*ChemBus
	log    *testutil.CaptureLogger
	closed bool
}

// pending is how many incidents wait to be sent or confirmed.
func (c *ChemBus) pending() int {
	return c.standing().Pending
}

func connect(t *testing.T, endpoint string, configure ...func(*ChemBus)) *voice {
	t.Helper()
	c, log := standard()
	c.at(t, endpoint)
	for _, set := range configure {
		set(c)
	}
	require.NoError(t, c.Init())
	require.NoError(t, c.Connect())
	v := &voice{ChemBus: c, log: log}
	t.Cleanup(func() {
		if !v.closed {
			v.closeTimeout = 0
			v.close(t)
		}
	})
	return v
}

// close closes the plugin, which must end by itself.
func (v *voice) close(t *testing.T) {
	t.Helper()
	v.closed = true
	done := make(chan error, 1)
	go func() { done <- v.Close() }()
	returns(t, "Close", done)
}

// write hands metrics over, which must end by itself.
func (v *voice) write(t *testing.T, metrics ...telegraf.Metric) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- v.Write(metrics) }()
	returns(t, "Write", done)
}

func returns(t *testing.T, what string, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(patience):
		require.FailNow(t, what+" hangs")
	}
}

// warnings returns the texts of what was logged as a warning or an error.
func (v *voice) warnings() []string {
	var texts []string
	for _, e := range v.log.Messages() {
		if e.Level == testutil.LevelWarn || e.Level == testutil.LevelError {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// received waits for the incident, as the last of those published, and returns all that came up to it.
func received(t *testing.T, c *consumer.Consumer, last string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var incidents []string
	require.NoError(t, c.Wait(ctx, func(received []consumer.Message) bool {
		incidents = nil
		for _, m := range received {
			incidents = append(incidents, *m.IncidentID)
		}
		return slices.Contains(incidents, last)
	}))
	require.Zero(t, c.Dropped())
	return incidents
}

func TestGapWaitsForSubscriber(t *testing.T) {
	b := startBus(t)
	v := connect(t, b.XSub())
	v.write(t, gapMetric("early", nil))
	c := listen(t, b)
	require.Equal(t, []string{"early"}, received(t, c, "early"))
	v.write(t, gapMetric("early", nil), gapMetric("later", nil))
	require.Equal(t, []string{"early", "later"}, received(t, c, "later"), "each exactly once")
	require.Len(t, c.Handled(), 2)
	require.Empty(t, v.warnings())
}

func TestGapWaitsForBus(t *testing.T) {
	b := startBus(t)
	require.NoError(t, b.Kill())
	v := connect(t, b.XSub())
	v.write(t, gapMetric("early", nil))
	require.NoError(t, b.Restart())
	require.Equal(t, []string{"early"}, received(t, listen(t, b), "early"))
}

func TestLevelsOfOneIncidentArePublishedOnce(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	v := connect(t, b.XSub())
	for _, incident := range []string{"a", "b"} {
		v.write(t, gapMetric(incident, nil))
		received(t, c, incident)
		for range 10 {
			v.write(t, gapMetric(incident, map[string]any{"missing_seconds": 41.0}))
		}
		v.write(t, gapMetric(incident, map[string]any{"open": false}))
		v.write(t, gapMetric(incident, nil))
	}
	v.write(t, gapMetric("end", nil))
	require.Equal(t, []string{"a", "b", "end"}, received(t, c, "end"))
}

func TestClosedBeforeHeardIsDropped(t *testing.T) {
	b := startBus(t)
	v := connect(t, b.XSub())
	v.write(t, gapMetric("over", nil), gapMetric("lasts", nil))
	v.write(t, gapMetric("over", map[string]any{"open": false}), gapMetric("lasts", map[string]any{"missing_seconds": 99.5}))
	c := listen(t, b)
	require.Equal(t, []string{"lasts"}, received(t, c, "lasts"))
	require.InDelta(t, 99.5, c.Received()[0].Facts["missing_seconds"], 0, "the silence of when it was sent")
}

func TestMessageOnTheWire(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	v := connect(t, b.XSub())
	for i, zooid := range []string{
		"audio_io", `quoted "name"`, "two\nlines\tand a tab", `back\slash`, "größe 名前 🐜", "<&>", "",
	} {
		incident := fmt.Sprint("incident ", i)
		reason := fmt.Sprintf("no heartbeat from %q", zooid)
		before := time.Now()
		v.write(t, gapMetric(incident, map[string]any{"zooid": zooid, "reason": reason, "missing_seconds": int64(31)}))
		received(t, c, incident)
		m := c.Received()[i]
		require.Equal(t, []string{
			"signal", "ecosystem", "intensity", "facts", "incident_id", "trace", "ts", "schema_version", "channel",
		}, keys(t, m.Payload))
		require.Equal(t, map[string]any{
			"gap_type":        "heartbeat_missing",
			"gap_name":        "heartbeat_" + zooid,
			"gap_category":    "liveness",
			"gap_reason":      reason,
			"ecosystem":       "monitoring",
			"zooid":           zooid,
			"last_seen":       1795446803.8781514,
			"missing_seconds": 31.0,
			"severity":        "critical",
		}, m.Facts)
		require.Equal(t, topic, m.Signal)
		require.Equal(t, "monitoring", m.Ecosystem)
		require.InDelta(t, 1, m.Intensity, 0)
		require.Equal(t, incident, *m.IncidentID)
		require.Nil(t, m.Trace)
		require.GreaterOrEqual(t, m.TS, bus.EpochSeconds(before))
		require.LessOrEqual(t, m.TS, bus.EpochSeconds(m.Received))
		require.Equal(t, 1, m.SchemaVersion)
		require.Equal(t, "legacy", m.Channel)

		require.Contains(t, string(m.Payload), `"intensity":1.0,`, "a float for Python too")
		require.Contains(t, string(m.Payload), `"missing_seconds":31.0,`)
		compact, err := json.Marshal(json.RawMessage(m.Payload))
		require.NoError(t, err)
		require.Equal(t, string(compact), string(m.Payload))
	}
}

// keys returns the names in a JSON object in their order.
func keys(t *testing.T, payload []byte) []string {
	t.Helper()
	var names []string
	decoder := json.NewDecoder(strings.NewReader(string(payload)))
	_, err := decoder.Token()
	require.NoError(t, err)
	for decoder.More() {
		name, err := decoder.Token()
		require.NoError(t, err)
		names = append(names, name.(string))
		var value json.RawMessage
		require.NoError(t, decoder.Decode(&value))
	}
	return names
}

func TestOtherTopic(t *testing.T) {
	b := startBus(t)
	named := listen(t, b)
	v := connect(t, b.XSub(), func(c *ChemBus) { c.Signal = topic + "_X" })
	// The consumer subscribes to the topic by its prefix, and so gets what it then drops.
	v.write(t, gapMetric("a", nil))
	require.Eventually(t, func() bool { return named.Dropped() == 1 }, patience, time.Millisecond)
	require.Empty(t, named.Received())
}

func TestMalformedMetricsAreToldOnce(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	v := connect(t, b.XSub())
	v.write(t,
		testutil.TestMetric(1.0, "cpu"),
		gapMetric("", nil),
		gapMetric("bad", map[string]any{"open": "yes"}),
		gapMetric("good", nil))
	v.write(t, gapMetric("bad", map[string]any{"zooid": nil}))
	require.Equal(t, []string{"good"}, received(t, c, "good"))
	require.Equal(t, []string{
		`1 metrics are no gaps and were not published; the last, "cpu", has no text in field "incident_id". ` +
			`Let only liveness_gap come here with namepass`,
	}, v.warnings())
}

func TestMaxPendingDropsTheOldest(t *testing.T) {
	b := startBus(t)
	v := connect(t, b.XSub(), func(c *ChemBus) { c.MaxPending = 2 })
	for i := range 5 {
		incident := fmt.Sprint(i)
		v.write(t, gapMetric(incident, map[string]any{"zooid": "z" + incident}))
	}
	require.Equal(t, []string{"3", "4"}, received(t, listen(t, b), "4"))
	require.Equal(t, []string{
		`Dropped 1 gaps, the last that of "z0": more than max_pending = 2 wait for a consumer on the bus`,
	}, v.warnings(), "once a minute")
}

// deadEndpoint returns an endpoint where something accepts connections and never says a word.
func deadEndpoint(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return "tcp://" + listener.Addr().String()
}

// flood is more than all queues between the voice and a paused bus hold.
func flood() []telegraf.Metric {
	metrics := make([]telegraf.Metric, 0, 4000)
	padding := strings.Repeat("x", 16<<10)
	for i := range cap(metrics) {
		metrics = append(metrics, gapMetric(fmt.Sprint(i), map[string]any{"severity": padding}))
	}
	return metrics
}

func TestNeitherWriteNorCloseHangs(t *testing.T) {
	paused := func(t *testing.T) string {
		b := startBus(t)
		c := listen(t, b)
		// The subscription has come through once this is heard; then nothing moves any more.
		v := connect(t, b.XSub())
		v.write(t, gapMetric("through", nil))
		received(t, c, "through")
		require.NoError(t, b.Pause())
		return b.XSub()
	}
	for _, test := range []struct {
		name     string
		endpoint func(*testing.T) string
	}{
		{"dead bus", deadEndpoint},
		{"no bus", func(t *testing.T) string {
			b := startBus(t)
			require.NoError(t, b.Kill())
			return b.XSub()
		}},
		{"no such host", func(*testing.T) string { return "tcp://no-such-host.invalid:5558" }},
		{"nobody listens", func(t *testing.T) string { return startBus(t).XSub() }},
		{"paused bus", paused},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := connect(t, test.endpoint(t), func(c *ChemBus) { c.closeTimeout = 50 * time.Millisecond })
			v.write(t, flood()...)
			v.write(t, gapMetric("last", nil))
			v.close(t)
			require.Contains(t, fmt.Sprint(v.warnings()), "Stopped with 4001 gaps that nobody on the bus could hear")
		})
	}
}

// TestCloseOnFullPipes has the bus stop when the voice knows of subscribers, so that much is on its way
// and the rest can not be sent.
func TestCloseOnFullPipes(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	v := connect(t, b.XSub(), func(c *ChemBus) { c.closeTimeout = 50 * time.Millisecond })
	v.write(t, gapMetric("through", nil))
	received(t, c, "through")
	require.NoError(t, b.Pause())
	v.write(t, flood()...)
	v.close(t)
	require.Contains(t, fmt.Sprint(v.warnings()), "gaps that nobody on the bus could hear")
}

func TestCloseWaitsForNothingWithoutNeed(t *testing.T) {
	b := startBus(t)
	for _, endpoint := range []string{b.XSub(), deadEndpoint(t)} {
		v := connect(t, endpoint, func(c *ChemBus) { c.closeTimeout = forever })
		v.close(t)
		require.Empty(t, v.warnings())
	}

	c := listen(t, b)
	v := connect(t, b.XSub(), func(c *ChemBus) { c.closeTimeout = forever })
	v.write(t, gapMetric("a", nil))
	v.close(t)
	require.Equal(t, []string{"a"}, received(t, c, "a"), "what was pending at Close is published")
	require.Empty(t, v.warnings())

	v = connect(t, b.XSub(), func(c *ChemBus) { c.closeTimeout = forever })
	v.write(t, gapMetric("b", nil))
	received(t, c, "b")
	require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond)
	v.close(t)
}

func TestCloseWaitsForSubscriber(t *testing.T) {
	b := startBus(t)
	v := connect(t, b.XSub(), func(c *ChemBus) { c.closeTimeout = forever })
	v.write(t, gapMetric("a", nil), gapMetric("b", nil))
	v.closed = true
	closed := make(chan error, 1)
	go func() { closed <- v.Close() }()
	require.Eventually(t, func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.idle != nil
	}, patience, time.Millisecond, "Close does not wait")
	c := listen(t, b)
	returns(t, "Close", closed)
	require.Equal(t, []string{"a", "b"}, received(t, c, "b"))
}

func TestWriteDuringClose(t *testing.T) {
	b := startBus(t)
	listen(t, b)
	for range 20 {
		v := connect(t, b.XSub(), func(c *ChemBus) { c.closeTimeout = time.Millisecond })
		var writers sync.WaitGroup
		for i := range 4 {
			writers.Go(func() {
				for n := range 50 {
					_ = v.Write([]telegraf.Metric{gapMetric(fmt.Sprint(i, " ", n), nil)})
				}
			})
		}
		v.close(t)
		writers.Wait()
	}
}

func TestSampleConfigIsOfTheDefaults(t *testing.T) {
	want, _ := standard()
	active := strings.ReplaceAll(want.SampleConfig(), "\n  # ", "\n  ")
	file := filepath.Join(t.TempDir(), "sample.conf")
	require.NoError(t, os.WriteFile(file, []byte(active), 0o600))
	cfg := config.NewConfig()
	require.NoError(t, cfg.LoadConfig(file))
	got := cfg.Outputs[0].Output.(*ChemBus)
	got.Log = want.Log
	require.Equal(t, want, got)
	require.Equal(t, 2*time.Second, got.closeTimeout)
}

func TestInitNamesTheBadOption(t *testing.T) {
	for _, test := range []struct {
		option, problem string
		set             func(*ChemBus)
	}{
		{"publish_endpoint", "nobody binds", func(c *ChemBus) { c.PublishEndpoint = "tcp://*:5558" }},
		{"publish_endpoint", "not a transport", func(c *ChemBus) { c.PublishEndpoint = "none" }},
		{"signal", "is empty", func(c *ChemBus) { c.Signal = "" }},
		{"intensity", "no number", func(c *ChemBus) { c.Intensity /= 0 * c.Intensity }},
		{"max_pending", "0 is out of range", func(c *ChemBus) { c.MaxPending = 0 }},
		{"max_pending", "-1 is out of range", func(c *ChemBus) { c.MaxPending = -1 }},
		{"max_pending", "is out of range", func(c *ChemBus) { c.MaxPending = 1 << 62 }},
	} {
		t.Run(test.option, func(t *testing.T) {
			c, _ := standard()
			test.set(c)
			var problem *option.Error
			require.ErrorAs(t, c.Init(), &problem)
			require.Equal(t, test.option, problem.Name)
			require.Contains(t, problem.Problem, test.problem)
			require.NotEmpty(t, problem.Allowed)
		})
	}
}
