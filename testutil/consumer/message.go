package consumer

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Message is a message as a consumer received it. What is missing in the payload, or of another type than
// expected, has its zero value.
type Message struct {
	Signal        string
	Ecosystem     string
	Intensity     float64
	Facts         map[string]any // numbers are float64
	IncidentID    *string        // nil: not a string, so the replay defence does not apply
	Trace         any
	TS            float64 // epoch seconds at which it was sent
	SchemaVersion int
	Channel       string

	Payload  []byte    // as it was on the wire
	Received time.Time // by this machine's clock, whatever the consumer's clock is
	Handled  bool      // false: the replay defence dropped it
}

// nonFinite matches strings, so as to step over them, and the tokens of Python's JSON that JSON lacks.
var nonFinite = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|NaN|-?Infinity`)

// decode is as lenient as the real consumers, which are Python: any JSON object will do, and NaN and
// Infinity are taken; they read as null.
func decode(payload []byte) (Message, error) {
	clean := nonFinite.ReplaceAllFunc(payload, func(token []byte) []byte {
		if token[0] == '"' {
			return token
		}
		return []byte("null")
	})
	var keys map[string]any
	if err := json.Unmarshal(clean, &keys); err != nil {
		return Message{}, fmt.Errorf("consumer: decoding a payload of %d bytes: %w", len(payload), err)
	}
	if keys == nil {
		return Message{}, errors.New("consumer: the payload is null, not a JSON object")
	}
	m := Message{Trace: keys["trace"], Payload: payload}
	m.Signal, _ = keys["signal"].(string)
	m.Ecosystem, _ = keys["ecosystem"].(string)
	m.Intensity, _ = keys["intensity"].(float64)
	m.Facts, _ = keys["facts"].(map[string]any)
	if id, ok := keys["incident_id"].(string); ok {
		m.IncidentID = &id
	}
	m.TS, _ = keys["ts"].(float64)
	version, _ := keys["schema_version"].(float64)
	m.SchemaVersion = int(version)
	m.Channel, _ = keys["channel"].(string)
	return m, nil
}
