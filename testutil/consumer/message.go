package consumer

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Message is a received message. A key that is missing in the payload or of an unexpected type has its zero value.
type Message struct {
	Signal        string
	Ecosystem     string
	Intensity     float64
	Facts         map[string]any // numbers are float64
	IncidentID    *string        // nil if it is no string: such a message is always handled
	Trace         any
	TS            float64 // time of sending, in epoch seconds
	SchemaVersion int
	Channel       string

	Payload  []byte    // as received
	Received time.Time // by the clock of this machine, not by Config.Now
	Handled  bool      // false: dropped as a duplicate
}

// nonFinite matches the non-finite numbers of Python's JSON, and strings so that their content is not changed.
var nonFinite = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|NaN|-?Infinity`)

// decode accepts what the real consumers accept, which are written in Python: any JSON object, also with NaN and Infinity.
// Those are decoded as null.
func decode(payload []byte) (Message, error) {
	var keys map[string]any
	if err := json.Unmarshal(withoutNonFinite(payload), &keys); err != nil {
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

// withoutNonFinite replaces non-finite numbers with null.
func withoutNonFinite(payload []byte) []byte {
	return nonFinite.ReplaceAllFunc(payload, func(token []byte) []byte {
		if token[0] == '"' {
			return token
		}
		return []byte("null")
	})
}
