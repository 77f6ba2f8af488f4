package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"
	parser "github.com/influxdata/telegraf/plugins/parsers/influx"
)

// maxQuoted is how much of a bad line is quoted, in bytes.
const maxQuoted = 1024

// lineError is the error of a line that is no metric.
type lineError struct {
	line []byte
	err  error
}

func (e *lineError) Error() string {
	line := bytes.TrimSuffix(e.line, []byte("\n"))
	return fmt.Sprintf("metric parse error: %v in %q", e.err, line[:min(len(line), maxQuoted)])
}

// lineReader reads metrics in line protocol. It has one metric, whose memory it uses again for the next one.
type lineReader struct {
	in      *bufio.Reader
	decoder *lineprotocol.Decoder // reads from in by Read
	rest    []byte                // of what was read from in
	metric  lineMetric
}

func newLineReader(in io.Reader) *lineReader {
	r := &lineReader{in: bufio.NewReaderSize(in, 64<<10), metric: lineMetric{Metric: metric.New("", nil, nil, time.Time{})}}
	r.decoder = lineprotocol.NewDecoder(r)
	return r
}

// Read gives the decoder no more than a line at a time, and notes it, so that a metric can be passed on as it came.
func (r *lineReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		var err error
		if r.rest, err = r.in.ReadSlice('\n'); len(r.rest) == 0 {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.metric.line = append(r.metric.line, r.rest[:n]...)
	r.rest = r.rest[n:]
	return n, nil
}

// Next returns the next metric, which is valid until the next call. The error is io.EOF at the end, a *lineError for a
// line that is no metric, or that of the reader.
func (r *lineReader) Next() (telegraf.Metric, error) {
	r.metric.line, r.metric.changed = r.metric.line[:0], false
	if !r.decoder.Next() {
		if err := r.decoder.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	err := r.metric.decode(r.decoder)
	if readError := r.decoder.Err(); readError != nil {
		return nil, readError // the line was cut off by it
	}
	if err != nil {
		return r.metricOfTelegraf(err)
	}
	return &r.metric, nil
}

// metricOfTelegraf reads a line that the decoder refuses for a reason. Telegraf also has tags with control characters, and
// texts that are not UTF-8.
func (r *lineReader) metricOfTelegraf(reason error) (telegraf.Metric, error) {
	var p parser.Parser
	err := p.Init()
	if err == nil {
		r.metric.Metric, err = p.ParseLine(string(r.metric.line))
	}
	if err != nil {
		r.metric.Metric = metric.New("", nil, nil, time.Time{})
		return nil, &lineError{r.metric.line, reason}
	}
	return &r.metric, nil
}

// lineMetric is a metric that was read. It knows the line that it came in, and whether a plugin has changed it since.
type lineMetric struct {
	telegraf.Metric
	line    []byte
	changed bool
}

// decode reads the next metric of a decoder in the place of the one before. Most have the same tags and fields, and only
// the values differ; and of these not all.
func (m *lineMetric) decode(d *lineprotocol.Decoder) error {
	name, err := d.Measurement()
	if err != nil {
		return err
	}
	if m.Name() != string(name) {
		m.Metric.SetName(string(name))
	}
	n := 0
	for ; ; n++ {
		key, value, err := d.NextTag()
		if err != nil {
			return err
		}
		if key == nil {
			break
		}
		tags := m.TagList()
		if n < len(tags) && tags[n].Key == string(key) {
			if tags[n].Value != string(value) {
				tags[n].Value = string(value)
			}
			continue
		}
		m.cutTags(n)
		m.Metric.AddTag(string(key), string(value))
	}
	m.cutTags(n)
	for n = 0; ; n++ {
		key, value, err := d.NextField()
		if err != nil {
			return err
		}
		if key == nil {
			break
		}
		fields := m.FieldList()
		if n < len(fields) && fields[n].Key == string(key) {
			if !sameValue(fields[n].Value, value) {
				fields[n].Value = value.Interface()
			}
			continue
		}
		m.cutFields(n)
		m.Metric.AddField(string(key), value.Interface())
	}
	m.cutFields(n)
	at, err := d.Time(lineprotocol.Nanosecond, time.Time{})
	if err != nil {
		return err
	}
	if at.IsZero() { // it came without
		at, m.changed = time.Now(), true
	}
	m.Metric.SetTime(at)
	return nil
}

// cutTags removes all tags but the first n.
func (m *lineMetric) cutTags(n int) {
	for tags := m.TagList(); len(tags) > n; tags = m.TagList() {
		m.Metric.RemoveTag(tags[len(tags)-1].Key)
	}
}

// cutFields removes all fields but the first n.
func (m *lineMetric) cutFields(n int) {
	for fields := m.FieldList(); len(fields) > n; fields = m.FieldList() {
		m.Metric.RemoveField(fields[len(fields)-1].Key)
	}
}

// sameValue reports whether a field has a number already, which then need not be allocated.
func sameValue(field any, value lineprotocol.Value) bool {
	switch old := field.(type) {
	case int64:
		return value.Kind() == lineprotocol.Int && value.IntV() == old
	case float64:
		return value.Kind() == lineprotocol.Float && value.FloatV() == old
	}
	return false
}

// The methods that change a metric.

func (m *lineMetric) SetName(name string)        { m.changed = true; m.Metric.SetName(name) }
func (m *lineMetric) AddPrefix(prefix string)    { m.changed = true; m.Metric.AddPrefix(prefix) }
func (m *lineMetric) AddSuffix(suffix string)    { m.changed = true; m.Metric.AddSuffix(suffix) }
func (m *lineMetric) AddTag(key, value string)   { m.changed = true; m.Metric.AddTag(key, value) }
func (m *lineMetric) RemoveTag(key string)       { m.changed = true; m.Metric.RemoveTag(key) }
func (m *lineMetric) AddField(key string, v any) { m.changed = true; m.Metric.AddField(key, v) }
func (m *lineMetric) RemoveField(key string)     { m.changed = true; m.Metric.RemoveField(key) }
func (m *lineMetric) SetTime(t time.Time)        { m.changed = true; m.Metric.SetTime(t) }
