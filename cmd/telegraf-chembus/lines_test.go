package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"
	parser "github.com/influxdata/telegraf/plugins/parsers/influx"
	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/cmd/telegraf-chembus/accumulator"
)

// written returns what a stream writes of metrics that add adds, and the errors that it logs.
func written(t *testing.T, add func(telegraf.Accumulator)) (text string, problems []string) {
	t.Helper()
	var out bytes.Buffer
	log := &testutil.CaptureLogger{}
	s := newStream(&out, log)
	add(accumulator.Of(s))
	s.Close()
	require.NoError(t, <-s.written)
	return out.String(), log.Errors()
}

// Telegraf reads what is written as what was added.
func TestWrittenMetricsAreReadByTelegraf(t *testing.T) {
	var p parser.Parser
	require.NoError(t, p.Init())
	at := time.Unix(1795446803, 878151400)
	for _, text := range []string{"a", "tcp://127.0.0.1:5559", "é日🧪", "a#b", "a b", "a,b", "a=b", `a"b`, `a\b`} {
		for value, expected := range map[any]any{
			text: text, 1: int64(1), int64(math.MinInt64): int64(math.MinInt64), uint64(7): int64(7), uint64(math.MaxUint64): int64(math.MaxInt64),
			0.1: 0.1, -1e300: -1e300, 5e-324: 5e-324, 1795446803.8781514: 1795446803.8781514, true: true, "\xff": "\uFFFD", "two\nlines": "two\nlines",
		} {
			tags := map[string]string{"b": text, "a": "x", "c": "y", text + "d": "z", "empty": "", "": "nameless"}
			line, problems := written(t, func(acc telegraf.Accumulator) {
				acc.AddGauge("m"+text, map[string]any{"value": value, "not a number": math.NaN(), "nothing": nil, "more": "x y"}, tags, at)
			})
			require.Empty(t, problems)
			m, err := p.ParseLine(line)
			require.NoError(t, err, "%q", line)
			delete(tags, "empty")
			delete(tags, "")
			testutil.RequireMetricEqual(t, metric.New("m"+text, tags, map[string]any{"value": expected, "more": "x y"}, at), m)
		}
	}
}

// Telegraf has such tags, so those of a watched series are written, too.
func TestTagsOutsideTheProtocolAreWritten(t *testing.T) {
	var p parser.Parser
	require.NoError(t, p.Init())
	for _, text := range []string{"a\x01b", "a\x7f", "a\xffb"} {
		expected := metric.New("m", map[string]string{"host": text}, map[string]any{"x": int64(1)}, time.Unix(1, 0))
		line, problems := written(t, func(acc telegraf.Accumulator) {
			acc.AddFields(expected.Name(), expected.Fields(), expected.Tags(), expected.Time())
		})
		require.Empty(t, problems)
		m, err := p.ParseLine(line)
		require.NoError(t, err, "%q", line)
		testutil.RequireMetricEqual(t, expected, m)
	}
}

