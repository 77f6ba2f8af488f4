package chembus

import (
	"strconv"
	"strings"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// The signals of D-REAM's telemetry. The same events come as lines of files, which the drop-in's
// inputs.tail reads: what is made of them here must be the same there.
const (
	signalMetric      = "metric"
	signalTimerStart  = "timer_start"
	signalTimerStop   = "timer_stop"
	signalLoggerInit  = "logger_init"
	signalLoggerClose = "logger_close"
	// signalUnmatched is never on the bus: it stands for a timer_start without its timer_stop.
	signalUnmatched = "timer_unmatched"
)

// telemetryFields are the fields of each event's metric; what else it holds is not reported.
var telemetryFields = map[string][]string{
	signalMetric:      {"value"},
	signalTimerStart:  {"started"},
	signalTimerStop:   {"elapsed"},
	signalLoggerInit:  {"path", "buffer_size", "timestamp"},
	signalLoggerClose: {"total_events", "elapsed"},
}

// telemetry returns the tags and fields of an event of the topic.
func telemetry(topic string, facts map[string]any) (tags map[string]string, fields map[string]any, reject bus.Reject) {
	flat, reject := flattenFacts(facts)
	if reject != "" {
		return nil, nil, reject
	}
	tags, fields = map[string]string{"signal": topic}, make(map[string]any)
	switch topic {
	case signalMetric, signalTimerStart, signalTimerStop:
		name, found := flat["name"]
		if !found {
			return nil, nil, bus.RejectBadSignal
		}
		tags["name"] = tagText(name)
		if tags["name"] == "" {
			return nil, nil, bus.RejectBadName
		}
	}
	if topic == signalMetric {
		for key, value := range flat {
			if text := tagText(value); strings.HasPrefix(key, "tags_") && text != "" {
				tags[key] = text
			}
		}
	}
	if topic == signalTimerStart {
		flat["started"] = true // a metric needs a field
	}
	for _, key := range telemetryFields[topic] {
		addField(fields, key, "text_"+key, flat[key])
	}
	for _, text := range tags {
		if !bus.ValidName(text) {
			return nil, nil, bus.RejectBadName
		}
	}
	if len(fields) == 0 {
		return nil, nil, bus.RejectBadSignal
	}
	return tags, fields, ""
}

// tagText is a flattened fact as Telegraf's JSON parser makes a tag of it.
func tagText(value any) string {
	switch v := value.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	}
	return ""
}
