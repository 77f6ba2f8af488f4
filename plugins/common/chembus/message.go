// Package chembus holds what the input and the output share: the messages, the connections and the endpoints of
// ChemBus, a ZeroMQ publish/subscribe bus with a proxy between publishers and subscribers.
package chembus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// schemaVersion is the version of the message that this package writes.
const schemaVersion = 1

// channel is what today's components write in the key of that name.
const channel = "legacy"

// Message is a message to publish, in the order in which its keys are written.
type Message struct {
	Signal        string  `json:"signal"` // equals the topic
	Ecosystem     string  `json:"ecosystem"`
	Intensity     Float   `json:"intensity"`
	Facts         any     `json:"facts"`       // what makes a JSON object
	IncidentID    *string `json:"incident_id"` // nil: consumers handle every copy of the message
	Trace         *string `json:"trace"`
	TS            Float   `json:"ts"` // epoch seconds at which it was sent
	SchemaVersion int     `json:"schema_version"`
	Channel       string  `json:"channel"`
}

// Encode returns the message's payload: compact UTF-8 JSON. It fails on facts that JSON cannot hold,
// such as a NaN.
func (m Message) Encode() ([]byte, error) {
	m.SchemaVersion = schemaVersion
	m.Channel = channel
	payload, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding signal %q: %w", m.Signal, err)
	}
	return payload, nil
}

// Float is a number that stays a float in languages that tell 1.0 from 1, as Python does.
type Float float64

// MarshalJSON writes the shortest form with a fraction or an exponent. It fails on NaN and infinities.
func (f Float) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(float64(f))
	if err == nil && !bytes.ContainsAny(text, ".e") {
		text = append(text, ".0"...)
	}
	return text, err
}

// EpochSeconds is the bus's form of a time.
func EpochSeconds(t time.Time) float64 {
	return float64(t.UnixNano()) / 1e9
}
