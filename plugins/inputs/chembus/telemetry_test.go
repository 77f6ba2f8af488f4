package chembus

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// What is made of well-formed events is compared with what Telegraf makes of their files in testutil/e2e.
func TestTelemetry(t *testing.T) {
	for _, test := range []struct {
		topic, facts string
		tags         map[string]string
		fields       map[string]any
	}{
		{"metric", `{"name":"loss","value":1,"tags":{"gpu":0,"run":"a b","deep":{"x":true},"empty":"","none":null}}`,
			map[string]string{"name": "loss", "tags_gpu": "0", "tags_run": "a b", "tags_deep_x": "true"}, map[string]any{"value": 1.0}},
		{"metric", `{"name":"é","value":"high"}`, map[string]string{"name": "é"}, map[string]any{"text_value": "high"}},
		{"metric", `{"name":"x","value":false,"tags":{"signal":"forged","name":"forged","host":"forged"}}`,
			map[string]string{"name": "x", "tags_signal": "forged", "tags_name": "forged", "tags_host": "forged"}, map[string]any{"value": 0.0}},
		{"timer_start", `{"name":"step","tags":{"a":"b"},"more":1}`, map[string]string{"name": "step"}, map[string]any{"started": 1.0}},
		{"timer_stop", `{"name":"step","elapsed":2}`, map[string]string{"name": "step"}, map[string]any{"elapsed": 2.0}},
		{"logger_init", `{"path":"/a","buffer_size":100,"timestamp":5,"name":"x"}`, map[string]string{},
			map[string]any{"text_path": "/a", "buffer_size": 100.0, "timestamp": 5.0}},
		{"logger_close", `{"total_events":3,"elapsed":1.5}`, map[string]string{}, map[string]any{"total_events": 3.0, "elapsed": 1.5}},
	} {
		tags, fields, reject := telemetry(test.topic, decodeFacts(t, test.facts))
		require.Empty(t, reject, test.facts)
		test.tags["signal"] = test.topic
		require.Equal(t, test.tags, tags, test.facts)
		require.Equal(t, test.fields, fields, test.facts)
	}
}

func TestTelemetryRejects(t *testing.T) {
	long := strings.Repeat("x", bus.MaxNameLength+1)
	for _, test := range []struct {
		topic, facts string
		expected     bus.Reject
	}{
		{"metric", `{}`, bus.RejectBadSignal},
		{"metric", `{"name":"x"}`, bus.RejectBadSignal},
		{"metric", `{"value":1}`, bus.RejectBadSignal},
		{"metric", `{"name":"x","value":null}`, bus.RejectBadSignal},
		{"metric", `{"name":"x","value":NaN}`, bus.RejectBadSignal},
		{"metric", `{"name":"x","value":[1]}`, bus.RejectBadSignal},
		{"metric", `{"name":["x"],"value":1}`, bus.RejectBadSignal},
		{"metric", `{"name":"","value":1}`, bus.RejectBadName},
		{"metric", `{"name":"a\nb","value":1}`, bus.RejectBadName},
		{"metric", `{"name":"` + long + `","value":1}`, bus.RejectBadName},
		{"metric", `{"name":"x","value":1,"tags":{"a":"b\n"}}`, bus.RejectBadName},
		{"metric", `{"name":"x","value":1,"tags":{"a":"b\\"}}`, bus.RejectBadName},
		{"metric", `{"name":"x","value":1,"tags":{"a\u0000":"b"}}`, bus.RejectBadName},
		{"metric", `{"name":"x","value":1,"tags":{"a":"` + long + `"}}`, bus.RejectBadName},
		{"metric", `{"name":"x","value":1,"tags":{"a":1e300}}`, bus.RejectBadName}, // 301 digits
		{"metric", `{"name":"x","value":1,"tags":{"a_b":1,"a":{"b":2}}}`, bus.RejectBadSignal},
		{"timer_start", `{}`, bus.RejectBadSignal},
		{"timer_stop", `{"name":"x"}`, bus.RejectBadSignal},
		{"timer_stop", `{"elapsed":1}`, bus.RejectBadSignal},
		{"logger_init", `{}`, bus.RejectBadSignal},
		{"logger_close", `{"elapsed":{}}`, bus.RejectBadSignal},
	} {
		_, _, reject := telemetry(test.topic, decodeFacts(t, test.facts))
		require.Equal(t, test.expected, reject, "%s %.80s", test.topic, test.facts)
	}
}
