package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/grafana"
	"github.com/kloros/telegraf-chembus/testutil/influxdb"
	"github.com/kloros/telegraf-chembus/testutil/process"
)

// TestDashboards kills and revives a component, sends invalid messages and pauses the bus. It runs every query of both
// dashboards while the component is dead and afterwards. No query may fail, and each must have returned values.
func TestDashboards(t *testing.T) {
	// A name that must be escaped in regular expressions and queries.
	const victim, odd = "audio_io", `odd/name (1.5) "é" a+b`
	flux := startFlux(t)
	began := time.Now()
	state := filepath.Join(t.TempDir(), "output.json")
	s := newSceneWith(t, quick+fmt.Sprintf("  state_file = %q\n", state), fmt.Sprintf(`
[[outputs.influxdb]]
  urls = [%q]
  database = %q
`, flux.URL, database)+outputMetric(state))
	// Somebody who listens, so that gaps are delivered.
	s.python("consumer.py")
	c := s.colony(4)
	require.NoError(t, c.Add(colony.Zooid{Name: odd, Niche: "a.b", Interval: time.Second}))
	s.wait("the component with the odd name is up", func() bool { return s.up(odd) == 1 })
	p := s.publisher()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	require.NoError(t, p.WaitSubscribed(ctx, "HEARTBEAT"))
	require.NoError(t, p.Send([]byte("HEARTBEAT"), []byte(`{"facts":{"zooid":"without_niche"}}`)))
	s.wait("the component without a niche is up", func() bool { return s.up("without_niche") == 1 })

	viewers := map[string]*viewer{
		"influxql": {
			scene: s, began: began, fill: grafana.Fill.InfluxQL,
			ask: func(query string) ([]map[string]any, error) { return s.influx.Query(database, query) },
		},
		"flux": {
			scene: s, began: began, fill: grafana.Fill.Flux,
			ask: func(query string) ([]map[string]any, error) { return flux.Flux(t.Context(), query) },
		},
	}
	for name, v := range viewers {
		var err error
		v.Dashboard, err = grafana.Load(filepath.Join(root, "cmd", "telegraf-chembus", "dashboards", name+".json"))
		require.NoError(t, err)
	}

	require.NoError(t, s.bus.Pause())
	s.wait("the bus is not observable", func() bool {
		return s.value(`SELECT last(observable) AS value FROM chembus_bus`) == false
	})
	require.NoError(t, s.bus.Resume())
	s.wait("the bus is observable", func() bool { return s.value(`SELECT last(observable) AS value FROM chembus_bus`) == true })
	for _, payload := range []string{"not JSON", "{}", `{"facts":{"zooid":""}}`} {
		require.NoError(t, p.Send([]byte("HEARTBEAT"), []byte(payload)))
	}
	require.NoError(t, p.Send([]byte("HEARTBEAT"), bytes1M))
	require.NoError(t, p.Send([]byte("HEARTBEAT_X"), nil))
	require.NoError(t, p.Send([]byte("HEARTBEAT")))

	require.NoError(t, c.Kill(victim))
	s.waitForGap(victim, true)
	s.wait("the other InfluxDB has open=true, too", func() bool {
		rows, err := flux.Query(database, `SELECT last("open") AS value FROM liveness_gap WHERE zooid = '`+victim+`'`)
		return err == nil && len(rows) > 0 && rows[0]["value"] == true
	})
	for name, v := range viewers {
		v.choose()
		v.look(v.chosen)
		require.Contains(t, v.offered["zooid"], odd, name)
		require.Contains(t, v.offered["niche"], "a.b", name)
		require.Equal(t, []string{"e2e"}, v.offered["host"], name)
		require.Contains(t, zooidsIn(v.seen["table Open gaps"]), victim, name)

		one := v.with("zooid", odd)
		v.look(one)
		require.Equal(t, []string{odd}, zooidsIn(v.seen["state-timeline State"]), name)
		require.Empty(t, v.seen["table Open gaps"], name)
		v.look(v.with("niche", "a.b", "consciousness"))
		require.ElementsMatch(t, []string{odd, "meta_agent"}, zooidsIn(v.seen["state-timeline State"]), name)
	}

	require.NoError(t, c.Revive(victim))
	s.wait("it is up again", func() bool { return s.up(victim) == 1 })
	s.observe(3)
	for name, v := range viewers {
		v.look(v.chosen)
		require.NotContains(t, zooidsIn(v.seen["table Open gaps"]), victim, name)
		require.Contains(t, zooidsIn(v.seen["table Gaps that ended"]), victim, name)

		state := valuesIn(v.seen["state-timeline State"])
		require.EqualValues(t, 6, state[victim], "%s: silent is the worst state", name)
		require.LessOrEqual(t, state["meta_agent"], 1.0, "%s: up or late", name)
		silence := valuesIn(v.seen["timeseries Silence against threshold"])
		require.Greater(t, silence[victim], 1.0, name)
		require.Less(t, silence["meta_agent"], 1.0, name)
		availability := valuesIn(v.seen["table Availability over the range"])
		require.Less(t, availability[victim], 1.0, name)
		require.Positive(t, availability[victim], name)
		require.EqualValues(t, 1, availability["meta_agent"], name)

		require.Len(t, v.seen["stat Not judged"], 1, name)

		for _, panel := range v.All() {
			for _, target := range panel.Targets {
				if strings.Contains(target.Query, "* 0") || panel.Title == "Loss" || panel.Title == "Not judged" {
					continue // zeros are what they say: that something was reported, that no beat was lost, that all can be judged
				}
				require.True(t, v.answered[target.Query], "%s: %q has returned no value: %s", name, panel.Title, target.Query)
			}
		}
	}
	requireNamesWritten(s, viewers["influxql"].Dashboard, viewers["flux"].Dashboard)
}

