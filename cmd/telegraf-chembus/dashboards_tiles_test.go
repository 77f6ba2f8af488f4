package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/grafana"
)

// TestDashboardsShowNoColourWithoutData requires that no tile is green, or red, when nothing is known.
func TestDashboardsShowNoColourWithoutData(t *testing.T) {
	unknown := []grafana.Tile{{Text: "no report", Color: "#6e6e6e"}}
	for name, d := range loadDashboards(t) {
		stats := 0
		for _, p := range d.All() {
			if p.Type != "stat" {
				continue
			}
			stats++
			tiles, err := p.Stat(nil)
			require.NoError(t, err)
			require.Equal(t, unknown, tiles, "%s: %s", name, p.Title)
		}
		require.Positive(t, stats, name)
	}
}

// TestDashboardsShowTiles compares what tiles show for values as InfluxDB returns them.
func TestDashboardsShowTiles(t *testing.T) {
	bus := func(values ...any) []grafana.Series {
		return []grafana.Series{{Name: "kloros tcp://127.0.0.1:5559", Values: values}}
	}
	for _, test := range []struct {
		title  string
		result []grafana.Series
		want   grafana.Tile
	}{
		{"Bus", bus(true), grafana.Tile{Text: "heard", Color: "green"}},
		{"Bus", bus(false), grafana.Tile{Text: "not heard", Color: "red"}},
		{"Bus", bus(nil), grafana.Tile{Text: "no report", Color: "#6e6e6e"}},
		{"Alive", bus(12.0), grafana.Tile{Text: "12", Color: "green"}},
		{"Alive", bus(0.0), grafana.Tile{Text: "0", Color: "red"}},
		{"Not alive", bus(0.0), grafana.Tile{Text: "0", Color: "green"}},
		{"Not alive", bus(2.0), grafana.Tile{Text: "2", Color: "red"}},
		{"Not judged", bus(0.0), grafana.Tile{Text: "0", Color: "green"}},
		{"Not judged", bus(2.0), grafana.Tile{Text: "2", Color: "yellow"}},
		{"Open gaps", bus(0.0), grafana.Tile{Text: "0", Color: "green"}},
		{"Open gaps", append(bus(3.0), bus(0.0)...), grafana.Tile{Text: "3", Color: "red"}},
		{"Open gaps", bus(3.0), grafana.Tile{Text: "3", Color: "red"}},
		{"Availability", bus(0.97), grafana.Tile{Text: "0.97", Color: "yellow"}},
		{"Known components", bus(8.0), grafana.Tile{Text: "8", Color: "blue"}},
		{"Processor", bus(1.0), grafana.Tile{Text: "reports", Color: "green"}},
	} {
		for name, d := range loadDashboards(t) {
			found := false
			for _, p := range d.All() {
				if p.Type != "stat" || p.Title != test.title {
					continue
				}
				found = true
				tiles, err := p.Stat(test.result)
				require.NoError(t, err)
				require.Equal(t, []grafana.Tile{test.want}, tiles, "%s: %s of %v", name, test.title, test.result)
			}
			require.True(t, found, "%s: %s", name, test.title)
		}
	}
}

// TestDashboardsSortTheWorstFirst requires it of the tables that list all components.
func TestDashboardsSortTheWorstFirst(t *testing.T) {
	worst := map[string]string{
		"Components":                  `"field":"(rank|Value #A)","desc":true`,
		"Availability over the range": `"field":"(availability|Value)","desc":false`,
	}
	for name, d := range loadDashboards(t) {
		found := 0
		for _, p := range d.All() {
			if sorted, ok := worst[p.Title]; ok {
				found++
				var compact bytes.Buffer
				require.NoError(t, json.Compact(&compact, p.Transformations))
				require.Regexp(t, sorted, compact.String(), "%s: %s", name, p.Title)
			}
		}
		require.Len(t, worst, found, name)
	}
}

// TestDashboardsShowAllReasons compares the panel of rejected input with the reasons in the input's README.
func TestDashboardsShowAllReasons(t *testing.T) {
	_, text, found := strings.Cut(readme(t, "inputs", "chembus"), "**Rejected messages**")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "\n## ")
	reasons := regexp.MustCompile("(?m)^\\| `(\\w+)`").FindAllStringSubmatch(text, -1)
	require.Len(t, reasons, 10)
	for name, d := range loadDashboards(t) {
		queries := ""
		for _, p := range d.All() {
			for _, target := range p.Targets {
				queries += target.Query + target.Expr
			}
		}
		if name == "flux" {
			require.Contains(t, queries, "/^rejected_/")
			continue
		}
		for _, reason := range reasons {
			require.Regexp(t, `rejected_`+reason[1]+`\b`, queries, name)
		}
	}
}
