package chembus

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/telegraf/metric"
	influxparser "github.com/influxdata/telegraf/plugins/parsers/influx"
	"github.com/influxdata/telegraf/plugins/serializers/influx"
	"github.com/stretchr/testify/require"
)

// facts returns a heartbeat with the given facts, as JSON text.
func facts(text string) string {
	return `{"signal":"HEARTBEAT","facts":` + text + `,"ts":100.5}`
}

func TestParseHeartbeat(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		name, payload string
		expected      Heartbeat
	}{
		{
			name: "as on the wire, with an epoch time for an uptime",
			payload: `{"signal":"HEARTBEAT","ecosystem":"colony","intensity":1.0,"facts":{"zooid":"meta_agent",` +
				`"niche":"consciousness","uptime_s":1795446803.878135,"processed_count":7},"incident_id":null,` +
				`"trace":null,"ts":1795446803.8781514,"schema_version":1,"channel":"legacy"}`,
			expected: Heartbeat{"meta_agent", "consciousness", 1795446803.8781514, 7, nan},
		},
		{
			name:     "nothing but a name",
			payload:  `{"facts":{"zooid":"a"}}`,
			expected: Heartbeat{"a", "", nan, -1, nan},
		},
		{
			name:     "integers for floats, a float for an integer",
			payload:  `{"facts":{"zooid":"a","uptime_s":60,"processed_count":7.0},"ts":1795446803}`,
			expected: Heartbeat{"a", "", 1795446803, 7, 60},
		},
		{
			name:     "tokens that JSON does not know",
			payload:  `{"intensity":NaN,"facts":{"zooid":"a","niche":NaN,"uptime_s":Infinity,"processed_count":-Infinity},"ts":NaN}`,
			expected: Heartbeat{"a", "", nan, -1, nan},
		},
		{
			name:     "names that look like the tokens, beside a token",
			payload:  `{"facts":{"zooid":"NaN \"-Infinity\"","niche":"Infinity"},"ts":-Infinity}`,
			expected: Heartbeat{`NaN "-Infinity"`, "Infinity", nan, -1, nan},
		},
		{
			name:     "escaped names, one beyond the basic plane",
			payload:  facts(`{"zooid":"\u00e9\ud83d\ude00","niche":"\u97f3"}`),
			expected: Heartbeat{"é😀", "音", 100.5, -1, nan},
		},
		{
			name:     "the same unescaped",
			payload:  facts(`{"zooid":"é😀","niche":"音"}`),
			expected: Heartbeat{"é😀", "音", 100.5, -1, nan},
		},
		{
			name:     "half a surrogate pair",
			payload:  facts(`{"zooid":"a\ud83d"}`),
			expected: Heartbeat{"a\ufffd", "", 100.5, -1, nan},
		},
		{
			name:     "quotes in a name",
			payload:  facts(`{"zooid":"the \"old\" one's"}`),
			expected: Heartbeat{`the "old" one's`, "", 100.5, -1, nan},
		},
		{
			name:     "an escaped key",
			payload:  facts(`{"z\u006foid":"a"}`),
			expected: Heartbeat{"a", "", 100.5, -1, nan},
		},
		{
			name:     "repeated keys: the last one counts",
			payload:  `{"ts":1,"facts":{"zooid":"a","zooid":"b","niche":"x","niche":"y"},"ts":2}`,
			expected: Heartbeat{"b", "y", 2, -1, nan},
		},
		{
			name:     "repeated facts: nothing is left of the first",
			payload:  `{"facts":{"zooid":"a","niche":"x","processed_count":1,"uptime_s":1},"facts":{"zooid":"b"}}`,
			expected: Heartbeat{"b", "", nan, -1, nan},
		},
		{
			name:     "wild numbers",
			payload:  `{"facts":{"zooid":"a","uptime_s":-1,"processed_count":1e300},"ts":1e999}`,
			expected: Heartbeat{"a", "", nan, -1, nan},
		},
		{
			name:     "a count that no int64 holds exactly, an uptime just too long",
			payload:  facts(`{"zooid":"a","uptime_s":1e9,"processed_count":9007199254740992}`),
			expected: Heartbeat{"a", "", 100.5, -1, nan},
		},
		{
			name:     "text for numbers, a number for a niche",
			payload:  `{"facts":{"zooid":"a","niche":1,"uptime_s":"60","processed_count":true},"ts":"100"}`,
			expected: Heartbeat{"a", "", nan, -1, nan},
		},
		{
			name:     "a niche that cannot be a tag",
			payload:  facts(`{"zooid":"a","niche":"x\ny"}`),
			expected: Heartbeat{"a", "", 100.5, -1, nan},
		},
		{
			name:     "the longest name",
			payload:  facts(`{"zooid":"` + strings.Repeat("n", MaxNameLength) + `"}`),
			expected: Heartbeat{strings.Repeat("n", MaxNameLength), "", 100.5, -1, nan},
		},
		{
			name:     "keys that are not ours",
			payload:  `{"zooid":"outside","more":{"facts":{"zooid":"inside"}},"facts":{"more":[{"zooid":"deep"}],"zooid":"a"}}`,
			expected: Heartbeat{"a", "", nan, -1, nan},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			beat, reject := ParseHeartbeat(test.payload)
			require.Empty(t, reject)
			requireSame(t, test.expected, beat)
		})
	}
}

