package colony

import (
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf16"
)

// Topic is the topic and the signal of heartbeats.
const Topic = "HEARTBEAT"

// Quirks are deviations that are possible for emitters written in Python.
type Quirks struct {
	Integers    bool // integers where floats are expected, such as a ts of 1795446803
	MissingKeys bool // no niche, uptime_s, processed_count, incident_id, trace, schema_version and channel
	NaN         bool // NaN or Infinity, which are not JSON, for each float
}

// Heartbeat is the content of a heartbeat.
type Heartbeat struct {
	Zooid          string
	Niche          string
	Uptime         float64 // seconds; today's emitters put the epoch time here
	ProcessedCount int     // messages processed in the last 60 s
	TS             float64 // time of sending, in epoch seconds
	Runtime        bool    // in the dialect of ZooidRuntime, without uptime_s and processed_count
	Quirks         Quirks
}

// Payload returns the heartbeat as the real emitters write it with Python's json.dumps, byte for byte: compact, keys in
// the same order, floats as repr, non-ASCII characters escaped.
func (h Heartbeat) Payload() []byte {
	b := make([]byte, 0, 320)
	b = append(b, `{"signal":"`+Topic+`","ecosystem":"colony","intensity":`...)
	b = h.appendFloat(b, 1, "NaN")
	b = append(b, `,"facts":{"zooid":`...)
	b = appendString(b, h.Zooid)
	if !h.Quirks.MissingKeys {
		b = append(b, `,"niche":`...)
		b = appendString(b, h.Niche)
		if h.Runtime {
			b = append(b, `,"ts":`...)
			b = h.appendFloat(b, h.TS, "NaN")
			b = append(b, `,"schema":1,"incidents_handled":`...)
		} else {
			b = append(b, `,"uptime_s":`...)
			b = h.appendFloat(b, h.Uptime, "Infinity")
			b = append(b, `,"processed_count":`...)
		}
		b = strconv.AppendInt(b, int64(h.ProcessedCount), 10)
		b = append(b, `},"incident_id":null,"trace":null`...)
	} else {
		b = append(b, '}')
	}
	b = append(b, `,"ts":`...)
	b = h.appendFloat(b, h.TS, "NaN")
	if !h.Quirks.MissingKeys {
		b = append(b, `,"schema_version":1,"channel":"legacy"`...)
	}
	return append(b, '}')
}

func (h Heartbeat) appendFloat(b []byte, f float64, token string) []byte {
	switch {
	case h.Quirks.NaN:
		return append(b, token...)
	case h.Quirks.Integers:
		return strconv.AppendFloat(b, math.Trunc(f), 'f', 0, 64)
	}
	return appendFloat(b, f)
}

// appendString quotes as json.dumps does with ensure_ascii.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			b = append(b, '\\', byte(r))
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		default:
			switch {
			case ' ' <= r && r <= '~':
				b = append(b, byte(r))
			case r > 0xffff:
				high, low := utf16.EncodeRune(r)
				b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
			default:
				b = fmt.Appendf(b, `\u%04x`, r)
			}
		}
	}
	return append(b, '"')
}

// epoch returns a time as Python's time.time() does.
func epoch(t time.Time) float64 {
	return float64(t.UnixNano()) / 1e9
}
