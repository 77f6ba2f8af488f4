package chembus

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSignalSeriesAreBounded(t *testing.T) {
	s := newSignals(newPlugin()).series
	tags := func(n int) map[string]string {
		return map[string]string{"signal": "metric", "name": fmt.Sprint(n)}
	}
	for n := range maxSignalSeries {
		require.True(t, s.Admit(tags(n), at(0)))
	}
	for n := range 1000 {
		require.False(t, s.Admit(tags(maxSignalSeries+n), at(1)))
		require.True(t, s.Admit(tags(n), at(1)), "the known are not affected")
	}
	require.Equal(t, maxSignalSeries, s.heard.Len())

	later := evictAfter.Seconds() + 0.5
	for n := range maxSignalSeries - 1000 {
		require.True(t, s.Admit(tags(-1-n), at(later)), "those of long ago make room")
	}
	require.False(t, s.Admit(tags(-maxSignalSeries), at(later)), "and no others")
}

func TestSignalSeriesAreTheTags(t *testing.T) {
	s := newSignals(newPlugin()).series
	for _, tags := range []map[string]string{
		{"a": "b"}, {"a": "bc"}, {"ab": "c"}, {"a": "b", "c": "d"}, {"a": "b\x00c"}, {"c": "d", "a": "b"},
	} {
		require.True(t, s.Admit(tags, at(0)))
	}
	require.Equal(t, 5, s.heard.Len())
}

func TestSignalCopies(t *testing.T) {
	c := newSignals(newPlugin()).copies
	copied := func(seconds float64, topic, payload string, dated bool) bool {
		return c.Copied(topic, []byte(payload), dated, at(seconds))
	}
	require.False(t, copied(0, "A", "x", true))
	require.True(t, copied(0.15, "A", "x", true))
	require.True(t, copied(500, "A", "x", true), "held up by the bus")
	require.False(t, copied(500, "B", "x", true), "another topic")
	require.False(t, copied(500, "A", "y", true), "another event")

	require.False(t, copied(0, "A", "undated", false))
	require.True(t, copied(0.15, "A", "undated", false))
	require.False(t, copied(10, "A", "undated", false), "it happened again")
	require.True(t, copied(10.15, "A", "undated", false))

	for n := range 10 * maxRecentSignals {
		require.False(t, copied(20, "A", fmt.Sprint(n), true))
		require.True(t, copied(20, "A", fmt.Sprint(n), true))
	}
	require.Equal(t, maxRecentSignals, c.heard.Len())
	require.False(t, copied(20, "A", "x", true), "forgotten")
}
