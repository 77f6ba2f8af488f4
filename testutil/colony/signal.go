package colony

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Signal is the content of a message other than a heartbeat.
type Signal struct {
	Name       string // topic and signal
	Ecosystem  string
	Intensity  float64        // finite
	Facts      map[string]any // nil: none
	IncidentID string         // empty: null, with which consumers handle each copy
	TS         float64        // time of sending, in epoch seconds
}

// Payload returns the message as compact JSON with the keys of the real emitters. It fails on facts that JSON cannot hold.
func (s Signal) Payload() ([]byte, error) {
	facts := []byte("{}")
	if len(s.Facts) > 0 {
		var err error
		if facts, err = json.Marshal(s.Facts); err != nil {
			return nil, fmt.Errorf("colony: facts of the signal %q: %w", s.Name, err)
		}
	}
	b := appendString([]byte(`{"signal":`), s.Name)
	b = appendString(append(b, `,"ecosystem":`...), s.Ecosystem)
	b = appendFloat(append(b, `,"intensity":`...), s.Intensity)
	b = append(append(b, `,"facts":`...), facts...)
	b = append(b, `,"incident_id":`...)
	if s.IncidentID == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, s.IncidentID)
	}
	b = appendFloat(append(b, `,"trace":null,"ts":`...), s.TS)
	return append(b, `,"schema_version":1,"channel":"legacy"}`...), nil
}

// appendFloat writes a number as Python's repr does: 1.0, not 1.
func appendFloat(b []byte, f float64) []byte {
	if f == math.Trunc(f) {
		return strconv.AppendFloat(b, f, 'f', 1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

// Publish sends a signal. Like a heartbeat it is dropped silently if nobody has subscribed to its topic.
func (p *Publisher) Publish(s Signal) error {
	payload, err := s.Payload()
	if err != nil {
		return err
	}
	return p.Send([]byte(s.Name), payload)
}
