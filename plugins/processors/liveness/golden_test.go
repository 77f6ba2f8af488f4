package liveness

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/parsers/influx"
	serializer "github.com/influxdata/telegraf/plugins/serializers/influx"
	"github.com/influxdata/telegraf/testutil"

	"github.com/kloros/telegraf-chembus/plugins/common/field"
	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
)

var update = flag.Bool("update", false, "rewrite the file expected.out of each case in testcases")

// The fields that expected.out shows of a metric. Its head can name more of them, or ask for whole lines.
var shownFields = []string{"state", "silence_s", "open", "reason", "members"}

const (
	showMore = "# Also shown: "
	showAll  = "# Shown: all fields"
)

// TestGolden replays the input of each case and compares what is emitted and logged with expected.out. That file
// begins with what the case shows. Then follows each metric of the input that changed something: its time, name and
// tags, what it made the processor emit beside it, and what was logged.
func TestGolden(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testcases", name, "expected.out")
			expected, err := os.ReadFile(file)
			require.NoError(t, err)
			head, _, found := strings.Cut(string(expected), "\n\n")
			require.True(t, found && strings.HasPrefix(head, "# "), "it must begin with what the case shows, and a blank line")

			got := bytes.NewBufferString(head + "\n")
			printer := newPrinter(t, head)
			r := newReplay(t, name)
			open := make(map[string]any) // incidents, by series
			for _, line := range input(t, name) {
				m := parse(t, line)
				isLevel := r.Adopt && m.Name() == livenessgap.Name
				if id := field.Text(m, "incident_id"); isLevel && open[id] == nil { // else it was closed here
					open[seriesOf(m)] = id
				}
				found, logged := r.Add(m)
				if len(found)+len(logged) > 0 {
					fmt.Fprintf(got, "\n# %s s: %s\n", strconv.FormatFloat(float64(m.Time().UnixNano())/1e9, 'f', -1, 64), strings.Fields(line)[0])
				}
				checkEvents(t, found)
				for _, f := range found {
					require.Contains(t, []string{"liveness", "liveness_gap"}, f.Name())
					if len(r.Watches) == 0 && !isLevel {
						require.Equal(t, m.Time(), f.Time())
					}
					checkIncident(t, open, f)
					got.WriteString(printer.Line(f))
				}
				for _, l := range logged {
					got.WriteString("# " + l + "\n")
				}
			}
			if got.Len() == len(head)+1 {
				got.WriteString("\n# Nothing is emitted or logged.\n")
			}
			if *update {
				require.NoError(t, os.WriteFile(file, got.Bytes(), 0o644))
				return
			}
			require.Equal(t, string(expected), got.String())
		})
	}
}

// checkIncident checks that the incident of a series keeps its id from the first level to the last.
func checkIncident(t *testing.T, open map[string]any, m telegraf.Metric) {
	t.Helper()
	if m.Name() != "liveness_gap" {
		return
	}
	series := seriesOf(m)
	id, _ := m.GetField("incident_id")
	if level, _ := m.GetField("open"); level == false && open[id.(string)] != nil {
		return // repeated
	}
	known, again := open[series]
	if again {
		require.Equal(t, known, id, series)
	}
	open[series] = id
	if level, _ := m.GetField("open"); level == false {
		require.True(t, again, "closed without having been opened: %s", series)
		delete(open, series)
		open[id.(string)] = false
	}
}

// checkEvents checks that no change of a gap is followed by its repetition with the same tags and time: a database would
// keep the latter only.
func checkEvents(t *testing.T, found []telegraf.Metric) {
	t.Helper()
	changed := make(map[string]bool) // by series and time
	for _, m := range found {
		if m.Name() != "liveness_gap" {
			continue
		}
		series := fmt.Sprint(m.Tags(), m.Time().UnixNano())
		event, _ := m.GetField("event")
		require.False(t, event == "repeated" && changed[series], "the change is lost: %s", series)
		changed[series] = event != "repeated"
	}
}

