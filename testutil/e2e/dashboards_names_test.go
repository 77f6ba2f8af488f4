package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/influxdata/influxql"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/grafana"
)

// written is the fields and tags of a measurement in InfluxDB.
type written struct{ fields, tags []string }

// requireNamesWritten requires that every measurement, field and tag in a dashboard was written by the run.
func requireNamesWritten(s *scene, ql, flux *grafana.Dashboard) {
	s.Helper()
	measurements := make(map[string]written)
	for _, measurement := range s.keys("SHOW MEASUREMENTS", "name") {
		measurements[measurement] = written{
			fields: s.keys(fmt.Sprintf("SHOW FIELD KEYS FROM %q", measurement), "fieldKey"),
			tags:   s.keys(fmt.Sprintf("SHOW TAG KEYS FROM %q", measurement), "tagKey"),
		}
	}
	// Of an outage and of a watch, which this run does not have.
	for name, more := range map[string][]string{"liveness": nil, "liveness_gap": {"members", "member_count"}, "chembus_heartbeat": nil} {
		m := measurements[name]
		measurements[name] = written{fields: append(m.fields, more...), tags: append(m.tags, "watch")}
	}
	for _, q := range queriesOf(ql) {
		fill := grafana.Fill{Interval: 1e9, Values: map[string][]string{"host": grafana.All, "endpoint": grafana.All, "niche": grafana.All, "zooid": grafana.All}}
		statement, err := influxql.ParseStatement(fill.InfluxQL(q, ql.Templating.List))
		require.NoError(s, err, q)
		requireWrittenInfluxQL(s, statement, measurements)
	}
	for _, q := range queriesOf(flux) {
		if !strings.HasPrefix(q, "buckets()") {
			requireWrittenFlux(s, q, measurements)
		}
	}
}

func (s *scene) keys(query, column string) []string {
	s.Helper()
	rows, err := s.influx.Query(database, query)
	require.NoError(s, err)
	require.NotEmpty(s, rows, query)
	var keys []string
	for _, row := range rows {
		keys = append(keys, row[column].(string))
	}
	return keys
}

func queriesOf(d *grafana.Dashboard) []string {
	var all []string
	for _, panel := range d.All() {
		for _, target := range panel.Targets {
			all = append(all, target.Query)
		}
	}
	for _, variable := range d.Templating.List {
		if variable.Type == "query" {
			all = append(all, variable.Query)
		}
	}
	return all
}

// requireWrittenInfluxQL checks every name in an InfluxQL statement.
func requireWrittenInfluxQL(s *scene, statement influxql.Statement, measurements map[string]written) {
	s.Helper()
	switch statement := statement.(type) {
	case *influxql.SelectStatement:
		names := []string{"time"}
		for _, source := range statement.Sources {
			switch source := source.(type) {
			case *influxql.Measurement:
				require.Contains(s, measurements, source.Name, statement.String())
				names = append(names, measurements[source.Name].fields...)
				names = append(names, measurements[source.Name].tags...)
			case *influxql.SubQuery:
				requireWrittenInfluxQL(s, source.Statement, measurements)
				names = append(names, source.Statement.ColumnNames()...)
				_, tags := source.Statement.Dimensions.Normalize()
				names = append(names, tags...)
			}
		}
		requireNames(s, statement.Fields, names)
		requireNames(s, statement.Condition, names)
		requireNames(s, statement.Dimensions, names)
	case *influxql.ShowTagValuesStatement:
		measurement := statement.Sources[0].(*influxql.Measurement).Name
		require.Contains(s, measurements, measurement, statement.String())
		require.Contains(s, measurements[measurement].tags, statement.TagKeyExpr.(*influxql.StringLiteral).Val)
		requireNames(s, statement.Condition, measurements[measurement].tags)
	default:
		require.Fail(s, "unexpected statement", statement.String())
	}
}

func requireNames(s *scene, node influxql.Node, names []string) {
	s.Helper()
	influxql.WalkFunc(node, func(n influxql.Node) {
		if ref, ok := n.(*influxql.VarRef); ok {
			require.Contains(s, names, ref.Val, "in %s", node)
		}
	})
}

var (
	fluxMeasurement = regexp.MustCompile(`r\._measurement == "(\w+)"`)
	fluxField       = regexp.MustCompile(`r\._field == "(\w+)"`)
	fluxFields      = regexp.MustCompile(`r\._field =~ /(.*?)/`)
	fluxColumns     = regexp.MustCompile(`columns?: (?:\[([^\]]*)\]|"(\w+)")`)
	fluxQuoted      = regexp.MustCompile(`"(\w+)"`)
	fluxRow         = regexp.MustCompile(`\br\.(\w+)`)
	// Columns that a query creates: rename(columns: {old: "new"}), {r with new: …}, {new: …, new: …}, set(key: "new", …).
	fluxRenamed = regexp.MustCompile(`(\w+): "(\w+)"`)
	fluxRecord  = regexp.MustCompile(`=> \(\{(.*?)\}\)`)
	fluxCreated = regexp.MustCompile(`(\w+): `)
	fluxSet     = regexp.MustCompile(`set\(key: "(\w+)"`)
)

// requireWrittenFlux checks every measurement, field, tag and column in a Flux query.
func requireWrittenFlux(s *scene, query string, measurements map[string]written) {
	s.Helper()
	measurement := fluxMeasurement.FindStringSubmatch(query)
	require.NotNil(s, measurement, query)
	require.Contains(s, measurements, measurement[1], query)
	w := measurements[measurement[1]]

	fields := 0
	for _, m := range fluxField.FindAllStringSubmatch(query, -1) {
		require.Contains(s, w.fields, m[1], query)
		fields++
	}
	for _, m := range fluxFields.FindAllStringSubmatch(query, -1) {
		require.True(s, slices.ContainsFunc(w.fields, regexp.MustCompile(m[1]).MatchString), query)
		fields++
	}
	require.Positive(s, fields, query)

	known := slices.Concat(w.fields, w.tags, []string{"_time", "_start", "_stop", "_value", "_field", "_measurement", "elapsed"})
	for _, m := range fluxRenamed.FindAllStringSubmatch(query, -1) {
		known = append(known, m[2])
	}
	for _, m := range fluxSet.FindAllStringSubmatch(query, -1) {
		known = append(known, m[1])
	}
	for _, record := range fluxRecord.FindAllString(query, -1) {
		for _, m := range fluxCreated.FindAllStringSubmatch(record, -1) {
			known = append(known, m[1])
		}
	}
	for _, m := range fluxRow.FindAllStringSubmatch(query, -1) {
		require.Contains(s, known, m[1], query)
	}
	for _, m := range fluxColumns.FindAllStringSubmatch(query, -1) {
		for _, column := range fluxQuoted.FindAllStringSubmatch(m[1]+`"`+m[2]+`"`, -1) {
			require.Contains(s, known, column[1], query)
		}
	}
}
