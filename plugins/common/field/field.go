// Package field reads fields of metrics.
package field

import (
	"encoding/json"
	"math"

	"github.com/influxdata/telegraf"
)

// Number returns a field of any numeric type; false if there is none of that name, or it is not finite.
func Number(m telegraf.Metric, name string) (float64, bool) {
	v, _ := m.GetField(name)
	switch n := v.(type) {
	case float64:
		if !math.IsNaN(n) && !math.IsInf(n, 0) {
			return n, true
		}
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	}
	return 0, false
}

// Text returns a field that is a text; empty if there is none of that name.
func Text(m telegraf.Metric, name string) string {
	v, _ := m.GetField(name)
	s, _ := v.(string)
	return s
}

// Texts returns the texts in a field that is a JSON array of them; nil if there is none of that name. An error says that
// it is something else.
func Texts(m telegraf.Metric, name string) (texts []string, err error) {
	if s := Text(m, name); s != "" {
		err = json.Unmarshal([]byte(s), &texts)
	}
	return texts, err
}
