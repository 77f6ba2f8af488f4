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
)

// TestDashboards lets a component die and come back, sends some messages that are rejected, and pauses the bus. It
// runs every query of both dashboards while the component is dead and afterwards. None may be refused, and
// each must have told something.
func TestDashboards(t *testing.T) {
	// A name that a regular expression and a query have to escape.
	const victim, odd = "audio_io", `odd/name (1.5) "é" a+b`
	flux := startFlux(t)
	began := time.Now()
	s := newSceneWith(t, quick, fmt.Sprintf(`
[[outputs.influxdb]]
  urls = [%q]
  database = %q
`, flux.URL, database))
	c := s.colony(4)
	require.NoError(t, c.Add(colony.Zooid{Name: odd, Niche: "a.b", Interval: time.Second}))
	s.wait("the odd one is up", func() bool { return s.up(odd) == 1 })
	p := s.publisher()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	require.NoError(t, p.WaitSubscribed(ctx, "HEARTBEAT"))
	require.NoError(t, p.Send([]byte("HEARTBEAT"), []byte(`{"facts":{"zooid":"without_niche"}}`)))
	s.wait("one without a niche is up", func() bool { return s.up("without_niche") == 1 })

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
	s.wait("the bus is not heard", func() bool {
		return s.value(`SELECT last(observable) AS value FROM chembus_bus`) == false
	})
	require.NoError(t, s.bus.Resume())
	s.wait("the bus is heard", func() bool { return s.value(`SELECT last(observable) AS value FROM chembus_bus`) == true })
	for _, payload := range []string{"not JSON", "{}", `{"facts":{"zooid":""}}`} {
		require.NoError(t, p.Send([]byte("HEARTBEAT"), []byte(payload)))
	}
	require.NoError(t, p.Send([]byte("HEARTBEAT"), bytes1M))
	require.NoError(t, p.Send([]byte("HEARTBEAT_X"), nil))
	require.NoError(t, p.Send([]byte("HEARTBEAT")))

	require.NoError(t, c.Kill(victim))
	s.waitForGap(victim, true)
	s.wait("so has the other", func() bool {
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
		v.look(v.with("niche", "a.b", "voice"))
		require.ElementsMatch(t, []string{odd, victim}, zooidsIn(v.seen["state-timeline State"]), name)
	}

	require.NoError(t, c.Revive(victim))
	s.wait("it is up again", func() bool { return s.up(victim) == 1 })
	s.observe(3)
	for name, v := range viewers {
		v.look(v.chosen)
		require.NotContains(t, zooidsIn(v.seen["table Open gaps"]), victim, name)
		require.Contains(t, zooidsIn(v.seen["table Gaps that ended"]), victim, name)

		state := valuesIn(v.seen["state-timeline State"])
		require.EqualValues(t, 6, state[victim], "%s: silent was the worst", name)
		require.LessOrEqual(t, state["meta_agent"], 1.0, "%s: never worse than late", name)
		silence := valuesIn(v.seen["timeseries Silence against threshold"])
		require.Greater(t, silence[victim], 1.0, name)
		require.Less(t, silence["meta_agent"], 1.0, name)
		availability := valuesIn(v.seen["bargauge Availability over the range"])
		require.Less(t, availability[victim], 1.0, name)
		require.Positive(t, availability[victim], name)
		require.EqualValues(t, 1, availability["meta_agent"], name)

		for _, panel := range v.Panels {
			for _, target := range panel.Targets {
				require.True(t, v.told[target.Query], "%s: %q has never told anything: %s", name, panel.Title, target.Query)
			}
		}
	}
	requireWritten(s, viewers["influxql"].Dashboard, viewers["flux"].Dashboard)
}

var bytes1M = []byte(strings.Repeat(" ", 1<<20))

// startFlux starts the InfluxDB that answers Flux.
func startFlux(t *testing.T) *influxdb.Server {
	t.Helper()
	binary := os.Getenv("INFLUXD")
	if binary == "" {
		binary = filepath.Join(root, "bin", "influxd")
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	s, err := influxdb.StartProgram(ctx, binary, t.TempDir())
	require.NoError(t, err, "no InfluxDB that answers Flux; run make bin/influxd, or name one with INFLUXD=")
	t.Cleanup(func() {
		_ = s.Stop()
		if t.Failed() {
			t.Logf("the InfluxDB that answers Flux said:\n%s", s.Output())
		}
	})
	return s
}

// viewer looks at a dashboard.
type viewer struct {
	*scene
	*grafana.Dashboard
	began time.Time
	fill  func(grafana.Fill, string, []grafana.Variable) string
	ask   func(query string) ([]map[string]any, error)

	offered map[string][]string         // what there is to choose, by variable
	chosen  map[string][]string         // everything
	seen    map[string][]map[string]any // the rows that held a value last time, by type and title of the panel
	told    map[string]bool             // queries that have told more than zeros
}

// choose asks what there is to choose and chooses all of it.
func (v *viewer) choose() {
	v.Helper()
	v.offered, v.chosen = make(map[string][]string), make(map[string][]string)
	v.told = make(map[string]bool)
	for _, variable := range v.Templating.List {
		if variable.Type != "query" {
			continue
		}
		query := v.fill(grafana.Fill{From: v.began, To: time.Now(), Values: v.chosen}, variable.Query, v.Templating.List)
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

// with chooses some values of one variable, and everything else.
func (v *viewer) with(variable string, values ...string) map[string][]string {
	chosen := make(map[string][]string)
	for name, all := range v.chosen {
		chosen[name] = all
	}
	chosen[variable] = values
	return chosen
}

// pace is how much faster than the defaults, for which the dashboards are made, the quick options are.
const pace = 10

// look runs all queries. None may be refused.
func (v *viewer) look(chosen map[string][]string) {
	v.Helper()
	v.seen = make(map[string][]map[string]any)
	for _, panel := range v.Panels {
		fill := grafana.Fill{From: v.began, To: time.Now(), Interval: time.Second, Values: chosen}
		if panel.Interval != "" {
			least, err := time.ParseDuration(panel.Interval)
			require.NoError(v, err, panel.Title)
			fill.Interval = max(fill.Interval, least/pace)
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
				seen, told := looked(row)
				if seen {
					v.seen[key] = append(v.seen[key], row)
				}
				v.told[target.Query] = v.told[target.Query] || told
			}
		}
	}
}

// looked reports whether a row holds a value beside its time and tags, and whether one is more than a zero.
func looked(row map[string]any) (seen, told bool) {
	for column, value := range row {
		switch column {
		case "time", "host", "endpoint", "zooid", "niche", "gap_type", "result", "table":
			continue
		}
		if value == nil || value == "" || strings.HasPrefix(column, "_") && column != "_value" {
			continue
		}
		n, isNumber := number(value)
		seen = true
		told = told || !isNumber || n != 0
	}
	return seen, told
}

// number is a value of either query language as a number.
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

// zooidsIn are the zooids that rows are about.
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

// valuesIn is the greatest value of each zooid, in rows that have one value each.
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
