package chembus

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseMessageReadsWhatEncodeWrites(t *testing.T) {
	id := "1f2e"
	payload, err := Message{
		Signal:     "CAPABILITY_GAP",
		Ecosystem:  "monitoring",
		Intensity:  1.5,
		Facts:      map[string]any{"zooid": "größe", "missing_seconds": 31.5, "list": []string{"a"}},
		IncidentID: &id,
		TS:         1795446803.25,
	}.Encode()
	require.NoError(t, err)
	m, ok := ParseMessage(string(payload))
	require.True(t, ok)
	var facts struct {
		Zooid   string   `json:"zooid"`
		Missing float64  `json:"missing_seconds"`
		List    []string `json:"list"`
	}
	require.NoError(t, m.DecodeFacts(&facts))
	require.Equal(t, "größe", facts.Zooid)
	require.InDelta(t, 31.5, facts.Missing, 0)
	require.Equal(t, []string{"a"}, facts.List)
	m.facts = ""
	require.Equal(t, Received{Signal: "CAPABILITY_GAP", Ecosystem: "monitoring", Intensity: 1.5, IncidentID: "1f2e", TS: 1795446803.25}, m)
}

func TestParseMessageTakesWhatOthersWrite(t *testing.T) {
	for payload, expected := range map[string]Received{
		`{}`:                      {Intensity: math.NaN(), TS: math.NaN()},
		` {"signal" : "S" } `:     {Signal: "S", Intensity: math.NaN(), TS: math.NaN()},
		`{"signal":"a\u00e9"}`:    {Signal: "aé", Intensity: math.NaN(), TS: math.NaN()},
		`{"si\u0067nal":"S"}`:     {Signal: "S", Intensity: math.NaN(), TS: math.NaN()},
		`{"signal":"\ud800"}`:     {Signal: "\ufffd", Intensity: math.NaN(), TS: math.NaN()},
		`{"signal":5,"ts":"5"}`:   {Intensity: math.NaN(), TS: math.NaN()},
		`{"ts":1,"ts":2}`:         {Intensity: math.NaN(), TS: 2},
		`{"ts":NaN}`:              {Intensity: math.NaN(), TS: math.NaN()},
		`{"ts":1e999}`:            {Intensity: math.NaN(), TS: math.NaN()},
		`{"intensity":-5,"x":[]}`: {Intensity: -5, TS: math.NaN()},
		`{"incident_id":null,"ecosystem":{"a":1}}`:   {Intensity: math.NaN(), TS: math.NaN()},
		`{"incident_id":"a","incident_id":null}`:     {Intensity: math.NaN(), TS: math.NaN()},
		`{"intensity":Infinity,"incident_id":"NaN"}`: {IncidentID: "NaN", Intensity: math.NaN(), TS: math.NaN()},
	} {
		m, ok := ParseMessage(payload)
		require.True(t, ok, payload)
		require.Equal(t, numbers(expected), numbers(m), payload)
		expected.Intensity, expected.TS, m.Intensity, m.TS = 0, 0, 0, 0
		require.Equal(t, expected, m, payload)
	}
	for _, payload := range []string{"", "null", "NaN", "[]", `"S"`, "5", "{", `{"a":}`, `{} {}`, "{\"signal\":\"\xff\"}", "\x00"} {
		_, ok := ParseMessage(payload)
		require.False(t, ok, payload)
	}
}

// numbers makes the numbers of a message comparable, NaN included.
func numbers(m Received) [2]uint64 {
	return [2]uint64{math.Float64bits(m.Intensity), math.Float64bits(m.TS)}
}

func TestDecodeFacts(t *testing.T) {
	decode := func(facts string) (map[string]any, error) {
		m, ok := ParseMessage(`{"facts":` + facts + `}`)
		require.True(t, ok, "%.80s", facts)
		var decoded map[string]any
		err := m.DecodeFacts(&decoded)
		return decoded, err
	}
	facts, err := decode(`{"a":1e999,"b":NaN,"c":{"d":[true]}}`)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"a": json.Number("1e999"), "b": nil, "c": map[string]any{"d": []any{true}}}, facts)
	facts, err = decode("null")
	require.NoError(t, err)
	require.Nil(t, facts)
	for _, none := range []string{"5", `"a"`, "[]", "true"} {
		_, err = decode(none)
		require.ErrorIs(t, err, ErrNoFacts, none)
	}
	_, err = decode(`{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`)
	require.ErrorContains(t, err, "decoding the facts")
	m, _ := ParseMessage(`{"facts":{"a":"text"}}`)
	require.Error(t, m.DecodeFacts(&struct{ A int }{}), "another type")
}
