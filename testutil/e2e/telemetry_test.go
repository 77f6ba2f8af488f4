package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/parsers/influx"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/common/chembus"
	agent "github.com/kloros/telegraf-chembus/testutil/telegraf"
)

const telemetryOptions = `
[[inputs.chembus]]
  signals = ["metric", "timer_start", "timer_stop", "logger_init", "logger_close", "EVOLUTION"]
  announce_as = ""

[[processors.liveness]]

[[outputs.chembus]]
`

// telemetryBlock returns the drop-in's block for files, uncommented with the command in D-REAM.md. Its metrics get a tag
// that distinguishes them from those of the bus.
func telemetryBlock(t *testing.T, files string) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "plugins", "inputs", "chembus", "D-REAM.md"))
	require.NoError(t, err)
	const command = `sed '/^# \[\[inputs.tail/,$ s/^# \?//'`
	require.Contains(t, string(readme), strings.Replace(command, "sed ", "sed -i ", 1)+" /etc/telegraf/telegraf.d/chembus.conf")
	dropIn, err := exec.Command("sh", "-c", command+" "+filepath.Join(root, "sample.conf")).Output()
	require.NoError(t, err)
	_, block, found := strings.Cut(string(dropIn), "[[inputs.tail]]")
	require.True(t, found)
	const examples, processor = "/home/kloros/artifacts/telemetry/events.jsonl", "[[processors.starlark]]"
	require.Equal(t, 1, strings.Count(block, examples))
	require.Equal(t, 1, strings.Count(block, processor))
	block = strings.Replace(block, examples, files, 1)
	return "[[inputs.tail]]" + strings.Replace(block, processor, "[inputs.tail.tags]\n    way = \"file\"\n"+processor, 1)
}

// event is an event of D-REAM.
type event struct {
	name    string
	ts      float64
	payload map[string]any
}

// line returns the event as a line of a file.
func (e event) line(t *testing.T, seq int) []byte {
	t.Helper()
	line, err := json.Marshal(map[string]any{
		"ts": e.ts, "ts_iso": "2026-11-25T03:40:20Z", "elapsed": float64(seq) / 2, "seq": seq, "event": e.name, "level": "INFO", "payload": e.payload,
	})
	require.NoError(t, err)
	return append(line, '\n')
}

// message returns the event as a payload on the bus.
func (e event) message(t *testing.T) []byte {
	t.Helper()
	payload, err := chembus.Message{
		Signal: e.name, Ecosystem: "d_ream", Intensity: 1, Facts: e.payload, TS: chembus.Float(e.ts),
	}.Encode()
	require.NoError(t, err)
	return payload
}

