package liveness

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/parsers/influx"
	"github.com/influxdata/telegraf/testutil"
)

// FuzzWatch feeds any line protocol to watches, at any times: each metric is passed on as it came, and what is found of
// them can be restored.
func FuzzWatch(f *testing.F) {
	inputs, err := filepath.Glob(filepath.Join("testcases", "watch_*", "input.influx"))
	require.NoError(f, err)
	require.NotEmpty(f, inputs)
	for _, input := range inputs {
		content, err := os.ReadFile(input)
		require.NoError(f, err)
		f.Add(content)
	}
	f.Add([]byte("cpu,host=\\ ,disk=\xff v=1 9223372036854775807\ninternal_agent v=1 -9223372036854775808\ncpu,host=a/b\x1f,disk=\x1f v=1 0\n" +
		"internal_agent v=1 1\ncpu,host=a v=1 1\ninternal_agent v=1 9223372036854775807\n"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		parser := influx.Parser{}
		require.NoError(t, parser.Init())
		metrics, _ := parser.Parse(lines) // with an error: those before it
		at := time.Unix(0, 0)
		create := func() *Liveness {
			l := standard()
			l.now = func() time.Time { return at }
			for _, identity := range [][]string{{"host"}, {"host", "disk"}} {
				w := newWatch(t, func(w *Watch) {
					w.Name, w.Measurement, w.Identity, w.Tick = identity[len(identity)-1], []string{"*"}, identity, []string{"internal_*"}
					w.Threshold, w.MaxAge, w.MinBeats = config.Duration(15*time.Second), config.Duration(time.Hour), 2
					w.Adaptive, w.FlapCount, w.MassCount, w.MaxComponents = true, 2, 2, 3
				})
				l.Watches = append(l.Watches, w)
			}
			require.NoError(t, l.Init())
			return l
		}
		l := create()
		for _, m := range metrics {
			if m.Name() == tickMeasurement || m.Name() == busMeasurement {
				continue
			}
			at = time.Unix(0, m.Time().UnixNano()%int64(1e18)) // 32 years before or after the start
			before := m.Copy()
			var acc testutil.Accumulator
			require.NoError(t, l.Add(m, &acc))
			after := acc.GetTelegrafMetrics()
			require.NotEmpty(t, after)
			testutil.RequireMetricEqual(t, before, after[0])
			for _, found := range after[1:] {
				require.Contains(t, []string{"liveness", "liveness_gap"}, found.Name())
			}
		}
		restored := create()
		require.NoError(t, restored.SetState(l.GetState()))
		for i, w := range l.Watches {
			require.Len(t, restored.Watches[i].bus.detector.Snapshot().Components, len(w.bus.detector.Snapshot().Components))
		}
	})
}
