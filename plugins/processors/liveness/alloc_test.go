package liveness

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"
)

// TestBeatOfAKnownComponentTakesNoMemory has 100 components beat every second.
func TestBeatOfAKnownComponentTakesNoMemory(t *testing.T) {
	const components, rounds = 100, 40
	l := standard()
	require.NoError(t, l.Init())
	var metrics []telegraf.Metric
	for i := range rounds {
		at := time.Unix(1795446803+int64(i), 0)
		tags := map[string]string{"host": "a", "endpoint": "tcp://127.0.0.1:5559"}
		metrics = append(metrics, metric.New("chembus_tick", tags, map[string]any{"observed_s": float64(i), "run": int64(1), "holes": int64(0)}, at))
		for n := range components {
			tags["zooid"] = fmt.Sprint("component", n)
			metrics = append(metrics, metric.New("chembus_heartbeat", tags, map[string]any{
				"observed_s": float64(i) + 0.001*float64(n), "run": int64(1), "beats": int64(1), "starts": int64(0), "sent": float64(at.Unix()),
			}, at))
		}
	}
	acc, next := &nowhere{}, 0
	add := func() {
		require.NoError(t, l.Add(metrics[next], acc))
		next++
	}
	for next < len(metrics)/2 { // with their rhythms
		add()
	}
	perMetric := testing.AllocsPerRun(len(metrics)-next-1, add)
	require.Zero(t, perMetric, "but for the reports, which are fewer")
}
