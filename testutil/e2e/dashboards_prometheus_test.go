package e2e

import (
	"context"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/grafana"
	"github.com/kloros/telegraf-chembus/testutil/process"
	server "github.com/kloros/telegraf-chembus/testutil/prometheus"
)

// TestAlerts runs promtool's tests of the alert rules.
func TestAlerts(t *testing.T) {
	process.SkipIfShort(t, "promtool")
	output, err := exec.Command("promtool", "test", "rules", filepath.Join("testdata", "alerts_test.yml")).CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// TestPrometheusDashboard lets a Prometheus scrape Telegraf while a component is killed, and runs every query of the
// dashboard. No query may fail, and each must return values.
func TestPrometheusDashboard(t *testing.T) {
	const victim, other = "audio_io", "meta_agent"
	s, metrics := newPrometheusScene(t)
	target, err := url.Parse(metrics)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	p, err := server.Start(ctx, t.TempDir(), target.Host)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Stop() })
	began := time.Now()
	last := func(expr string) float64 {
		series, err := p.Query(expr, time.Now())
		require.NoError(t, err)
		if len(series) != 1 {
			return -1
		}
		return series[0].Values[0]
	}
	c := s.colony(4)
	// Twice: the second gap shows that the first has ended.
	for range 2 {
		s.wait("it is up", func() bool { return last(`liveness_up{zooid="`+victim+`"}`) == 1 })
		require.NoError(t, c.Kill(victim))
		s.wait("its gap is open", func() bool { return last(`liveness_gap_open{zooid="`+victim+`"}`) == 1 })
		require.NoError(t, c.Revive(victim))
		s.wait("its gap is closed", func() bool { return last(`liveness_gap_open{zooid="`+victim+`"}`) == 0 })
	}
	require.NoError(t, c.Kill(victim))
	s.wait("its gap is open for more than two steps of a graph", func() bool {
		return last(`liveness_gap_missing_seconds{zooid="`+victim+`"} and liveness_gap_open == 1`) > quickThreshold+7
	})

	d, err := grafana.Load(filepath.Join(root, "cmd", "telegraf-chembus", "dashboards", "prometheus.json"))
	require.NoError(t, err)
	chosen := make(map[string][]string)
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		query := grafana.Fill{Interval: time.Second, Values: chosen}.PromQL(v.Query, d.Templating.List)
		parts := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(query)
		require.NotNil(t, parts, query)
		values, err := p.LabelValues(parts[1], parts[2])
		require.NoError(t, err)
		require.NotEmpty(t, values, query)
		chosen[v.Name] = grafana.All
	}
	look := func() map[string][]server.Series {
		found := make(map[string][]server.Series)
		fill := grafana.Fill{From: began, To: time.Now(), Interval: 3 * time.Second, Values: chosen}
		for _, panel := range d.All() {
			for _, target := range panel.Targets {
				query := fill.PromQL(target.Expr, d.Templating.List)
				query = strings.ReplaceAll(query, ":30s]", ":3s]") // as the quick options are faster, by pace
				require.NotContains(t, query, "$", panel.Title)
				var series []server.Series
				if target.Instant {
					series, err = p.Query(query, fill.To)
				} else {
					series, err = p.QueryRange(query, fill.From, fill.To, fill.Interval)
				}
				require.NoError(t, err, panel.Title)
				require.True(t, len(series) > 0 || chosen["zooid"][0] != grafana.All[0], "%s: %s has returned nothing", panel.Title, query)
				key := panel.Type + " " + panel.Title
				found[key] = append(found[key], series...)
			}
		}
		return found
	}
	for _, annotation := range d.Annotations.List {
		query := grafana.Fill{Interval: time.Second, Values: chosen}.PromQL(annotation.Expr, d.Templating.List)
		series, err := p.QueryRange(strings.ReplaceAll(query, "1m", "1s"), began, time.Now(), time.Second)
		require.NoError(t, err)
		require.Len(t, series, 1, query)
		require.Equal(t, victim, series[0].Labels["zooid"])
		require.Less(t, len(series[0].Values), 7, "when a gap was opened, not as long as it was open")
	}
	found := look()
	of := func(key, zooid string) (greatest float64) {
		greatest = -1
		for _, series := range found[key] {
			if series.Labels["zooid"] == zooid {
				for _, n := range series.Values {
					greatest = max(greatest, n)
				}
			}
		}
		return greatest
	}
	require.EqualValues(t, 6, of("state-timeline State", victim))
	require.LessOrEqual(t, of("state-timeline State", other), 1.0)
	require.InDelta(t, 1, found["stat Open gaps"][0].Values[0], 0)
	require.InDelta(t, 1, found["stat Not alive"][0].Values[0], 0)
	require.InDelta(t, 3, found["stat Alive"][0].Values[0], 0)
	require.Greater(t, of("table Open gaps", victim), quickThreshold)
	require.Greater(t, of("table Gaps that ended", victim), quickThreshold)
	require.Less(t, of("table Availability over the range", victim), 1.0)
	require.InDelta(t, 1, of("table Availability over the range", other), 0)
	require.Greater(t, of("timeseries Silence against threshold", victim), 1.0)

	chosen["zooid"] = []string{other}
	found = look()
	require.InDelta(t, 1, found["stat Alive"][0].Values[0], 0)
	require.InDelta(t, 0, found["stat Open gaps"][0].Values[0], 0)
	require.EqualValues(t, -1, of("state-timeline State", victim))
}
