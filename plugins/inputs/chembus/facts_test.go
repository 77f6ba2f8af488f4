package chembus

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// decodeFacts reads facts as they come in a signal.
func decodeFacts(t *testing.T, facts string) map[string]any {
	t.Helper()
	m, ok := bus.ParseMessage(`{"facts":` + facts + `}`)
	require.True(t, ok, facts)
	var decoded map[string]any
	require.NoError(t, m.DecodeFacts(&decoded), facts)
	require.NotNil(t, decoded, facts)
	return decoded
}

func TestFlattenFacts(t *testing.T) {
	for facts, expected := range map[string]map[string]any{
		`{}`: {},
		`{"n":1,"f":-2.5e3,"t":"text","yes":true,"no":false,"none":null}`: {"n": 1.0, "f": -2500.0, "t": "text", "yes": true, "no": false},
		`{"a":{"b":[1,{"c":"d"},[]],"e":{}}}`:                             {"a_b_0": 1.0, "a_b_1_c": "d"},
		`{"nan":NaN,"inf":-Infinity,"large":1e999,"n":1}`:                 {"n": 1.0},
		`{"a":1,"a":2}`:                             {"a": 2.0},
		`{"größe":1,"\u0001é":null}`:                {"größe": 1.0},
		`{"a b":1,"c,d":2,"e=f":3}`:                 {"a b": 1.0, "c,d": 2.0, "e=f": 3.0},
		`{"a_b":1,"a":{"b":null,"c":2}}`:            {"a_b": 1.0, "a_c": 2.0},
		`{"big":123456789012345678901234567890123}`: {"big": 1.2345678901234568e+32},
	} {
		flat, reject := flattenFacts(decodeFacts(t, facts))
		require.Empty(t, reject, facts)
		if len(expected) == 0 {
			require.Empty(t, flat, facts)
		} else {
			require.Equal(t, expected, flat, facts)
		}
	}
	flat, reject := flattenFacts(nil)
	require.Empty(t, reject)
	require.Empty(t, flat)
}

func TestFlattenFactsRejects(t *testing.T) {
	nested := func(levels int) string {
		return strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels)
	}
	list := func(values int) string {
		return `{"a":[` + strings.TrimSuffix(strings.Repeat("1,", values), ",") + `]}`
	}
	key := func(length int) string {
		return `{"` + strings.Repeat("k", length) + `":1}`
	}
	text := func(length int) string {
		return `{"t":"` + strings.Repeat("t", length) + `"}`
	}
	for facts, expected := range map[string]bus.Reject{
		nested(maxFactsDepth):     "",
		nested(maxFactsDepth + 1): bus.RejectBounds,
		nested(5000):              bus.RejectBounds,
		list(maxFacts - 2):        "", // the facts and the list count
		list(maxFacts - 1):        bus.RejectBounds,
		list(30_000):              bus.RejectBounds,
		`{"a":[` + strings.Repeat("{},", maxFacts) + `{}]}`:     bus.RejectBounds,
		key(bus.MaxNameLength - 1):                              "",
		key(bus.MaxNameLength + 1):                              bus.RejectBounds,
		`{"` + strings.Repeat("k", 200) + `":` + key(200) + `}`: bus.RejectBounds,
		`{"` + strings.Repeat("k", 60_000) + `":[` + strings.TrimSuffix(strings.Repeat("1,", 90), ",") + `]}`: bus.RejectBounds,
		text(maxTextLength):     "",
		text(maxTextLength + 1): bus.RejectBounds,

		`{"a_b":1,"a":{"b":2}}`:     bus.RejectBadSignal,
		`{"a":[1],"a_0":"x"}`:       bus.RejectBadSignal,
		`{"a_b":1,"a":{"b":false}}`: bus.RejectBadSignal,

		`{"":1}`:                 bus.RejectBadName,
		`{"a":{"":1}}`:           bus.RejectBadName,
		`{"a\nb":1}`:             bus.RejectBadName,
		`{"a":{"\u001b[31m":1}}`: bus.RejectBadName,
		`{"a\u2028":1}`:          bus.RejectBadName,
		`{"a\\=\"b":1}`:          bus.RejectBadName,
		`{"a\u0085":true}`:       bus.RejectBadName,
		`{"a\\":"x"}`:            bus.RejectBadName,
		`{"a\\\"b":1}`:           bus.RejectBadName,
	} {
		_, reject := flattenFacts(decodeFacts(t, facts))
		require.Equal(t, expected, reject, "%.80s", facts)
	}
}

// A field of a database has one type.
func TestFieldsKeepTheirType(t *testing.T) {
	types := make(map[string]string)
	for _, value := range []string{`1`, `1.5`, `"1"`, `true`, `["a",2]`, `[3,"b"]`, `{"text":1}`, `{"text":"x"}`, `""`} {
		for _, name := range []string{"a", "value", "text_a", "incident_id", "intensity", "facts_a"} {
			m := bus.Received{Intensity: 1, IncidentID: "i"}
			_, fields, reject := plainSignal("S", m, decodeFacts(t, fmt.Sprintf(`{%q:%s}`, name, value)))
			require.Empty(t, reject)
			for field, value := range fields {
				kind := fmt.Sprintf("%T", value)
				if types[field] == "" {
					types[field] = kind
				}
				require.Equal(t, types[field], kind, field)
			}
		}
	}
	require.Equal(t, "float64", types["facts_a"])
	require.Equal(t, "string", types["text_a"])
	require.Equal(t, "string", types["incident_id"])
	require.Equal(t, "float64", types["facts_incident_id"])
}

func TestNothingUnprintableGetsIntoAText(t *testing.T) {
	var all strings.Builder
	for r := rune(0); r < 0x300; r++ {
		all.WriteRune(r)
	}
	for r := rune(0x2000); r < 0x2100; r++ {
		all.WriteRune(r)
	}
	encoded, err := json.Marshal(map[string]string{"t": all.String()})
	require.NoError(t, err)
	flat, reject := flattenFacts(decodeFacts(t, string(encoded)))
	require.Empty(t, reject)
	fields := make(map[string]any)
	addField(fields, "n", "t", flat["t"])
	require.Equal(t, -1, strings.IndexFunc(fields["t"].(string), func(r rune) bool {
		return r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u2029'
	}))
	require.Contains(t, fields["t"], `!"#$%&'()*+,-./0123456789`)
	require.Contains(t, fields["t"], "¡¢£¤¥")
}
