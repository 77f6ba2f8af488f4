package liveness

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

func TestParseHoles(t *testing.T) {
	const ms = time.Millisecond
	holes, ok := parseHoles("0.000:0.314 12.350:3.050", 13*time.Second)
	require.True(t, ok)
	require.Equal(t, []detector.Hole{{Observed: 0, Length: 314 * ms}, {Observed: 12350 * ms, Length: 3050 * ms}}, holes)
	holes, ok = parseHoles("", time.Second)
	require.True(t, ok)
	require.Empty(t, holes)
	for _, list := range []string{
		"1", "1:", ":1", "a:1", "1:a", "-1:1", "1:-1", "NaN:1", "1:NaN", "1:Inf", "1e300:1", "1:1e300", "1:1:1", "1:1,2:1",
		"2:1 1:1", "14:1", strings.Repeat("1:1 ", mostListed+1), strings.Repeat(" ", mostHoleList+1),
	} {
		holes, ok := parseHoles(list, 13*time.Second)
		require.False(t, ok, list)
		require.Empty(t, holes)
	}
}

// TestUnreadableHoleListIsLogged has each tick say that there was a hole, in a list that is none: it still is one.
func TestUnreadableHoleListIsLogged(t *testing.T) {
	r := start(t, "")
	r.at = time.Unix(1e9, 0)
	for i := range 10 {
		m := newMetric(tickMeasurement, "h", "", 1, float64(i))
		m.AddField("holes", int64(i))
		m.AddField("hole_list", "rm -rf")
		require.NoError(t, r.Add(m, &r.acc))
	}
	lines := logged(r.log)
	require.Len(t, lines, 1)
	require.Contains(t, lines[0], "hole_list that cannot be read")
	require.Len(t, r.buses.all, 1)
	require.Len(t, r.buses.all[0].detector.Head().Clock.Holes, 9)
}