func TestMetricsThatCannotBeWritten(t *testing.T) {
	text, problems := written(t, func(acc telegraf.Accumulator) {
		acc.AddFields("first", map[string]any{"x": 1}, nil, time.Unix(1, 0))
		acc.AddFields("no fields", nil, nil)
		acc.AddFields("no numbers", map[string]any{"x": math.Inf(1)}, nil)
		acc.AddFields("", map[string]any{"x": 1}, nil)
		acc.AddFields("last", map[string]any{"x": 2}, map[string]string{"a": `b\`}, time.Unix(2, 0))
	})
	require.Equal(t, "first x=1i 1000000000\nlast,a=b x=2i 2000000000\n", text)
	require.Len(t, problems, 1)
	require.Contains(t, problems[0], `writing a metric ""`)
}

// Only what differs from the metric before takes memory: a component's name, and three numbers. A metric holds each value
// as an interface.
func TestKnownLayoutIsReadWithoutMemory(t *testing.T) {
	var w lineWriter
	tags, fields := map[string]string{"endpoint": "tcp://127.0.0.1:5559", "host": "a"}, map[string]any{"beats": 1, "starts": 0, "run": int64(1795446803878151400)}
	for i := range 200 {
		tags["zooid"] = fmt.Sprint("component", i)
		fields["observed_s"], fields["sent"], fields["lag_s"] = float64(i)+0.5, float64(i)+0.25, float64(i)+0.125
		require.NoError(t, w.Add("chembus_heartbeat", tags, fields, time.Unix(int64(i), 0)))
	}
	r := newLineReader(bytes.NewReader(w.text))
	perMetric := testing.AllocsPerRun(190, func() {
		_, err := r.Next()
		require.NoError(t, err)
	})
	require.LessOrEqual(t, perMetric, 4.0)
}

// readAll reads metrics, and errors.
func readAll(r *lineReader) (metrics []telegraf.Metric, bad []string, err error) {
	for {
		m, err := r.Next()
		problem := (*lineError)(nil)
		switch {
		case errors.As(err, &problem):
			bad = append(bad, err.Error())
		case err != nil:
			return metrics, bad, err
		default:
			metrics = append(metrics, m.Copy())
		}
	}
}

// passed returns what comes of lines that are read and passed on.
func passed(t *testing.T, text string) string {
	t.Helper()
	out, problems := written(t, func(acc telegraf.Accumulator) {
		for r := newLineReader(strings.NewReader(text)); ; {
			m, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				acc.AddMetric(m)
			}
		}
	})
	require.Empty(t, problems)
	return out
}

const beatLine = "chembus_heartbeat,a=n,endpoint=tcp://127.0.0.1:5559,zooid=meta_agent x=1i,y=-0.5,sent=1795446803.8781514,run=1795446803878151400i 1795446803878151400\n"

// Lines are read as Telegraf's own parser reads them, whichever came before, and passed on as they came.
func TestLinesAreReadAsByTelegraf(t *testing.T) {
	var text strings.Builder
	lines := []string{
		beatLine, "m x=1 1\n", "m x=1i -1\n", "m x=1e3,y=.5 1\n", "m x=t,y=F 1\n", `m x="a\"b" 1` + "\n", "m x=\"two\nlines\" 1\n", "m x=7u 1\n",
		"m,a=1,b=2 x=1,y=2 1\n", "m,b=2,a=1 y=1,x=2 1\n", "m,a=1,c=3 x=1 1\n", "m,c=3 x=1,y=2,sent=3 1\n", "m,b=2,a=1 y=1,x=2 1\n", "m,a=1,b=3 x=1i,y=2 1\n",
		"m\x7f,a=\x01 x=1 1\n", "m,a=\xff x=\"\xff\" 1\n", `m\ n,a=b\ c x=1 1` + "\n", "é,a=日 x=1 1\n", "m x=1 9223372036854775806\n", "long,a=" + strings.Repeat("x", 200_000) + " x=\"1\" 1\n", beatLine, beatLine,
	}
	for range 3 {
		for _, line := range lines {
			text.WriteString(line)
		}
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	}
	var p parser.Parser
	require.NoError(t, p.Init())
	expected, err := p.Parse([]byte(text.String()))
	require.NoError(t, err)
	for _, in := range []io.Reader{strings.NewReader(text.String()), iotest.OneByteReader(strings.NewReader(text.String())), iotest.DataErrReader(strings.NewReader(text.String()))} {
		metrics, bad, err := readAll(newLineReader(in))
		require.ErrorIs(t, err, io.EOF)
		require.Empty(t, bad)
		testutil.RequireMetricsEqual(t, expected, metrics)
	}
	require.Equal(t, text.String(), passed(t, text.String()))
}

func TestBadLinesAreSkipped(t *testing.T) {
	for _, line := range []string{
		"bad", "m x", "m x=", "m x=1,", "m x=1, 1", "m  1", "m,a x=1 1", "m,=1 x=1 1", "m x=1 1 1", "m x=01i2 1", "m x=9223372036854775808i 1", "m x=1 nine", "m x=nul 1",
	} {
		for _, rest := range []string{beatLine, "\n\n" + beatLine, "# a comment\n" + beatLine} {
			metrics, bad, err := readAll(newLineReader(strings.NewReader(beatLine + line + "\n" + rest)))
			require.ErrorIs(t, err, io.EOF)
			require.Len(t, bad, 1, line)
			require.Contains(t, bad[0], fmt.Sprintf("%q", line))
			require.Len(t, metrics, 2, line)
			testutil.RequireMetricEqual(t, metrics[0], metrics[1])
		}
	}
	_, bad, _ := readAll(newLineReader(strings.NewReader(strings.Repeat("x", 100_000) + "\n")))
	require.Less(t, len(bad[0]), 2*maxQuoted)
}

// Telegraf may be killed while it writes a line.
func TestLastLineThatIsCutOff(t *testing.T) {
	for length := range beatLine {
		metrics, bad, err := readAll(newLineReader(strings.NewReader(beatLine + beatLine[:length])))
		require.ErrorIs(t, err, io.EOF)
		require.NotEmpty(t, metrics)
		require.LessOrEqual(t, len(metrics)+len(bad), 2)
	}
	require.Equal(t, beatLine, passed(t, strings.TrimSuffix(beatLine, "\n")))
}

func TestLineWithoutATimeGetsOne(t *testing.T) {
	before := time.Now()
	metrics, bad, err := readAll(newLineReader(strings.NewReader(passed(t, "m,a=1 x=1i\n"))))
	require.ErrorIs(t, err, io.EOF)
	require.Empty(t, bad)
	require.WithinRange(t, metrics[0].Time(), before, time.Now())
}

func TestChangedMetricIsWrittenAsChanged(t *testing.T) {
	for expected, change := range map[string]func(telegraf.Metric){
		"n,a=1 x=1i 1\n":   func(m telegraf.Metric) { m.SetName("n") },
		"pm,a=1 x=1i 1\n":  func(m telegraf.Metric) { m.AddPrefix("p") },
		"ms,a=1 x=1i 1\n":  func(m telegraf.Metric) { m.AddSuffix("s") },
		"m,a=2 x=1i 1\n":   func(m telegraf.Metric) { m.AddTag("a", "2") },
		"m x=1i 1\n":       func(m telegraf.Metric) { m.RemoveTag("a") },
		"m,a=1 x=2i 1\n":   func(m telegraf.Metric) { m.AddField("x", 2) },
		"m,a=1 y=true 1\n": func(m telegraf.Metric) { m.AddField("y", true); m.RemoveField("x") },
		"m,a=1 x=1i 2\n":   func(m telegraf.Metric) { m.SetTime(time.Unix(0, 2)) },
	} {
		text, problems := written(t, func(acc telegraf.Accumulator) {
			r := newLineReader(strings.NewReader("m,a=1 x=1i 1\nm,a=2 x=2i 2\n"))
			m, err := r.Next()
			require.NoError(t, err)
			change(m)
			acc.AddMetric(m)
			m, err = r.Next() // another one
			require.NoError(t, err)
			acc.AddMetric(m)
		})
		require.Empty(t, problems)
		require.Equal(t, expected+"m,a=2 x=2i 2\n", text)
	}
}

// What a plugin keeps of a metric has to stay as it was when others follow.
func TestValuesOutliveTheLine(t *testing.T) {
	r := newLineReader(strings.NewReader("m,a=one x=1i,y=\"p\" 1\nn,a=two x=2i,y=\"q\" 2\nn,a=two x=3i,y=\"r\" 3\n"))
	var kept []any
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		tag, _ := m.GetTag("a")
		number, _ := m.GetField("x")
		text, _ := m.GetField("y")
		kept = append(kept, m.Name(), tag, number, text)
	}
	require.Equal(t, []any{"m", "one", int64(1), "p", "n", "two", int64(2), "q", "n", "two", int64(3), "r"}, kept)
}

func TestReadErrorIsReturned(t *testing.T) {
	failure := errors.New("no stdin")
	metrics, bad, err := readAll(newLineReader(io.MultiReader(strings.NewReader("m x=1 1\n"), iotest.ErrReader(failure))))
	require.Len(t, metrics, 1)
	require.Empty(t, bad)
	require.ErrorIs(t, err, failure)
}
