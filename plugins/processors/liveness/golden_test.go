package liveness

import (
	"bufio"
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/parsers/influx"
	serializer "github.com/influxdata/telegraf/plugins/serializers/influx"
	"github.com/influxdata/telegraf/testutil"
)

var update = flag.Bool("update", false, "rewrite the expected files of testdata")

// TestGolden replays each case's input and compares all that comes out. In the expected file each input
// stands as a comment above what it made the processor emit and log.
func TestGolden(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			r := newReplay(t, name)
			for _, line := range input(t, name) {
				got.WriteString("# < " + line + "\n")
				emitted, logged := r.Add(parse(t, line))
				for _, m := range emitted {
					got.WriteString(m)
				}
				for _, l := range logged {
					got.WriteString("# " + l + "\n")
				}
			}
			expectedFile := filepath.Join("testdata", name, "expected.lp")
			if *update {
				require.NoError(t, os.WriteFile(expectedFile, got.Bytes(), 0o644))
			}
			expected, err := os.ReadFile(expectedFile)
			require.NoError(t, err)
			require.Equal(t, string(expected), got.String())
		})
	}
}

// cases returns the names of the cases in testdata, where fuzzing may leave something, too.
func cases(t *testing.T) []string {
	t.Helper()
	configs, err := filepath.Glob(filepath.Join("testdata", "*", "config.toml"))
	require.NoError(t, err)
	require.NotEmpty(t, configs)
	names := make([]string, 0, len(configs))
	for _, c := range configs {
		names = append(names, filepath.Base(filepath.Dir(c)))
	}
	return names
}

// input returns the lines of a case's input that hold a metric.
func input(t *testing.T, name string) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name, "input.lp"))
	require.NoError(t, err)
	var lines []string
	for scanner := bufio.NewScanner(bytes.NewReader(content)); scanner.Scan(); {
		if line := scanner.Text(); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	require.NotEmpty(t, lines)
	return lines
}

func parse(t *testing.T, line string) telegraf.Metric {
	t.Helper()
	parser := influx.Parser{}
	require.NoError(t, parser.Init())
	m, err := parser.ParseLine(line)
	require.NoError(t, err)
	return m
}

// replay is a processor as a case configures it.
type replay struct {
	*Liveness
	t          *testing.T
	acc        testutil.Accumulator
	log        *testutil.CaptureLogger
	serializer serializer.Serializer
}

func newReplay(t *testing.T, name string) *replay {
	t.Helper()
	cfg := config.NewConfig()
	require.NoError(t, cfg.LoadConfig(filepath.Join("testdata", name, "config.toml")))
	require.Len(t, cfg.Processors, 1)
	r := &replay{
		Liveness:   cfg.Processors[0].Processor.(*Liveness),
		t:          t,
		log:        &testutil.CaptureLogger{},
		serializer: serializer.Serializer{SortFields: true, UintSupport: true},
	}
	r.Liveness.Log = r.log
	require.NoError(t, r.serializer.Init())
	require.NoError(t, r.Init())
	// Not started, it keeps no state, wherever that would be on this machine.
	return r
}

// Add feeds one metric. It returns what was emitted, in line protocol, and what was logged.
func (r *replay) Add(m telegraf.Metric) (emitted, logged []string) {
	r.t.Helper()
	r.acc.ClearMetrics()
	r.log.Clear()
	require.NoError(r.t, r.Liveness.Add(m, &r.acc))
	for _, m := range r.acc.GetTelegrafMetrics() {
		line, err := r.serializer.Serialize(m)
		require.NoError(r.t, err)
		emitted = append(emitted, string(line))
	}
	for _, e := range r.log.Messages() {
		logged = append(logged, string(e.Level)+"! "+e.Text)
	}
	return emitted, logged
}