func seriesOf(m telegraf.Metric) string {
	tags := m.Tags()
	delete(tags, "niche") // which the last beat says
	return fmt.Sprint(tags)
}

// printer writes metrics in line protocol, as the head of expected.out asks for.
type printer struct {
	t          *testing.T
	serializer serializer.Serializer
	all        bool
	fields     []string
}

func newPrinter(t *testing.T, head string) *printer {
	t.Helper()
	p := &printer{t: t, serializer: serializer.Serializer{SortFields: true, UintSupport: true}, fields: shownFields}
	require.NoError(t, p.serializer.Init())
	for _, line := range strings.Split(head, "\n") {
		if more, ok := strings.CutPrefix(line, showMore); ok {
			p.fields = append(strings.Split(more, ", "), p.fields...)
		}
		p.all = p.all || line == showAll
	}
	return p
}

// Line returns a whole line, or one with the shown fields and without the time.
func (p *printer) Line(m telegraf.Metric) string {
	p.t.Helper()
	if !p.all {
		short := m.Copy()
		for _, f := range m.FieldList() {
			short.RemoveField(f.Key)
		}
		for _, name := range p.fields {
			if value, ok := m.GetField(name); ok {
				short.AddField(name, value)
			}
		}
		m = short
	}
	line, err := p.serializer.Serialize(m)
	require.NoError(p.t, err)
	text := string(line)
	if !p.all {
		text = text[:strings.LastIndexByte(text, ' ')] + "\n"
	}
	return text
}

// cases returns the names of the cases in testcases.
func cases(t *testing.T) []string {
	t.Helper()
	configs, err := filepath.Glob(filepath.Join("testcases", "*", "telegraf.conf"))
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
	content, err := os.ReadFile(filepath.Join("testcases", name, "input.influx"))
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
	t   *testing.T
	acc testutil.Accumulator
	log *testutil.CaptureLogger

	arrival time.Time // of the present metric, for watches: its time, or "arrived_s" if it has such a field
}

func newReplay(t *testing.T, name string) *replay {
	t.Helper()
	cfg := config.NewConfig()
	require.NoError(t, cfg.LoadConfig(filepath.Join("testcases", name, "telegraf.conf")))
	require.Len(t, cfg.Processors, 1)
	r := &replay{
		Liveness: cfg.Processors[0].Processor.(*Liveness),
		t:        t,
		log:      &testutil.CaptureLogger{},
	}
	r.Liveness.Log = r.log
	if len(r.Watches) > 0 {
		r.arrival = time.Unix(0, 0)
		r.now = func() time.Time { return r.arrival }
	}
	require.NoError(t, r.Init())
	// Not started, it keeps no state, wherever that would be on this machine.
	return r
}

// Add feeds one metric. It returns what was emitted beside the metric itself, and what was logged. The metric has to
// be passed on first and unchanged, or to end there if it is a tick, or a gap of another processor.
func (r *replay) Add(m telegraf.Metric) (found []telegraf.Metric, logged []string) {
	r.t.Helper()
	r.acc.ClearMetrics()
	r.log.Clear()
	before := m.Copy()
	r.arrival = m.Time()
	if arrived, ok := seconds(m, "arrived_s"); ok {
		r.arrival = time.Unix(0, int64(arrived))
	}
	require.NoError(r.t, r.Liveness.Add(m, &r.acc))
	found = r.acc.GetTelegrafMetrics()
	_, timed := seconds(before, "observed_s")
	if ends := timed && before.Name() == tickMeasurement || r.Adopt && before.Name() == livenessgap.Name; !ends {
		require.NotEmpty(r.t, found)
		if before.Name() == busMeasurement {
			found[0].RemoveField(unjudgedField)
		}
		testutil.RequireMetricEqual(r.t, before, found[0])
		found = found[1:]
	}
	for _, e := range r.log.Messages() {
		logged = append(logged, string(e.Level)+"! "+e.Text)
	}
	return found, logged
}
