package chembus

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"

	flattener "github.com/influxdata/telegraf/plugins/parsers/json"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// The bounds of a signal's facts. A message has a bound of its own, in bytes.
const (
	maxFacts      = 100     // values, counting lists and objects too
	maxFactsDepth = 8       // lists and objects in each other
	maxTextLength = 8 << 10 // bytes of one text
)

// flattenFacts makes one level of nested facts: floats, booleans and texts by the keys that lead to them,
// joined by "_" as Telegraf joins them. What says nothing, null and what is no finite number, is left out.
func flattenFacts(facts map[string]any) (map[string]any, bus.Reject) {
	var r factsReader
	tree, reject := r.read(facts, 0, 0)
	if reject != "" {
		return nil, reject
	}
	var flat flattener.JSONFlattener
	if err := flat.FullFlattenJSON("", tree, true, true); err != nil || len(flat.Fields) != r.leaves {
		// Of {"a_b":1,"a":{"b":2}} it would keep either.
		return nil, bus.RejectBadSignal
	}
	for key := range flat.Fields {
		// Line protocol has no way to write every field key with a backslash: before a comma, a space or an equals sign it
		// is read as the escape of that.
		if !bus.ValidName(key) || strings.Contains(key, `\`) {
			return nil, bus.RejectBadName
		}
	}
	return flat.Fields, ""
}

// factsReader checks facts before they are flattened, which would multiply the length of a key by the
// number of values below it.
type factsReader struct {
	values, leaves int
}

// read returns the value as the flattener takes it. Its key has pathLength bytes.
func (r *factsReader) read(value any, pathLength, depth int) (any, bus.Reject) {
	r.values++
	if r.values > maxFacts || depth > maxFactsDepth || pathLength > bus.MaxNameLength {
		return nil, bus.RejectBounds
	}
	switch v := value.(type) {
	case map[string]any:
		object := make(map[string]any, len(v))
		for key, value := range v {
			if key == "" {
				return nil, bus.RejectBadName
			}
			read, reject := r.read(value, pathLength+len(key)+len("_"), depth+1)
			if reject != "" {
				return nil, reject
			}
			object[key] = read
		}
		return object, ""
	case []any:
		list := make([]any, len(v))
		for i, value := range v {
			read, reject := r.read(value, pathLength+len(strconv.Itoa(i))+len("_"), depth+1)
			if reject != "" {
				return nil, reject
			}
			list[i] = read
		}
		return list, ""
	case json.Number:
		number, ok := finiteNumber(v)
		if !ok {
			return nil, ""
		}
		r.leaves++
		return number, ""
	case string:
		if len(v) > maxTextLength {
			return nil, bus.RejectBounds
		}
		r.leaves++
		return v, ""
	case bool:
		r.leaves++
		return v, ""
	}
	return nil, ""
}

// finiteNumber returns a decoded value as a number; false if it is none, or too large for one.
func finiteNumber(value any) (float64, bool) {
	text, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	number, err := text.Float64()
	return number, err == nil
}

// addField adds a flattened fact. A database takes a field in one type only, so a number is always a float, a
// boolean one of 1 or 0, and a text goes to a field of another name.
func addField(fields map[string]any, numberKey, textKey string, value any) {
	switch v := value.(type) {
	case float64:
		fields[numberKey] = v
	case bool:
		fields[numberKey] = 0.0
		if v {
			fields[numberKey] = 1.0
		}
	case string:
		fields[textKey] = printable(v)
	}
}

// printable returns a text without what breaks a line or drives a terminal: each such character is a space.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}
