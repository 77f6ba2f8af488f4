package chembus

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMessageIsWrittenAsTheBusWritesIt(t *testing.T) {
	id := "1f2e"
	payload, err := Message{
		Signal:     "CAPABILITY_GAP",
		Ecosystem:  "monitoring",
		Intensity:  1,
		Facts:      map[string]any{"zooid": "audio_io", "missing_seconds": 31.5},
		IncidentID: &id,
		TS:         1795446803.5,
	}.Encode()
	require.NoError(t, err)
	require.Equal(t, `{"signal":"CAPABILITY_GAP","ecosystem":"monitoring","intensity":1.0,`+
		`"facts":{"missing_seconds":31.5,"zooid":"audio_io"},`+
		`"incident_id":"1f2e","trace":null,"ts":1795446803.5,"schema_version":1,"channel":"legacy"}`, string(payload))
}

func TestMessageWithoutIncidentSaysNull(t *testing.T) {
	payload, err := Message{Signal: "S"}.Encode()
	require.NoError(t, err)
	require.Contains(t, string(payload), `"incident_id":null`)
}

func TestFloatStaysAFloatInPython(t *testing.T) {
	for number, expected := range map[Float]string{
		1: "1.0", 0: "0.0", -3: "-3.0", 1795446803: "1795446803.0", 0.5: "0.5", 1e21: "1e+21", 1e-9: "1e-9",
	} {
		text, err := number.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, expected, string(text))
	}
	for _, number := range []float64{math.NaN(), math.Inf(1)} {
		_, err := Float(number).MarshalJSON()
		require.Error(t, err)
	}
}

func TestMessageThatJSONCannotHold(t *testing.T) {
	_, err := Message{Signal: "S", Facts: map[string]any{"x": math.NaN()}}.Encode()
	require.ErrorContains(t, err, `encoding signal "S"`)
}

func TestEpochSeconds(t *testing.T) {
	require.InDelta(t, 1795446803.25, EpochSeconds(time.Unix(1795446803, 250_000_000)), 1e-6)
}
