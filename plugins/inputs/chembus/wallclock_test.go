package chembus

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/models"
	"github.com/influxdata/telegraf/plugins/processors"
	"github.com/influxdata/telegraf/testutil"

	_ "github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// TestSteppedWallClock steps the wall clock of the whole host, to and fro by hours, under a colony, the
// input and the processor with its default options. It stamps heartbeats and metrics; no component is silent because of
// it. One that dies is found as if nothing had happened, also if it dies together with a step.
func TestSteppedWallClock(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	p := processors.Processors["liveness"]()
	models.SetLoggerOnPlugin(p, testutil.Logger{})
	require.NoError(t, p.(telegraf.Initializer).Init())
	var found testutil.Accumulator
	require.NoError(t, p.Start(&found))
	defer p.Stop()

	const components, interval, end = 20, 10, 900
	steps := map[int]float64{100: 3600, 203: -7200, 311: 86_400, 420: -90_000, 505: 0.7, 610: -0.7, 655: -30, 706: 30}
	deaths := map[string]int{"zooid 3": 420, "zooid 11": 655, "zooid 17": 750} // the seconds of their last beats

	s := newTestCollector()
	var step float64
	give := func(r report) {
		var acc gate
		shifted := func(at time.Time) time.Time { return at.Add(time.Duration(step * float64(time.Second))) }
		c := newPlugin()
		for _, z := range r.beats {
			z.arrived, z.heard = shifted(z.arrived), shifted(z.heard)
			newHeartbeatMetric(c).add(&acc, &z)
		}
		if r.tick {
			r.at = shifted(r.at)
			c.addTick(&acc, r)
		}
		for _, m := range acc.GetTelegrafMetrics() {
			require.NoError(t, p.Add(m, &found))
		}
	}
	give(report{tick: true, at: at(0)})
	for second := range end {
		step += steps[second]
		now := float64(second)
		s.Evidence(at(now)) // the probe
		for i := range components {
			name := fmt.Sprint("zooid ", i)
			if died, dies := deaths[name]; second%interval == i%interval && (!dies || second <= died) {
				s.beat(now+0.1, name, wall(now+0.1)+step)
			}
		}
		if s.Due() {
			give(s.Take())
		}
	}

	opened := make(map[string]float64)
	for _, m := range found.GetTelegrafMetrics() {
		if m.Name() != "liveness_gap" {
			continue
		}
		zooid, _ := m.GetTag("zooid")
		missing, _ := m.GetField("missing_seconds")
		if _, known := opened[zooid]; !known {
			opened[zooid] = missing.(float64)
		}
		require.Contains(t, deaths, zooid, "a false alarm")
	}
	require.Len(t, opened, len(deaths), "%v", opened)
	for zooid, missing := range opened {
		require.InDelta(t, 31, missing, 1, "%s: found with the first tick past the threshold of 30 s", zooid)
	}
}
