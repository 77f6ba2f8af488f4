package field

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/metric"
)

func TestFields(t *testing.T) {
	m := metric.New("m", nil, map[string]any{
		"float": 1.5, "int": int64(-2), "uint": uint64(3), "nan": math.NaN(), "inf": math.Inf(-1),
		"text": "a", "bool": true, "list": `["a","b"]`, "none": "[]", "bad": "[1]",
	}, time.Unix(0, 0))
	for name, want := range map[string]float64{"float": 1.5, "int": -2, "uint": 3} {
		n, ok := Number(m, name)
		require.True(t, ok, name)
		require.InDelta(t, want, n, 0, name)
	}
	for _, name := range []string{"nan", "inf", "text", "bool", "absent"} {
		_, ok := Number(m, name)
		require.False(t, ok, name)
	}
	require.Equal(t, []string{"a", "", ""}, []string{Text(m, "text"), Text(m, "int"), Text(m, "absent")})
	for name, want := range map[string][]string{"list": {"a", "b"}, "none": {}, "absent": nil, "int": nil} {
		texts, err := Texts(m, name)
		require.NoError(t, err, name)
		require.Equal(t, want, texts, name)
	}
	for _, name := range []string{"bad", "text"} {
		_, err := Texts(m, name)
		require.Error(t, err, name)
	}
}
