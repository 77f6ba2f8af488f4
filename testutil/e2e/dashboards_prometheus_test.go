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

	v := newPrometheusViewer(s, p, began)
	marked := v.opened()
	require.Len(t, marked, 1)
	require.Equal(t, victim, marked[0].Labels["zooid"])
	require.Less(t, len(marked[0].Values), 7, "when a gap was opened, not as long as it was open")
	found := v.look()
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

	v.chosen["zooid"] = []string{other}
	found = v.look()
	require.InDelta(t, 1, found["stat Alive"][0].Values[0], 0)
	require.InDelta(t, 0, found["stat Open gaps"][0].Values[0], 0)
	require.EqualValues(t, -1, of("state-timeline State", victim))
}

// prometheusViewer runs the queries of the dashboard for Prometheus.
type prometheusViewer struct {
	*scene
	*grafana.Dashboard
	server *server.Server
	began  time.Time
	chosen map[string][]string // values of each variable; all at first
}

func newPrometheusViewer(s *scene, p *server.Server, began time.Time) *prometheusViewer {
	s.Helper()
	d, err := grafana.Load(filepath.Join(root, "cmd", "telegraf-chembus", "dashboards", "prometheus.json"))
	require.NoError(s, err)
	v := &prometheusViewer{scene: s, Dashboard: d, server: p, began: began, chosen: make(map[string][]string)}
	for _, variable := range d.Templating.List {
		if variable.Type != "query" {
			continue
		}
		query := grafana.Fill{Interval: time.Second, Values: v.chosen}.PromQL(variable.Query, d.Templating.List)
		parts := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(query)
		require.NotNil(s, parts, query)
		values, err := p.LabelValues(parts[1], parts[2])
		require.NoError(s, err)
		require.NotEmpty(s, values, query)
		v.chosen[variable.Name] = grafana.All
	}
	return v
}

// look runs all queries. It returns what they found by type and title of the panel, and also by these and the query's
// letter.
func (v *prometheusViewer) look() map[string][]server.Series {
	v.Helper()
	found := make(map[string][]server.Series)
	for _, panel := range v.All() {
		key := panel.Type + " " + panel.Title
		for _, target := range panel.Targets {
			series := v.ask(&target)
			require.True(v, len(series) > 0 || v.chosen["zooid"][0] != grafana.All[0], "%s: %s has returned nothing", panel.Title, target.Expr)
			found[key] = append(found[key], series...)
			found[key+" "+target.RefID] = series
		}
	}
	return found
}

// ask runs a query of a panel.
func (v *prometheusViewer) ask(target *grafana.Target) []server.Series {
	v.Helper()
	fill := grafana.Fill{From: v.began, To: time.Now(), Interval: 3 * time.Second, Values: v.chosen}
	query := fill.PromQL(target.Expr, v.Templating.List)
	query = strings.ReplaceAll(query, ":30s]", ":3s]") // as the quick options are faster, by pace
	require.NotContains(v, query, "$")
	var series []server.Series
	var err error
	if target.Instant {
		series, err = v.server.Query(query, fill.To)
	} else {
		series, err = v.server.QueryRange(query, fill.From, fill.To, fill.Interval)
	}
	require.NoError(v, err, query)
	return series
}

// opened returns what the annotations mark.
func (v *prometheusViewer) opened() []server.Series {
	v.Helper()
	require.Len(v, v.Annotations.List, 1)
	query := grafana.Fill{Interval: time.Second, Values: v.chosen}.PromQL(v.Annotations.List[0].Expr, v.Templating.List)
	series, err := v.server.QueryRange(strings.ReplaceAll(query, "1m", "1s"), v.began, time.Now(), time.Second)
	require.NoError(v, err, query)
	return series
}