// requireSame compares heartbeats; a NaN is the same as a NaN.
func requireSame(t *testing.T, expected, actual Heartbeat) {
	t.Helper()
	text := func(b Heartbeat) []string {
		return []string{
			b.Zooid, b.Niche, strconv.FormatFloat(b.Sent, 'g', -1, 64),
			strconv.FormatInt(b.ProcessedCount, 10), strconv.FormatFloat(b.Uptime, 'g', -1, 64),
		}
	}
	require.Equal(t, text(expected), text(actual))
}

func TestParseHeartbeatRejects(t *testing.T) {
	for _, test := range []struct {
		name, payload string
		expected      Reject
	}{
		{"nothing", "", RejectJSON},
		{"no JSON", "hello", RejectJSON},
		{"bare NaN", "NaN", RejectJSON},
		{"null", "null", RejectJSON},
		{"a list", `[{"facts":{"zooid":"a"}}]`, RejectJSON},
		{"text", `"facts"`, RejectJSON},
		{"half an object", `{"facts":{"zooid":"a"}`, RejectJSON},
		{"two objects", facts(`{"zooid":"a"}`) + facts(`{"zooid":"a"}`), RejectJSON},
		{"an unquoted word like a token", facts(`{"zooid":"a","niche":NaNo}`), RejectJSON},
		{"invalid UTF-8 in the name", facts("{\"zooid\":\"a\xff\"}"), RejectJSON},
		{"invalid UTF-8 elsewhere", "{\"x\":\"\xc3\x28\",\"facts\":{\"zooid\":\"a\"}}", RejectJSON},
		{"no facts", `{"signal":"HEARTBEAT","ts":1}`, RejectNoZooid},
		{"facts null", facts(`null`), RejectNoZooid},
		{"facts a list", facts(`["zooid","a"]`), RejectNoZooid},
		{"facts text", facts(`"zooid"`), RejectNoZooid},
		{"no zooid", facts(`{"niche":"x"}`), RejectNoZooid},
		{"zooid null", facts(`{"zooid":null}`), RejectNoZooid},
		{"zooid NaN", facts(`{"zooid":NaN}`), RejectNoZooid},
		{"a zooid only in facts that are repeated without", `{"facts":{"zooid":"a"},"facts":{}}`, RejectNoZooid},
		{"a number as zooid", facts(`{"zooid":8507}`), RejectBadName},
		{"true as zooid", facts(`{"zooid":true}`), RejectBadName},
		{"an object as zooid", facts(`{"zooid":{"name":"a"}}`), RejectBadName},
		{"an empty name", facts(`{"zooid":""}`), RejectBadName},
		{"a name of 257 bytes", facts(`{"zooid":"` + strings.Repeat("n", MaxNameLength+1) + `"}`), RejectBadName},
		{"a name of 10 KB", facts(`{"zooid":"` + strings.Repeat("n", 10_000) + `"}`), RejectBadName},
		{"a newline in the name", facts(`{"zooid":"a\nb"}`), RejectBadName},
		{"a NUL in the name", facts(`{"zooid":"a\u0000b"}`), RejectBadName},
		{"an escape sequence in the name", facts(`{"zooid":"\u001b[31m"}`), RejectBadName},
		{"DEL in the name", facts(`{"zooid":"a\u007f"}`), RejectBadName},
		{"a C1 control character in the name", facts(`{"zooid":"a\u0085b"}`), RejectBadName},
		{"a line separator in the name", facts(`{"zooid":"a\u2028b"}`), RejectBadName},
		{"a backslash at the end of the name", facts(`{"zooid":"a\\"}`), RejectBadName},
		{"a backslash before a quote", facts(`{"zooid":"a\\\",b"}`), RejectBadName},
	} {
		t.Run(test.name, func(t *testing.T) {
			beat, reject := ParseHeartbeat(test.payload)
			require.Equal(t, test.expected, reject)
			require.Empty(t, beat)
		})
	}
}

