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
