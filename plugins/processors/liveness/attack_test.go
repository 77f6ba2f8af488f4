//go:build attack

package liveness

// Defects that are not mended yet: go test -tags attack ./plugins/processors/liveness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestStateOfABusOptionThatIsShorterToday has two buses that are the same by today's option.
func TestStateOfABusOptionThatIsShorterToday(t *testing.T) {
	file := stateFile(t)
	r := start(t, file)
	for at := range 3 {
		for _, e := range []string{"one", "two"} {
			r.feedMetric("chembus_heartbeat", map[string]string{"host": "h", "endpoint": e, "zooid": e}, 1, float64(at))
			r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": e}, 1, float64(at))
		}
	}
	r.Stop()
	r = start(t, file, func(l *Liveness) { l.Bus = []string{"host"} })
	var found []string
	for at := range 10 {
		found = append(found, r.feedMetric(tickMeasurement, map[string]string{"host": "h", "endpoint": "one"}, 2, float64(at))...)
	}
	require.Contains(t, found, "one heartbeat_missing true")
	require.Contains(t, found, "two heartbeat_missing true")
}
