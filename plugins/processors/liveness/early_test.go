package liveness

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMoreBeforeTheFirstTickThanIsKept has a large colony be heard before the first tick.
func TestMoreBeforeTheFirstTickThanIsKept(t *testing.T) {
	r := start(t, stateFile(t))
	for i := range maxEarly + 2 {
		require.Empty(t, r.Beat(fmt.Sprint(i), 0))
	}
	require.Len(t, r.Tick(1), maxEarly)
	require.Contains(t, fmt.Sprint(r.log.Warnings()), "2 metrics that came before")
	require.Equal(t, []string{fmt.Sprint(maxEarly+1, " up")}, r.Beat(fmt.Sprint(maxEarly+1), 1), "it is judged from now on")
	r.log.Clear()
	r.Tick(2)
	require.Empty(t, r.log.Warnings(), "it is logged once")
}
