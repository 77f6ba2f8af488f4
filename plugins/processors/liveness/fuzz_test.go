package liveness

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/parsers/influx"
	"github.com/influxdata/telegraf/testutil"

	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
)

// FuzzAdd feeds any line protocol: what is not for the processor is passed on as it came, all else at most adds to it.
func FuzzAdd(f *testing.F) {
	inputs, err := filepath.Glob(filepath.Join("testcases", "*", "input.influx"))
	require.NoError(f, err)
	require.NotEmpty(f, inputs)
	for _, input := range inputs {
		content, err := os.ReadFile(input)
		require.NoError(f, err)
		f.Add(content)
	}
	f.Add([]byte("chembus_heartbeat,zooid=\\ ,host=\xff observed_s=1e300,beats=-1i,starts=18446744073709551615u,sent=\"x\"\n" +
		"chembus_tick observed_s=-0 -9223372036854775808\nchembus_kill observed_s=4e9\nchembus_tick observed_s=4611686018\n"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		fuzzAdopt(t, lines)
		parser := influx.Parser{}
		require.NoError(t, parser.Init())
		metrics, _ := parser.Parse(lines) // with an error: those before it
		l := standard()
		l.Threshold = config.Duration(3 * time.Second)
		l.Expected = []string{"ghost"}
		l.Adaptive = true
		l.FlapCount, l.MassCount = 2, 2
		require.NoError(t, l.Init())
		for _, m := range metrics {
			before := m.Copy()
			_, timed := seconds(m, "observed_s")
			var acc testutil.Accumulator
			require.NoError(t, l.Add(m, &acc))
			after := acc.GetTelegrafMetrics()
			if timed && m.Name() == tickMeasurement {
				after = append([]telegraf.Metric{before}, after...) // it ends here
			}
			require.NotEmpty(t, after)
			if before.Name() == busMeasurement && !before.HasField(unjudgedField) {
				after[0].RemoveField(unjudgedField)
			}
			testutil.RequireMetricEqual(t, before, after[0])
			if name := m.Name(); !timed || name != tickMeasurement && name != killMeasurement && name != l.Measurement {
				require.Len(t, after, 1)
			}
			for _, found := range after[1:] {
				require.Contains(t, []string{"liveness", "liveness_gap"}, found.Name())
				require.Equal(t, before.Time(), found.Time())
			}
		}
		restored := standard()
		require.NoError(t, restored.Init())
		require.NoError(t, restored.SetState(l.GetState()))
	})
}

// fuzzAdopt feeds any line protocol to a processor that takes gaps of others: they end there, and everything else does not.
func fuzzAdopt(t *testing.T, lines []byte) {
	t.Helper()
	parser := influx.Parser{}
	require.NoError(t, parser.Init())
	metrics, _ := parser.Parse(lines)
	l := standard()
	l.Adopt = true
	l.MaxBuses, l.MaxComponents = 3, 5
	l.Expected = []string{"ghost", "*/a"}
	require.NoError(t, l.Init())
	for _, m := range metrics {
		var acc testutil.Accumulator
		name := m.Name()
		_, timed := seconds(m, "observed_s")
		ends := name == livenessgap.Name || timed && name == tickMeasurement
		require.NoError(t, l.Add(m, &acc))
		require.True(t, ends || acc.NMetrics() > 0, "it was not passed on: %s", name)
	}
	for _, b := range l.buses.all {
		b.detector.Report()
	}
	require.LessOrEqual(t, len(l.buses.all), 3)
}
