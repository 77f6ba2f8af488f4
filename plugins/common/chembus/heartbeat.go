package chembus

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// MaxNameLength is the longest name of a zooid or niche that is accepted, in bytes.
const MaxNameLength = 256

// maxUptime is the longest uptime that is taken for one, in seconds (31 years). Today's components put
// the epoch time there, which is larger.
const maxUptime = 1e9

// Heartbeat is what a heartbeat says. Its strings may share memory with the payload: clone what
// outlives it.
type Heartbeat struct {
	Zooid          string
	Niche          string  // empty if missing or unusable
	Sent           float64 // the payload's ts, epoch seconds; NaN if missing
	ProcessedCount int64   // of a 60 s window, no counter; incidents_handled of ZooidRuntime; -1 if missing
	Uptime         float64 // seconds; NaN if missing or impossible
}

// ParseHeartbeat reads the payload of a heartbeat. The reason is empty if it is one. For many of them there is
// HeartbeatParser.
//
// The components are written in Python, whose JSON may hold the tokens NaN and Infinity: they count as missing
// values, not as an error, because a component that sends them is alive. Of a repeated key the last
// one counts, as in Python.
func ParseHeartbeat(payload string) (Heartbeat, Reject) {
	if beat, ok := parsePlain(payload); ok {
		return beat, ""
	}
	return parseAny(payload)
}

// parseAny is the general way.
func parseAny(payload string) (Heartbeat, Reject) {
	payload, ok := ProperJSON(payload)
	if !ok {
		return Heartbeat{}, RejectJSON
	}
	root := gjson.Parse(payload)
	if !root.IsObject() {
		return Heartbeat{}, RejectJSON
	}
	beat := Heartbeat{Sent: math.NaN(), ProcessedCount: -1, Uptime: math.NaN()}
	var facts, zooid gjson.Result
	handled := int64(-1) // incidents_handled
	root.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "ts":
			beat.Sent = finite(value)
		case "facts":
			facts = value
		}
		return true
	})
	if !facts.IsObject() {
		return Heartbeat{}, RejectNoZooid
	}
	facts.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "zooid":
			zooid = value
		case "niche":
			beat.Niche = nicheOf(value)
		case "processed_count":
			beat.ProcessedCount = countOf(finite(value))
		case "incidents_handled":
			handled = countOf(finite(value))
		case "uptime_s":
			beat.Uptime = uptimeOf(finite(value))
		}
		return true
	})
	if zooid.Type == gjson.Null {
		return Heartbeat{}, RejectNoZooid
	}
	if zooid.Type != gjson.String || !ValidName(zooid.Str) {
		return Heartbeat{}, RejectBadName
	}
	beat.Zooid = zooid.Str
	if beat.ProcessedCount < 0 {
		beat.ProcessedCount = handled
	}
	return beat, ""
}

func finite(value gjson.Result) float64 {
	if value.Type != gjson.Number || math.IsInf(value.Num, 0) {
		return math.NaN()
	}
	return value.Num
}

func nicheOf(value gjson.Result) string {
	if value.Type != gjson.String || !ValidName(value.Str) {
		return ""
	}
	return value.Str
}

func countOf(n float64) int64 {
	if !(n >= 0 && n < 1<<53) {
		return -1
	}
	return int64(n)
}

func uptimeOf(uptime float64) float64 {
	if !(uptime >= 0 && uptime < maxUptime) {
		return math.NaN()
	}
	return uptime
}

// ValidName accepts what can be a tag and part of a log line unharmed. Line protocol cannot hold every
// tag with a backslash: at the end it would escape the separator, so the serializer cuts it off, and
// before a quote Telegraf's parser takes it for an escape.
func ValidName(name string) bool {
	if name == "" || len(name) > MaxNameLength || strings.HasSuffix(name, `\`) || strings.Contains(name, `\"`) {
		return false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c < ' ' || c >= 0x7f {
			return utf8.ValidString(name[i:]) && !strings.ContainsFunc(name[i:], unprintable)
		}
	}
	return true
}

// Unnamed reports whether a zooid has no name of its own: "zooid_" and the number of its process, which changes with
// every start.
func Unnamed(zooid string) bool {
	number, found := strings.CutPrefix(zooid, "zooid_")
	return found && number != "" && strings.Trim(number, "0123456789") == ""
}

// unprintable reports the characters that break a line: control characters, line and paragraph
// separators.
func unprintable(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp)
}

// ProperJSON returns a payload as JSON proper, with null for Python's NaN and Infinity; false if it is
// no JSON in UTF-8 even so.
func ProperJSON(payload string) (string, bool) {
	if !utf8.ValidString(payload) {
		return "", false
	}
	if gjson.Valid(payload) {
		return payload, true
	}
	payload = nullNonFinite(payload)
	return payload, gjson.Valid(payload)
}

// nullNonFinite replaces the tokens NaN, Infinity and -Infinity outside of strings with null.
func nullNonFinite(payload string) string {
	var out strings.Builder
	out.Grow(len(payload))
	inString := false
	for i := 0; i < len(payload); i++ {
		c := payload[i]
		switch {
		case inString && c == '\\' && i+1 < len(payload):
			out.WriteByte(c)
			i++
			c = payload[i]
		case c == '"':
			inString = !inString
		case !inString && (c == 'N' || c == 'I' || c == '-'):
			if n := nonFiniteToken(payload[i:]); n > 0 {
				out.WriteString("null")
				i += n - 1
				continue
			}
		}
		out.WriteByte(c)
	}
	return out.String()
}

func nonFiniteToken(s string) int {
	for _, token := range []string{"NaN", "Infinity", "-Infinity"} {
		if strings.HasPrefix(s, token) {
			return len(token)
		}
	}
	return 0
}
