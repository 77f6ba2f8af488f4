package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/influxdata/telegraf/metric"
	serializer "github.com/influxdata/telegraf/plugins/serializers/influx"
)

// lineWriter makes lines in line protocol of metrics, as Telegraf's serializer does.
type lineWriter struct {
	text    []byte // the lines
	encoder lineprotocol.Encoder

	// Of the last metric, in order. Most have the same as the one before.
	tagKeys, fieldKeys []string
}

// Add adds a metric. One without fields is left out. One that the encoder refuses, such as for a control character in a
// tag, is written by Telegraf's own serializer.
func (w *lineWriter) Add(name string, tags map[string]string, fields map[string]any, at time.Time) error {
	w.encoder.SetBuffer(w.text)
	w.encoder.StartLine(name)
	w.tagKeys = keysInOrder(w.tagKeys, tags)
	for _, key := range w.tagKeys {
		if value := strings.TrimRight(tags[key], `\`); key != "" && value != "" {
			w.encoder.AddTag(key, value)
		}
	}
	added := false
	w.fieldKeys = keysInOrder(w.fieldKeys, fields) // a metric is read fastest if it is laid out like the one before
	for _, key := range w.fieldKeys {
		field := fields[key]
		if text, ok := field.(string); ok && strings.ContainsAny(text, "\n\r\t") {
			return w.addByTelegraf(name, tags, fields, at) // whose parser does not know the escapes of these
		}
		if value, ok := valueOf(field); ok {
			w.encoder.AddField(key, value)
			added = true
		}
	}
	if !added {
		return nil
	}
	w.encoder.EndLine(at)
	if w.encoder.Err() != nil {
		return w.addByTelegraf(name, tags, fields, at)
	}
	w.text = w.encoder.Bytes()
	return nil
}

// keysInOrder returns the keys of a map in order, in the place of those of the one before.
func keysInOrder[V any](before []string, m map[string]V) []string {
	lacks := func(key string) bool {
		_, has := m[key]
		return !has
	}
	if len(before) == len(m) && !slices.ContainsFunc(before, lacks) {
		return before
	}
	keys := before[:0]
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// addByTelegraf adds a metric by Telegraf's own serializer.
func (w *lineWriter) addByTelegraf(name string, tags map[string]string, fields map[string]any, at time.Time) error {
	var s serializer.Serializer
	line, err := s.Serialize(metric.New(name, tags, fields, at))
	if err != nil {
		return fmt.Errorf("writing a metric %q: %w", name, err)
	}
	w.text = append(w.text, line...)
	return nil
}

// valueOf returns a field's value; false if line protocol has none such, as for a NaN.
func valueOf(field any) (lineprotocol.Value, bool) {
	switch v := field.(type) {
	case int:
		return lineprotocol.IntValue(int64(v)), true
	case uint64: // not every database has unsigned integers
		return lineprotocol.IntValue(int64(min(v, math.MaxInt64))), true
	case string:
		return lineprotocol.StringValue(strings.ToValidUTF8(v, "\uFFFD"))
	}
	return lineprotocol.NewValue(field)
}
