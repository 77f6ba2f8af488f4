package chembus

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/tidwall/gjson"
)

// Received is what a message of the bus says, whoever wrote it. What is missing or of another type counts as not
// said. The texts may hold anything that UTF-8 can; see ValidName.
type Received struct {
	Signal     string
	Ecosystem  string
	Intensity  float64 // NaN: not said
	IncidentID string  // empty, as for null: consumers handle every copy of the message
	TS         float64 // epoch seconds at which it was sent; NaN: not said

	facts string // JSON; empty: none
}

// ErrNoFacts says that the facts of a message are not what they have to be.
var ErrNoFacts = errors.New("the facts are no JSON object")

// ParseMessage reads the payload of any message; false if it is no JSON object in UTF-8. Python's NaN and Infinity
// count as missing values, and of a repeated key the last one counts. How much a payload may hold is for the caller to
// bound: reading takes stack for each level of brackets.
func ParseMessage(payload string) (Received, bool) {
	payload, ok := ProperJSON(payload)
	if !ok {
		return Received{}, false
	}
	root := gjson.Parse(payload)
	if !root.IsObject() {
		return Received{}, false
	}
	m := Received{Intensity: math.NaN(), TS: math.NaN()}
	root.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "signal":
			m.Signal = value.Str
		case "ecosystem":
			m.Ecosystem = value.Str
		case "intensity":
			m.Intensity = finite(value)
		case "facts":
			m.facts = value.Raw
		case "incident_id":
			m.IncidentID = value.Str
		case "ts":
			m.TS = finite(value)
		}
		return true
	})
	return m, true
}

// DecodeFacts decodes the facts as json.Unmarshal does, but with each number in an interface as a json.Number, which
// no size makes an error. Without facts nothing is changed. An error says that they are no object, nested too deeply,
// or of other types.
func (m *Received) DecodeFacts(into any) error {
	if m.facts == "" || m.facts == "null" {
		return nil
	}
	if m.facts[0] != '{' {
		return ErrNoFacts
	}
	decoder := json.NewDecoder(strings.NewReader(m.facts))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("decoding the facts: %w", err)
	}
	return nil
}
