package main

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/grafana"
)

// stateRow matches a row of the table of states in the processor's README.
var stateRow = regexp.MustCompile("(?m)^\\| *(\\d+) *\\| `(\\w+)`")

func loadDashboards(t *testing.T) map[string]*grafana.Dashboard {
	t.Helper()
	all := make(map[string]*grafana.Dashboard)
	for _, name := range []string{"influxql", "flux", "prometheus"} {
		d, err := grafana.Load(filepath.Join("dashboards", name+".json"))
		require.NoError(t, err)
		all[name] = d
	}
	return all
}

// TestDashboards checks for mistakes that Grafana would reject or display incorrectly.
func TestDashboards(t *testing.T) {
	for name, d := range loadDashboards(t) {
		source := grafana.Datasource{Type: "influxdb", UID: "${datasource}"}
		if name == "prometheus" {
			source.Type = name
		}
		require.GreaterOrEqual(t, d.SchemaVersion, 36, "%s: Grafana would migrate it at each import", name)
		require.NotEmpty(t, d.UID, name)
		require.NotEmpty(t, d.Title, name)
		variables := make(map[string]bool)
		for _, v := range d.Templating.List {
			require.False(t, variables[v.Name], "%s: variable %q twice", name, v.Name)
			variables[v.Name] = true
			if v.Type == "query" {
				require.Equal(t, &source, v.Datasource, "%s: variable %q", name, v.Name)
			}
			if v.IncludeAll {
				require.True(t, v.Multi, "%s: variable %q", name, v.Name)
				require.Equal(t, ".*", v.AllValue, "%s: variable %q", name, v.Name)
			}
		}
		require.True(t, variables["datasource"] && variables["host"] && variables["endpoint"] && variables["niche"] && variables["zooid"], name)

		ids, folded := make(map[int]bool), make(map[int]int) // by panel, the row
		for _, row := range d.Panels {
			for _, p := range row.Panels {
				folded[p.ID] = row.ID
			}
		}
		for i, p := range d.All() {
			require.Positive(t, p.ID, p.Title)
			require.False(t, ids[p.ID], "%s: id of %q is taken", name, p.Title)
			ids[p.ID] = true
			require.Positive(t, p.GridPos.W, p.Title)
			require.Positive(t, p.GridPos.H, p.Title)
			require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
			for _, other := range d.All()[:i] {
				if folded[other.ID] != folded[p.ID] {
					continue // a row that is unfolded moves what follows it
				}
				require.False(t, overlap(p.GridPos, other.GridPos), "%s: %q and %q overlap", name, p.Title, other.Title)
			}
			if p.Type == "row" {
				continue
			}
			require.NotEmpty(t, p.Description, p.Title)
			require.Equal(t, &source, p.Datasource, p.Title)
			require.NotEmpty(t, p.Targets, p.Title)
			require.NotEmpty(t, p.FieldConfig.Defaults.Unit, p.Title)
			require.NotNil(t, p.FieldConfig.Defaults.Thresholds, p.Title)
			for _, target := range p.Targets {
				require.Equal(t, &source, target.Datasource, p.Title)
				require.NotEmpty(t, target.RefID, p.Title)
				require.NotEmpty(t, target.Query+target.Expr, p.Title)
				if name == "influxql" {
					require.True(t, target.RawQuery, p.Title)
				}
			}
		}
	}
}

func overlap(a, b grafana.GridPos) bool {
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

// TestDashboardsAreEqual requires that the dashboards differ in their queries only.
func TestDashboardsAreEqual(t *testing.T) {
	all := loadDashboards(t)
	ql, flux := all["influxql"], all["flux"]
	require.Len(t, flux.All(), len(ql.All()))
	for i, a := range ql.All() {
		b := flux.All()[i]
		a.Targets, b.Targets = nil, nil
		// InfluxQL names its series in the query.
		require.Empty(t, a.FieldConfig.Defaults.DisplayName)
		b.FieldConfig.Defaults.DisplayName = ""
		require.Equal(t, a, b)
	}
	prometheus := all["prometheus"]
	require.Len(t, prometheus.All(), len(ql.All()))
	for i, p := range prometheus.All() {
		same := ql.All()[i]
		require.Equal(t, same.Type+" "+same.Title, p.Type+" "+p.Title)
		require.Equal(t, same.GridPos, p.GridPos)
		require.Equal(t, same.FieldConfig.Defaults, p.FieldConfig.Defaults, p.Title)
	}
}

// TestDashboardsKnowTheStates compares the state timelines with the state codes in the processor's README.
func TestDashboardsKnowTheStates(t *testing.T) {
	colours := map[string]string{
		"up": "green", "late": "yellow", "silent": "red", "flapping": "orange", "unseen": "blue",
		"killed": "#8e8e8e", "stopped": "#747474", "retired": "#5a5a5a", "gone": "#474747", // greys
	}
	codes := make(map[string]string)
	for _, m := range stateRow.FindAllStringSubmatch(readme(t, "processors", "liveness"), -1) {
		codes[m[1]] = m[2]
	}
	require.Len(t, codes, len(colours))
	for name, d := range loadDashboards(t) {
		found := false
		for _, p := range d.All() {
			if p.Type != "state-timeline" || p.Title != "State" {
				continue
			}
			found = true
			require.Len(t, p.FieldConfig.Defaults.Mappings, 1, name)
			mapping := p.FieldConfig.Defaults.Mappings[0]
			require.Len(t, mapping.Options, len(codes), name)
			for code, state := range codes {
				require.Equal(t, state, mapping.Options[code].Text, name)
				require.Equal(t, colours[state], mapping.Options[code].Color, name)
			}
		}
		require.True(t, found, name)
	}
}