// knownEvents returns events, a second apart, and their metrics.
func knownEvents(start float64) (events []event, lines []string) {
	for i, e := range []struct {
		name    string
		payload map[string]any
		metrics []string // in line protocol, without measurement, host and time
	}{
		{"logger_init", map[string]any{"path": "/var/log/d-ream/a.jsonl", "buffer_size": 100, "timestamp": 1795577000.5},
			[]string{`signal=logger_init text_path="/var/log/d-ream/a.jsonl",buffer_size=100,timestamp=1795577000.5`}},
		{"logger_init", map[string]any{"path": `C:\logs\`, "buffer_size": 100, "timestamp": "2026-11-25T03:40:20Z"},
			[]string{`signal=logger_init text_path="C:\\logs\\",buffer_size=100,text_timestamp="2026-11-25T03:40:20Z"`}},
		{"metric", map[string]any{"name": "loss", "value": 0.25, "tags": map[string]any{"gpu": 0, "run": "a b,c=d"}},
			[]string{`name=loss,signal=metric,tags_gpu=0,tags_run=a\ b\,c\=d value=0.25`}},
		{"metric", map[string]any{"name": "loss", "value": 3, "tags": map[string]any{}}, []string{`name=loss,signal=metric value=3`}},
		{"metric", map[string]any{"name": "loss", "value": true}, []string{`name=loss,signal=metric value=1`}},
		{"metric", map[string]any{"name": "loss", "value": "a\tb\n\"c\" é\u2028d\u009b"},
			[]string{`name=loss,signal=metric text_value="a b \"c\" é d "`}},
		{"metric", map[string]any{"name": 5, "value": -1e300, "tags": map[string]any{"a=b, c": true, "d": map[string]any{"e": 0.5}}},
			[]string{`name=5,signal=metric,tags_a\=b\,\ c=true,tags_d_e=0.5 value=-1e300`}},
		{"metric", map[string]any{"name": "rate", "value": 1, "tags": map[string]any{
			"a": json.Number("1e-05"), "b": json.Number("-1.25e-07"), "c": json.Number("1e+21"), "d": 3.0, "e": []any{1, "x"}}},
			[]string{`name=rate,signal=metric,tags_a=0.00001,tags_b=-0.000000125,tags_c=1000000000000000000000,tags_d=3,tags_e_0=1,tags_e_1=x value=1`}},
		{"metric", map[string]any{"name": "nothing", "value": nil}, nil},
		{"metric", map[string]any{"name": "nested", "value": map[string]any{"a": 1}}, nil},
		{"metric", map[string]any{"value": 1}, nil},
		{"metric", map[string]any{"name": "more", "value": 1, "unit": "s", "tags": map[string]any{"none": nil, "empty": ""}},
			[]string{`name=more,signal=metric value=1`}},
		{"timer_start", map[string]any{"name": "step"}, []string{`name=step,signal=timer_start started=1`}},
		{"timer_stop", map[string]any{"name": "step", "elapsed": 1.5}, []string{`name=step,signal=timer_stop elapsed=1.5`}},
		{"timer_stop", map[string]any{"name": "not started", "elapsed": 2}, []string{`name=not\ started,signal=timer_stop elapsed=2`}},
		{"timer_start", map[string]any{"name": "lost"},
			[]string{`name=lost,signal=timer_start started=1`, `name=lost,signal=timer_unmatched unmatched=1`}},
		{"timer_start", map[string]any{"name": "lost"}, []string{`name=lost,signal=timer_start started=1`}},
		{"timer_stop", map[string]any{"name": "lost", "elapsed": 1}, []string{`name=lost,signal=timer_stop elapsed=1`}},
		{"logger_close", map[string]any{"total_events": 17, "elapsed": 8.5}, []string{`signal=logger_close total_events=17,elapsed=8.5`}},
	} {
		ts := start + float64(i)
		events = append(events, event{e.name, ts, e.payload})
		for _, m := range e.metrics {
			lines = append(lines, fmt.Sprintf("chembus_signal,host=e2e,%s %d\n", m, int64(ts)*1e9))
		}
	}
	return events, lines
}

// manyEvents returns random events, and more timers than the input keeps.
func manyEvents(start float64) []event {
	random := rand.New(rand.NewPCG(1, 2))
	var events []event
	ts := start
	for range 500 {
		ts += random.ExpFloat64() * 60
		name := fmt.Sprintf("timer %d", random.IntN(20))
		events = append(events, []event{
			{"timer_start", ts, map[string]any{"name": name}},
			{"timer_stop", ts, map[string]any{"name": name, "elapsed": random.Float64()}},
			{"metric", ts, map[string]any{"name": name, "value": random.Int64(), "tags": map[string]any{"n": random.IntN(3)}}},
		}[random.IntN(3)])
	}
	ts = math.Ceil(ts)
	for _, elapsed := range []float64{3599, 3600} { // after an hour a start is reported as unmatched
		name := fmt.Sprintf("stopped after %v", elapsed)
		events = append(events, event{"timer_start", ts, map[string]any{"name": name}},
			event{"timer_stop", ts + elapsed, map[string]any{"name": name, "elapsed": elapsed}})
	}
	var all strings.Builder
	for r := range rune(0x2100) {
		all.WriteRune(r)
	}
	for n := 0; n < all.Len(); n += 4000 {
		text := strings.ToValidUTF8(all.String()[n:min(n+4000, all.Len())], "")
		events = append(events, event{"metric", ts + float64(n), map[string]any{"name": "text", "value": text}})
	}
	for n := range 1100 {
		events = append(events, event{"timer_start", ts, map[string]any{"name": fmt.Sprintf("flood %d", n)}})
	}
	return events
}

// telemetry is the chembus_signal metrics from the bus and from files, in order.
type telemetry struct{ bus, file []string }

func parseTelemetry(t *testing.T, lines []byte) (read telemetry) {
	t.Helper()
	var parser influx.Parser
	require.NoError(t, parser.Init())
	metrics, err := parser.Parse(lines)
	require.NoError(t, err)
	for _, m := range metrics {
		way := &read.bus
		if _, file := m.GetTag("way"); file {
			way = &read.file
		}
		m.RemoveTag("way")
		*way = append(*way, describe(m))
	}
	return read
}

// describe returns a metric as text, with the types of its fields.
func describe(m telegraf.Metric) string {
	var fields []string
	for _, f := range m.FieldList() {
		fields = append(fields, fmt.Sprintf("%s %T(%#v)", f.Key, f.Value, f.Value))
	}
	slices.Sort(fields)
	return fmt.Sprintf("%s %v %s %d", m.Name(), m.Tags(), strings.Join(fields, ", "), m.Time().UnixNano())
}

// readTelemetry reads the metrics that Telegraf has written so far.
func readTelemetry(t *testing.T, path string) telemetry {
	t.Helper()
	content, err := os.ReadFile(path)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return parseTelemetry(t, content[:bytes.LastIndexByte(content, '\n')+1])
}

// TestTelemetryOfBusAndFile sends the same events over the bus and in a file. Their metrics must be the same, and InfluxDB
// must accept all of them.
func TestTelemetryOfBusAndFile(t *testing.T) {
	dir := t.TempDir()
	out, file := filepath.Join(dir, "out.lp"), filepath.Join(dir, "a.jsonl")
	s := newSceneWith(t, telemetryOptions, telemetryBlock(t, filepath.Join(dir, "*.jsonl"))+fmt.Sprintf(`
[[outputs.file]]
  files = [%q]
  namepass = ["chembus_signal"]
  data_format = "influx"
`, out))
	p := s.publisher()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for _, topic := range []string{"metric", "timer_start", "timer_stop", "logger_init", "logger_close"} {
		require.NoError(t, p.WaitSubscribed(ctx, topic))
	}

	start := float64(time.Now().Unix()) - 24*3600
	events, known := knownEvents(start)
	events = append(events, manyEvents(start+60)...)
	var read telemetry
	n := 0
	// In parts smaller than the queue of a socket. The last event of a part shows that all of it has arrived.
	for part := range slices.Chunk(events, 400) {
		n++
		part = append(slices.Clip(part), event{"logger_close", start + float64(n), map[string]any{"total_events": n}})
		var lines []byte
		for seq, e := range part {
			lines = append(lines, e.line(t, seq)...)
			message := e.message(t)
			require.NoError(t, p.Send([]byte(e.name), message))
			if seq%3 == 0 { // publishers send the first message of a topic twice
				require.NoError(t, p.Send([]byte(e.name), message))
			}
		}
		appendTo(t, file, lines)
		last := parseTelemetry(t, fmt.Appendf(nil, "chembus_signal,host=e2e,signal=logger_close total_events=%d %d\n", n, int64(start+float64(n))*1e9)).bus[0]
		s.wait("all events have arrived from both", func() bool {
			read = readTelemetry(t, out)
			return slices.Contains(read.bus, last) && slices.Contains(read.file, last)
		})
	}
	require.Equal(t, read.file, read.bus)
	require.ElementsMatch(t, parseTelemetry(t, []byte(strings.Join(known, ""))).bus, read.bus[:len(known)])
	count := func(text string) (n int) {
		for _, m := range read.bus {
			if strings.Contains(m, text) {
				n++
			}
		}
		return n
	}
	require.Greater(t, count("signal:timer_unmatched"), 100, "also of timers other than the flood")
	require.Equal(t, n+1, count("signal:logger_close"), "copies are dropped")

	// A fact with each JSON type, and names that InfluxDB reserves.
	for i, facts := range []map[string]any{
		{"x": 1}, {"x": "one"}, {"x": true}, {"x": []any{1, "two"}}, {"x": map[string]any{"y": nil}, "z": 1.5},
		{"time": 1, "signal": 2, "ecosystem": 3, "intensity": "much", "incident_id": 4, "_field": 5, "_measurement": "m", "value": "v", "a b,c=d": 6},
	} {
		require.NoError(t, p.Send([]byte("EVOLUTION"), event{"EVOLUTION", start + float64(i), facts}.message(t)))
	}
	for query, expected := range map[string]int{
		`count(value) AS value FROM chembus_signal`:             2 * count(" value float64"),
		`count(intensity) AS value FROM chembus_signal`:         6,
		`count(facts_x) AS value FROM chembus_signal`:           2,
		`count(text_x) AS value FROM chembus_signal`:            1,
		`count(text_x_1) AS value FROM chembus_signal`:          1,
		`count(facts_time) AS value FROM chembus_signal`:        1,
		`count("facts_a b,c=d") AS value FROM chembus_signal`:   1,
		`count(text_intensity) AS value FROM chembus_signal`:    1,
		`count(facts_incident_id) AS value FROM chembus_signal`: 1,
	} {
		s.wait(query, func() bool { return s.number("SELECT %s", query) == float64(expected) })
	}
	for line := range strings.Lines(s.telegraf.Output()) {
		for _, plugin := range []string{"inputs.execd", "inputs.tail", "processors.starlark", "outputs.influxdb", "outputs.file"} {
			require.NotContains(t, line, "E! ["+plugin+"]")
		}
	}
}

// dReamLines are lines as D-REAM's logger writes them with Python's json.dumps.
const dReamLines = `{"ts": 1795577010.25, "ts_iso": "2026-11-25T03:50:10.250000", "elapsed": 0.0, "seq": 0, "event": "logger_init", "level": "INFO", "payload": {"path": "artifacts/telemetry/events.jsonl", "buffer_size": 100, "timestamp": "2026-11-25T03:50:10"}}
{"ts": 1795577011.0, "elapsed": 0.75, "seq": 1, "event": "run_start", "level": "INFO", "payload": {"run_id": "r", "config_hash": "0f", "seed": null}}
{"ts": 1795577012.0, "elapsed": 1.75, "seq": 2, "event": "timer_start", "level": "INFO", "payload": {"name": "generation_12"}}
{"ts": 1795577012.0, "elapsed": 1.75, "seq": 3, "event": "generation_start", "level": "INFO", "payload": {"generation": 12, "population_size": 24}}
{"ts": 1795577013.0, "elapsed": 2.75, "seq": 4, "event": "candidate_eval", "level": "INFO", "payload": {"individual": "ind_0_gen0", "fitness": -Infinity, "novelty": Infinity, "behavior": [NaN, 1.0]}}
{"ts": 1795577014.0, "elapsed": 3.75, "seq": 5, "event": "metric", "level": "INFO", "payload": {"name": "fitness", "value": -Infinity, "tags": {}}}
{"ts": 1795577015.0, "elapsed": 4.75, "seq": 6, "event": "metric", "level": "INFO", "payload": {"name": "fitness", "value": NaN, "tags": {}}}
{"ts": 1795577016.0, "elapsed": Infinity, "seq": 7, "event": "metric", "level": "INFO", "payload": {"name": "fitness", "value": 0.5, "tags": {"of": "a \"NaN\" \\\\", "to": "Infinity", "no": NaN}}}
{"ts": 1795577017.0, "elapsed": 6.75, "seq": 8, "event": "timer_stop", "level": "INFO", "payload": {"name": "generation_12", "elapsed": 5.0}}
{"ts": 1795577017.5, "elapsed": 7.25, "seq": 9, "event": "metric", "level": "INFO", "payload": {"name": "generation_12_duration", "value": 5.0, "tags": {}}}
{"ts": 1795577018.0, "elapsed": 7.75, "seq": 10, "event": "generation_end", "level": "INFO", "payload": {"generation": 12, "best_fitness": NaN, "archive_size": 24, "elapsed": 5.0}}
{"ts": 1795577019.0, "elapsed": 8.75, "seq": 11, "event": "run_end", "level": "INFO", "payload": {"run_id": "r", "status": "success", "results": {"best_fitness": Infinity}}}

{"ts": 1795577020.0, "elapsed": 9.75, "seq": 12, "event": "logger_close", "level": "INFO", "payload": {"total_events": 12, "elapsed": 9.75}}
`

// startTail starts a Telegraf with the drop-in's block for files and no other plugin. It returns the metrics of
// some lines, in line protocol without host, when the last one has arrived.
func startTail(t *testing.T, block func(string) string, lines, last string) (metrics []string, log func() string) {
	t.Helper()
	dir := t.TempDir()
	out, file := filepath.Join(dir, "out.lp"), filepath.Join(dir, "events.jsonl")
	appendTo(t, file, []byte(lines))
	tg, err := agent.Start(agent.Config{
		Binary: agent.Binary(t, root),
		Agent: block(telemetryBlock(t, file)) + fmt.Sprintf(`
[[outputs.file]]
  files = [%q]
  data_format = "influx"
[agent]
  flush_interval = "1s"
  omit_hostname = true
`, out),
		Dir: dir,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = tg.Stop() })
	require.Eventually(t, func() bool {
		content, _ := os.ReadFile(out)
		metrics = strings.Split(strings.ReplaceAll(string(content), ",way=file", ""), "\n")
		return slices.ContainsFunc(metrics, func(m string) bool { return strings.Contains(m, last) })
	}, limit, poll, "the last line has arrived")
	return metrics, tg.Output
}

// TestTelemetryAsDREAMWritesIt reads a file with events that are no metrics and with numbers that are no JSON. Neither
// must log anything.
func TestTelemetryAsDREAMWritesIt(t *testing.T) {
	t.Parallel()
	metrics, log := startTail(t, func(block string) string { return block }, dReamLines, "signal=logger_close")
	require.Equal(t, []string{
		`chembus_signal,signal=logger_init text_path="artifacts/telemetry/events.jsonl",buffer_size=100,text_timestamp="2026-11-25T03:50:10" 1795577010250000000`,
		`chembus_signal,name=generation_12,signal=timer_start started=1 1795577012000000000`,
		`chembus_signal,name=fitness,signal=metric,tags_of=a\ "NaN"\ ,tags_to=Infinity value=0.5 1795577016000000000`,
		`chembus_signal,name=generation_12,signal=timer_stop elapsed=5 1795577017000000000`,
		`chembus_signal,name=generation_12_duration,signal=metric value=5 1795577017500000000`,
		`chembus_signal,signal=logger_close total_events=12,elapsed=9.75 1795577020000000000`,
		``,
	}, metrics)
	require.NotRegexp(t, `(E|W)! \[(inputs\.tail|processors\.starlark)\]`, log())
}

// TestTelemetryWithoutGenerations enables the example in the block that leaves the generation out of names.
func TestTelemetryWithoutGenerations(t *testing.T) {
	t.Parallel()
	metrics, log := startTail(t, func(block string) string {
		const example = `    # return "_".join(`
		require.Equal(t, 1, strings.Count(block, example))
		return strings.Replace(block, example, `    return "_".join(`, 1)
	}, dReamLines, "signal=logger_close")
	require.Contains(t, metrics, `chembus_signal,name=generation,signal=timer_start started=1 1795577012000000000`)
	require.Contains(t, metrics, `chembus_signal,name=generation,signal=timer_stop elapsed=5 1795577017000000000`)
	require.Contains(t, metrics, `chembus_signal,name=generation_duration,signal=metric value=5 1795577017500000000`)
	require.NotContains(t, strings.Join(metrics, "\n"), "timer_unmatched")
	require.NotRegexp(t, `(E|W)! \[(inputs\.tail|processors\.starlark)\]`, log())
}

// TestTelemetryOfBadLines requires one warning for each line that is no event, and that the rest is read.
func TestTelemetryOfBadLines(t *testing.T) {
	t.Parallel()
	metrics, log := startTail(t, func(block string) string { return block }, `{"ts": 1795577010.0, "event": "metric", "payload": {"na
[1, 2]
{"event": "metric", "payload": {"name": "a", "value": 1}}
{"ts": 1795577010.0, "event": "metric", "payload": 5}
{"ts": 1795577010.0, "event": ["metric"], "payload": {}}
{"ts": 1795577010.0, "event": "metric", "payload": {"name": {"b": 1}, "value": 1}}
{"ts": 1795577010, "event": "metric", "payload": {"name": "last", "value": 0.5}}
`, "name=last")
	require.Equal(t, []string{`chembus_signal,name=last,signal=metric value=0.5 1795577010000000000`, ""}, metrics)
	require.Equal(t, 2, strings.Count(log(), "W! [processors.starlark] Line of D-REAM dropped, because it is no JSON object: "))
	require.Equal(t, 2, strings.Count(log(), "W! [processors.starlark] Line of D-REAM dropped, because it has no payload or no ts: "))
	require.NotContains(t, log(), "E! [processors.starlark]")
}

func appendTo(t *testing.T, path string, content []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.Write(content)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