var bytes1M = []byte(strings.Repeat(" ", 1<<20))

// startFlux starts an InfluxDB that supports Flux.
func startFlux(t *testing.T) *influxdb.Server {
	t.Helper()
	process.SkipIfShort(t, "InfluxDB")
	binary := os.Getenv("INFLUXD")
	if binary == "" {
		binary = filepath.Join(root, "bin", "influxd")
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	s, err := influxdb.StartProgram(ctx, binary, t.TempDir())
	require.NoError(t, err, "no InfluxDB with Flux; run make test, which builds one, or set INFLUXD to its path")
	t.Cleanup(func() {
		_ = s.Stop()
		if t.Failed() {
			t.Logf("the log of the InfluxDB with Flux:\n%s", s.Output())
		}
	})
	return s
}

// viewer runs the queries of a dashboard.
type viewer struct {
	*scene
	*grafana.Dashboard
	began  time.Time
	until  time.Time     // end of the range; zero: now
	window time.Duration // between two points, if longer than for the quick options
	fill   func(grafana.Fill, string, []grafana.Variable) string
	ask    func(query string) ([]map[string]any, error)

	offered  map[string][]string         // values of each variable
	chosen   map[string][]string         // selection of all values
	seen     map[string][]map[string]any // rows with a value of the last look, by type and title of the panel
	answered map[string]bool             // queries that have returned a value other than zero
}

// now returns the end of the range.
func (v *viewer) now() time.Time {
	if v.until.IsZero() {
		return time.Now()
	}
	return v.until
}

// choose reads the values of all variables and selects all of them.
func (v *viewer) choose() {
	v.Helper()
	v.offered, v.chosen = make(map[string][]string), make(map[string][]string)
	v.answered = make(map[string]bool)
	for _, variable := range v.Templating.List {
		if variable.Type != "query" {
			continue
		}
		query := v.fill(grafana.Fill{From: v.began, To: v.now(), Values: v.chosen}, variable.Query, v.Templating.List)
		rows, err := v.ask(query)
		require.NoError(v, err, "variable %q: %s", variable.Name, query)
		for _, row := range rows {
			value := row["value"]
			if value == nil {
				value = row["_value"]
			}
			if value != nil {
				v.offered[variable.Name] = append(v.offered[variable.Name], fmt.Sprint(value))
			}
		}
		require.NotEmpty(v, v.offered[variable.Name], "variable %q: %s", variable.Name, query)
		v.chosen[variable.Name] = v.offered[variable.Name][:1]
		if variable.IncludeAll {
			v.chosen[variable.Name] = grafana.All
		}
	}
}

// with returns the selection of some values of one variable and of all values of the others.
func (v *viewer) with(variable string, values ...string) map[string][]string {
	chosen := make(map[string][]string)
	for name, all := range v.chosen {
		chosen[name] = all
	}
	chosen[variable] = values
	return chosen
}

// pace is how much faster the quick options are than the defaults, for which the dashboards are made.
const pace = 10

// look runs all queries. None may fail.
func (v *viewer) look(chosen map[string][]string) {
	v.Helper()
	v.seen = make(map[string][]map[string]any)
	for _, panel := range v.All() {
		fill := grafana.Fill{From: v.began, To: v.now(), Interval: time.Second, Values: chosen}
		if panel.Interval != "" {
			least, err := time.ParseDuration(panel.Interval)
			require.NoError(v, err, panel.Title)
			fill.Interval = max(fill.Interval, least/pace, v.window)
		}
		if panel.TimeFrom != "" {
			back, err := time.ParseDuration(panel.TimeFrom)
			require.NoError(v, err, panel.Title)
			fill.From = fill.To.Add(-back)
		}
		for _, target := range panel.Targets {
			query := v.fill(fill, target.Query, v.Templating.List)
			require.NotContains(v, query, "${", panel.Title)
			rows, err := v.ask(query)
			require.NoError(v, err, "%s: %s", panel.Title, query)
			key := panel.Type + " " + panel.Title
			for _, row := range rows {
				seen, nonzero := valueIn(row)
				if seen {
					v.seen[key] = append(v.seen[key], row)
				}
				v.answered[target.Query] = v.answered[target.Query] || nonzero
			}
		}
	}
}

// opened returns what the annotations mark.
func (v *viewer) opened() []map[string]any {
	v.Helper()
	require.Len(v, v.Annotations.List, 1)
	annotation := v.Annotations.List[0]
	query := v.fill(grafana.Fill{From: v.began, To: v.now(), Values: v.chosen}, annotation.Query+annotation.Target.Query, v.Templating.List)
	rows, err := v.ask(query)
	require.NoError(v, err, query)
	return rows
}

// valueIn reports whether a row has a value other than its time and tags, and whether one is not zero.
func valueIn(row map[string]any) (seen, nonzero bool) {
	for column, value := range row {
		switch column {
		case "time", "Time", "host", "endpoint", "zooid", "niche", "gap_type", "result", "table":
			continue
		}
		if value == nil || value == "" || strings.HasPrefix(column, "_") && column != "_value" {
			continue
		}
		n, isNumber := number(value)
		seen = true
		nonzero = nonzero || !isNumber || n != 0
	}
	return seen, nonzero
}

// number returns a value of either query language as a number.
func number(value any) (float64, bool) {
	switch value := value.(type) {
	case json.Number:
		f, err := value.Float64()
		return f, err == nil
	case float64:
		return value, true
	case int64:
		return float64(value), true
	}
	return 0, false
}

// zooidsIn returns the zooids in rows.
func zooidsIn(rows []map[string]any) []string {
	var zooids []string
	seen := make(map[string]bool)
	for _, row := range rows {
		if zooid, ok := row["zooid"].(string); ok && !seen[zooid] {
			seen[zooid] = true
			zooids = append(zooids, zooid)
		}
	}
	return zooids
}

// valuesIn returns the greatest value of each zooid, in rows with one value each.
func valuesIn(rows []map[string]any) map[string]float64 {
	greatest := make(map[string]float64)
	for _, row := range rows {
		zooid, _ := row["zooid"].(string)
		for column, value := range row {
			if n, ok := number(value); ok && column != "table" {
				greatest[zooid] = max(greatest[zooid], n)
			}
		}
	}
	return greatest
}
