package chembus

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/testutil"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

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

			"detection_method":    "heartbeat_silence: no heartbeat for more than 30 s of the time in which the bus could be heard",
			"recommended_actions": []any{"Check that the process of the component runs", "Look at the last lines of its log"},
			"niche":               "voice",
			"host":                "h",
			"threshold_seconds":   30.0,
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

// TestFactsThatMayBeAbsent publishes what an override says of a component, and a metric that says as little as is allowed.
func TestFactsThatMayBeAbsent(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	v := connect(t, b.XSub())
	v.write(t,
		gapMetric("much", map[string]any{"actions": `["Restart the \"sound\" server"]`, "unit": "audio.service", "severity": "odd"}),
		gapMetric("little", map[string]any{"niche": nil, "host": nil, "threshold_s": nil, "severity": nil, "actions": "[]"}))
	received(t, c, "little")
	much, little := c.Received()[0].Facts, c.Received()[1].Facts
	require.Equal(t, []any{`Restart the "sound" server`}, much["recommended_actions"])
	require.Equal(t, "audio.service", much["unit"])
	require.Equal(t, "odd", much["severity"])
	require.Equal(t, "heartbeat_silence", little["detection_method"])
	require.Len(t, little["recommended_actions"], 2)
	for _, fact := range []string{"niche", "host", "threshold_seconds", "severity", "unit"} {
		require.NotContains(t, little, fact)
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
		`Dropped 1 gaps, the last that of "z0": more than max_pending = 2 wait for a consumer on the bus. ` +
			"Start a consumer, or raise max_pending",
	}, v.warnings(), "once a minute")
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
		{"confirm_timeout", "too long", func(c *ChemBus) { c.ConfirmTimeout = config.Duration(31 * time.Second) }},
		{"signal", "too short", func(c *ChemBus) { c.Signal = "X" }},
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
