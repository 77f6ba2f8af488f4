package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/grafana"
	"github.com/kloros/telegraf-chembus/testutil/influxdb"
)

const (
	// What the dashboards are asked for: the reports of that many components over that time.
	dashboardComponents = 60
	dashboardRange      = 6 * time.Hour
	dashboardReports    = 10 * time.Second
	// dashboardWindow is what Grafana makes of the range and of 240 points.
	dashboardWindow = 2 * time.Minute

	dashboardDatabase = "telegraf"
)

// dashboards measures what the queries of both dashboards for InfluxDB cost the server, each with all components chosen.
func (b *bench) dashboards(ctx context.Context) (rows table, err error) {
	dir, err := os.MkdirTemp(b.dir, "influxdb")
	if err != nil {
		return nil, err
	}
	server, err := influxdb.StartProgram(ctx, b.influxd, dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = server.Stop() }() // its data are removed with b.dir
	end := time.Now().Truncate(time.Minute)
	if err := writeReports(server, end); err != nil {
		return nil, err
	}
	for _, language := range []struct {
		name, file string
		fill       func(grafana.Fill, string, []grafana.Variable) string
		ask        func(query string) error
	}{
		{"InfluxQL", "influxql.json", grafana.Fill.InfluxQL, func(query string) error {
			_, err := server.Query(dashboardDatabase, query)
			return err
		}},
		{"Flux", "flux.json", grafana.Fill.Flux, func(query string) error {
			_, err := server.Flux(ctx, query)
			return err
		}},
	} {
		d, err := grafana.Load(filepath.Join(b.root, "cmd", "telegraf-chembus", "dashboards", language.file))
		if err != nil {
			return nil, err
		}
		spent := make(map[string]float64) // CPU seconds by panel
		for _, panel := range d.All() {
			for _, target := range panel.Targets {
				query := language.fill(fillOf(&panel, end), target.Query, d.Templating.List)
				cost, took, err := b.costOf(server, func() error { return language.ask(query) })
				if err != nil {
					return nil, fmt.Errorf("%s: %q: %w", language.name, panel.Title, err)
				}
				b.logf("  %s, %s: %s of CPU, took %s", language.name, panel.Title, seconds(cost), seconds(took))
				spent[panel.Title] = max(spent[panel.Title], cost)
			}
		}
		slowest := slices.MaxFunc(slices.Collect(maps.Keys(spent)), func(a, b string) int { return cmp.Compare(spent[a], spent[b]) })
		rows = append(rows, row{
			fmt.Sprintf("dashboards, %s, %d components over %v: CPU of InfluxDB for the slowest query, %s",
				language.name, dashboardComponents, dashboardRange, slowest),
			seconds(spent[slowest]), "", "", "", noBudget,
		})
	}
	return rows, nil
}

// costOf returns the CPU seconds of the server for a query, and how long the answer took: medians.
func (b *bench) costOf(server *influxdb.Server, ask func() error) (cost, took float64, err error) {
	var costs, times []float64
	for range rounds {
		start := time.Now()
		spent, err := spending([]int{server.Pid()}, ask)
		if err != nil {
			return 0, 0, err
		}
		costs, times = append(costs, spent[0]), append(times, time.Since(start).Seconds())
	}
	return median(costs), median(times), nil
}

// fillOf returns the values of the variables of a panel's queries, as Grafana would fill them in.
func fillOf(panel *grafana.Panel, end time.Time) grafana.Fill {
	values := map[string][]string{"bucket": {dashboardDatabase + "/autogen"}}
	for _, name := range []string{"host", "endpoint", "niche", "zooid"} {
		values[name] = grafana.All
	}
	back := dashboardRange
	if length, err := time.ParseDuration(panel.TimeFrom); err == nil {
		back = length
	}
	return grafana.Fill{From: end.Add(-back), To: end, Interval: dashboardWindow, Values: values}
}

// writeReports writes the reports of the range up to end to a database.
func writeReports(server *influxdb.Server, end time.Time) error {
	for from := end.Add(-dashboardRange); from.Before(end); from = from.Add(time.Hour) {
		var lines strings.Builder
		for at := from; at.Before(from.Add(time.Hour)); at = at.Add(dashboardReports) {
			writeReport(&lines, int(at.Sub(end.Add(-dashboardRange))/dashboardReports), at)
		}
		if err := server.Write(dashboardDatabase, lines.String()); err != nil {
			return fmt.Errorf("writing the reports of an hour: %w", err)
		}
	}
	return nil
}

// writeReport writes the nth report of all components and of their bus. One in 20 components is silent.
func writeReport(lines *strings.Builder, n int, at time.Time) {
	const bus = "host=bench,endpoint=tcp://127.0.0.1:5559"
	for i := range dashboardComponents {
		component := fmt.Sprintf("%s,zooid=%s,niche=niche_%d", bus, zooidName(i), i%8)
		silent := i%20 == 0 && n > 100
		code, up, silence := 0, 1, float64((n+i)%10)
		if silent {
			code, up, silence = 6, 0, float64(n-100)*dashboardReports.Seconds()
			fmt.Fprintf(lines, "liveness_gap,%s,gap_type=heartbeat_missing incident_id=\"incident_%d\",open=true,event=\"repeated\",last_seen=1795578798.5,"+
				"missing_seconds=%f,threshold_s=30,severity=\"critical\",reason=\"no heartbeat\",actions=\"[]\" %d\n", component, i, silence, at.UnixNano())
		} else {
			fmt.Fprintf(lines, "chembus_heartbeat,%s beats=1i,processed_count=%di,lag_s=0.001,sent=1795578798.5,observed_s=1.5,starts=0i %d\n",
				component, n, at.UnixNano())
		}
		fmt.Fprintf(lines, "liveness,%s state=\"up\",state_code=%di,up=%di,silence_s=%f,alive_s=100,beats=%di,interval_s=10,interval_stddev_s=0.1,"+
			"loss=0.01,threshold_s=30,gaps=1i,availability=0.99 %d\n", component, code, up, silence, n, at.UnixNano())
	}
	fmt.Fprintf(lines, "chembus_bus,%s observable=true,connected=true,publishing=true,suspended=false,zooids=%di,observed_s=%d,blind_s=%d,"+
		"probe_rtt_s=0.001,messages=%di,heartbeats=%di,duplicates=0i,rejected_topic=0i,rejected_json=0i %d\n",
		bus, dashboardComponents, 10*n, n/10, 70*n, 60*n, at.UnixNano())
	fmt.Fprintf(lines, "chembus_output,host=bench publishing=true,published=3,acked=3,repeated=0,known=0,pending=0 %d\n", at.UnixNano())
}
