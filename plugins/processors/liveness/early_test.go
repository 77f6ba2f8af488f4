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

// TestBeatsWithoutTagsBeforeTheFirstTick has the heartbeats of another input, which lack the tags of bus, come before
// the first tick, and after a restart.
func TestBeatsWithoutTagsBeforeTheFirstTick(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	for at := range 5 {
		r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": "e"}, 1, float64(at))
		r.feedMetric("chembus_heartbeat", map[string]string{"zooid": "a"}, 0, float64(at))
	}
	r.Stop()
	r = start(t, file)
	for at := 5; at < 9; at++ {
		r.feedMetric("chembus_heartbeat", map[string]string{"zooid": "a"}, 0, float64(at))
		require.Empty(t, r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": "e"}, 1, float64(at)))
	}
	require.Len(t, r.buses.all, 1)
}
