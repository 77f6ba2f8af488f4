package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSpans(t *testing.T) {
	s := union([]span{{7, 9}, {1, 3}, {5, 5}, {2, 4}, {9, 10}})
	require.Equal(t, spans{{1, 4}, {7, 10}}, s)
	require.EqualValues(t, 6, s.total())
	require.EqualValues(t, 3, s.longest())

	require.Equal(t, spans{{4, 7}}, s.outside(span{2, 8}))
	require.Equal(t, spans{{0, 1}, {4, 7}, {10, 12}}, s.outside(span{0, 12}))
	require.Empty(t, s.outside(span{8, 9}))
	require.Empty(t, s.outside(span{6, 5}))

	at, ok := s.when(4)
	require.True(t, ok)
	require.EqualValues(t, 8, at)
	_, ok = s.when(7)
	require.False(t, ok)

	within, ok := s.at(3)
	require.True(t, ok)
	require.Equal(t, span{1, 4}, within)
	_, ok = s.at(4)
	require.False(t, ok)
	require.True(t, s.contain(span{7, 10}))
	require.False(t, s.contain(span{3, 8}))
}