// A name that has been accepted is the same name at the other end of Telegraf's pipe, whatever it is
// made of, and nothing else of the metric changes.
func TestValidNamesSurviveLineProtocol(t *testing.T) {
	pieces := []string{"a", `\`, ",", "=", " ", `"`, "'", "é", "😀", "#", "{", "\u00a0", "\ufffd", "\u200b"}
	var serializer influx.Serializer
	require.NoError(t, serializer.Init())
	var parser influxparser.Parser
	require.NoError(t, parser.Init())
	accepted := 0
	var try func(name string, more int)
	try = func(name string, more int) {
		if ValidName(name) {
			accepted++
			sent := metric.New("m", map[string]string{"a": "1", "niche": name, "zooid": name},
				map[string]any{"beats": int64(1)}, time.Unix(1, 0))
			line, err := serializer.Serialize(sent)
			require.NoError(t, err)
			received, err := parser.Parse(line)
			require.NoError(t, err, "name %q as %q", name, line)
			require.Len(t, received, 1, "name %q as %q", name, line)
			require.Equal(t, sent.Tags(), received[0].Tags(), "name %q as %q", name, line)
			require.Equal(t, sent.Fields(), received[0].Fields(), "name %q as %q", name, line)
		}
		if more > 0 {
			for _, piece := range pieces {
				try(name+piece, more-1)
			}
		}
	}
	try("", 3)
	require.Greater(t, accepted, 2000, "names accepted")
}

func TestValidNameOfConfiguration(t *testing.T) {
	require.True(t, ValidName("heartbeat_monitor"))
	require.False(t, ValidName("a\xff"), "no UTF-8")
	require.False(t, ValidName("\x80"), "no UTF-8")
}

func TestProperJSON(t *testing.T) {
	for payload, expected := range map[string]string{
		`{"a":1}`:                           `{"a":1}`,
		`{"a":NaN,"b":[-Infinity,-1,2]}`:    `{"a":null,"b":[null,-1,2]}`,
		`Infinity`:                          `null`,
		`{"NaN":"Infinity \" NaN","x":NaN}`: `{"NaN":"Infinity \" NaN","x":null}`,
	} {
		actual, ok := ProperJSON(payload)
		require.True(t, ok, payload)
		require.Equal(t, expected, actual)
	}
	for _, payload := range []string{"", "{", "nan", "--Infinity", "{NaN:1}", "\"\xff\""} {
		_, ok := ProperJSON(payload)
		require.False(t, ok, payload)
	}
}

// TestSecondDialect reads the heartbeats of ZooidRuntime, in both ways.
func TestSecondDialect(t *testing.T) {
	for facts, expected := range map[string]int64{
		`"zooid":"a","niche":"n","ts":1795446803.5,"schema":1,"incidents_handled":7`: 7,
		`"zooid":"a","processed_count":3,"incidents_handled":7`:                      3,
		`"zooid":"a","incidents_handled":7,"processed_count":0`:                      0,
		`"zooid":"a","incidents_handled":7,"processed_count":-1`:                     7,
		`"zooid":"a","incidents_handled":-7`:                                         -1,
		`"zooid":"a","incidents_handled":1e300`:                                      -1,
		`"zooid":"a"`:                                                                -1,
	} {
		payload := `{"signal":"HEARTBEAT","facts":{` + facts + `},"ts":1795446803.5}`
		plain, ok := parsePlain(payload)
		require.True(t, ok, payload)
		general, reject := parseAny(payload)
		require.Empty(t, reject)
		for _, beat := range []Heartbeat{plain, general} {
			require.Equal(t, expected, beat.ProcessedCount, payload)
			require.Equal(t, "a", beat.Zooid)
			require.True(t, math.IsNaN(beat.Uptime))
			require.Equal(t, 1795446803.5, beat.Sent, "not the ts of the facts")
		}
	}
}
