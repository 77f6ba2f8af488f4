package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/grafana"
)

// TestDashboardsOfTwoBuses runs every query of both dashboards on half an hour of known reports of two buses: equal
// names, components that died, stopped or never came, and a last interval that has only just begun.
func TestDashboardsOfTwoBuses(t *testing.T) {
	server := startFlux(t)
	end := time.Now().Truncate(time.Minute)
	require.NoError(t, server.Write(database, twoBuses(end)))
	const here, there = "tcp://127.0.0.1:5559", "tcp://127.0.0.1:5659"
	for name, v := range map[string]*viewer{
		"influxql": {
			fill: grafana.Fill.InfluxQL,
			ask:  func(query string) ([]map[string]any, error) { return server.Query(database, query) },
		},
		"flux": {
			fill: grafana.Fill.Flux,
			ask:  func(query string) ([]map[string]any, error) { return server.Flux(t.Context(), query) },
		},
	} {
		v.scene = &scene{T: t}
		v.began, v.until, v.window = end.Add(-half), end.Add(10*time.Second), time.Minute
		var err error
		v.Dashboard, err = grafana.Load(filepath.Join(root, "cmd", "telegraf-chembus", "dashboards", name+".json"))
		require.NoError(t, err)
		v.choose()
		require.Contains(t, v.offered["zooid"], "never", name)
		v.look(v.chosen)
		require.EqualValues(t, 3, v.sum("stat Not alive"), "%s: without those of a watch", name)
		require.Len(t, v.seen["stat Processor"], 1, name)
		v.look(v.with("host", "kloros"))

		state := v.byBus("state-timeline State")
		require.EqualValues(t, 0, state["same "+here], name)
		require.EqualValues(t, 6, state["same "+there], "%s: a bus does not hide the state of an equal name on another", name)
		require.EqualValues(t, 6, state["stopper "+here], "%s: stopped does not hide silent in an interval", name)
		require.EqualValues(t, 4, state["never "+here], "%s: choosing a host does not hide who was never seen", name)
		require.EqualValues(t, 3, v.sum("stat Alive"), name)
		require.EqualValues(t, 3, v.sum("stat Not alive"), name)
		require.EqualValues(t, 3, v.sum("stat Not judged"), "%s: one on one bus, two on the other", name)
		require.EqualValues(t, 3, v.sum("stat Open gaps"), name)
		require.Len(t, v.seen["stat Bus"], 2, name)
		gaps := v.byBus("table Open gaps")
		require.Len(t, gaps, 3, "%s: %v", name, gaps)
		for _, key := range []string{"same " + there, "never " + here, "dead " + here} {
			require.Contains(t, gaps, key, name)
		}
		require.Contains(t, fmt.Sprint(v.seen["table Gaps that ended"]), `["early","b"]`, "%s: members", name)

		silence := v.byBus("timeseries Silence against threshold")
		require.NotContains(t, silence, "never "+here, "%s: who was never seen has no threshold for its silence", name)
		require.Greater(t, silence["dead "+here], 1.0, name)
		require.Less(t, silence["same "+here], 1.0, name)

		beats := v.values("timeseries Heartbeats by component", "same", here)
		require.Greater(t, len(beats), 20, name)
		for _, n := range beats {
			require.InDelta(t, 6, n, 0.7, "%s: 6 beats a minute, also in an unfinished interval: %v", name, beats)
		}
		beats = v.values("timeseries Heartbeats by component", "dead", here)
		require.Greater(t, len(beats), 20, name)
		require.InDelta(t, 6, beats[5], 0.7, name)
		require.Zero(t, beats[len(beats)-1], "%s: the dead fall to 0: %v", name, beats)
		for _, n := range numbersOf(v.seen["timeseries Messages"]) {
			require.Positive(t, n, "%s: messages come all the time, also in an unfinished interval", name)
		}
		require.Len(t, v.seen["table Components"], 6, name)

		for _, c := range []struct {
			zooid      string
			first, end float64 // of the breaks
		}{{"early", 10, 13}, {"dead", 16, 31}} {
			breaks := v.breaks("Processed", c.zooid, here)
			require.Contains(t, breaks, c.first, "%s: the graph breaks where nothing is reported: %v", name, breaks)
			for _, at := range breaks {
				require.True(t, at >= c.first && at < c.end, "%s: %s: %v", name, c.zooid, breaks)
			}
		}

		rows := v.opened()
		require.Len(t, rows, 4, "%s: each gap is marked once, when it was opened", name)
		for _, row := range rows {
			require.Contains(t, fmt.Sprint(row["reason"], row["text"]), "r", name)
		}

		v.until = end.Add(5 * time.Minute)
		v.look(v.chosen)
		require.Empty(t, v.seen["stat Alive"], "%s: nothing was reported of late", name)
		require.Empty(t, v.seen["stat Processor"], name)
		require.EqualValues(t, 3, v.sum("stat Open gaps"), "%s: gaps are not closed by the end of the reports", name)
		v.began = end.Add(2 * time.Minute)
		v.look(v.chosen)
		require.Empty(t, v.seen["stat Open gaps"], "%s: nothing is known, which is not 0", name)
	}
}

const half = 30 * time.Minute

// twoBuses returns the reports of half an hour up to end.
func twoBuses(end time.Time) string {
	var lines strings.Builder
	const here, there = `host=kloros,endpoint=tcp://127.0.0.1:5559`, `host=kloros,endpoint=tcp://127.0.0.1:5659`
	begin := end.Add(-half)
	opened := make(map[string]bool)
	for at := begin; !at.After(end); at = at.Add(10 * time.Second) {
		n, left := int(at.Sub(begin)/(10*time.Second)), end.Sub(at)
		report := func(bus, zooid, niche string, code int, silence time.Duration, beats int) {
			up := 0
			if code < 2 {
				up = 1
			}
			if pause := at.Sub(begin) - 10*time.Minute; up == 1 && (zooid != "early" || pause < 0 || pause >= 3*time.Minute) {
				fmt.Fprintf(&lines, "chembus_heartbeat,%s,zooid=%s,niche=%s beats=1i,lag_s=0.001,processed_count=3i %d\n", bus, zooid, niche, at.UnixNano())
			}
			if niche != "" {
				niche = ",niche=" + niche
			}
			fmt.Fprintf(&lines, "liveness,%s,zooid=%s%s state_code=%di,up=%di,silence_s=%f,threshold_s=30,beats=%di,interval_s=10,loss=0,gaps=0i %d\n",
				bus, zooid, niche, code, up, silence.Seconds(), beats, at.UnixNano())
		}
		gap := func(bus, zooid, kind string, open bool, more string) {
			event := "opened"
			if opened[zooid+bus] || !open {
				event = "repeated"
			}
			opened[zooid+bus] = true
			fmt.Fprintf(&lines, "liveness_gap,%s,zooid=%s,gap_type=%s event=%q,open=%v,incident_id=%q,reason=\"r\",severity=\"high\",missing_seconds=40,threshold_s=30,last_seen=1%s %d\n",
				bus, zooid, kind, event, open, zooid+bus, more, at.UnixNano())
		}
		report(here, "same", "a", 0, 5*time.Second, n)
		// The components of a watch have other tags; the dashboards are about buses.
		fmt.Fprintf(&lines, "liveness,watch=disks,host=other state_code=6i,up=0i,silence_s=90,threshold_s=30,beats=1i,interval_s=10,loss=0,gaps=1i %d\n", at.UnixNano())
		fmt.Fprintf(&lines, "liveness_gap,watch=disks,host=other,gap_type=heartbeat_missing open=true,incident_id=\"w\" %d\n", at.UnixNano())
		report(here, "early", "a", 0, 5*time.Second, n)
		report(here, "never", "", 4, at.Sub(begin)+time.Minute, 0)
		gap(here, "never", "heartbeat_never_seen", true, "")
		switch stopped := left - 10*time.Minute; { // all within one minute
		case stopped > 0 && stopped <= 20*time.Second:
			report(here, "stopper", "a", 6, 40*time.Second, n)
		case stopped > 20*time.Second && stopped <= 40*time.Second:
			report(here, "stopper", "a", 7, 60*time.Second, n)
		default:
			report(here, "stopper", "a", 0, 5*time.Second, n)
		}
		if left >= half/2 {
			report(here, "dead", "a", 0, 5*time.Second, n)
			report(there, "same", "a", 0, 5*time.Second, n)
		} else {
			report(here, "dead", "a", 6, half/2-left+30*time.Second, 90)
			gap(here, "dead", "heartbeat_missing", true, "")
			report(there, "same", "a", 6, half/2-left+30*time.Second, 90)
			gap(there, "same", "heartbeat_missing", true, "")
		}
		// A component that came late: its gap was opened when its niche was not known.
		if at.Sub(begin) < time.Minute {
			gap(here, "early", "heartbeat_never_seen", true, "")
		}
		if at.Sub(begin) == time.Minute {
			gap(here, "early,niche=a", "heartbeat_never_seen", false, `,members="[\"early\",\"b\"]",member_count=2i`)
		}
		for i, bus := range []string{here, there} {
			fmt.Fprintf(&lines, "chembus_bus,%s observable=true,zooids=5i,unjudged=%di,blind_s=1,probe_rtt_s=0.001,messages=%di,heartbeats=%di,duplicates=%di", bus, i+1, n*60, n*50, n*10)
			for _, reason := range strings.Fields("topic frames oversize json no_zooid bad_name max_zooids bad_signal bounds max_series") {
				fmt.Fprintf(&lines, ",rejected_%s=%di", reason, n)
			}
			fmt.Fprintf(&lines, " %d\n", at.UnixNano())
		}
	}
	return lines.String()
}

// byBus returns the greatest value of each "zooid endpoint" in a panel.
func (v *viewer) byBus(panel string) map[string]float64 {
	greatest := make(map[string]float64)
	for _, row := range v.seen[panel] {
		key := fmt.Sprint(row["zooid"], " ", row["endpoint"])
		for _, n := range numbersOf([]map[string]any{row}) {
			greatest[key] = max(greatest[key], n)
		}
	}
	return greatest
}

// values returns the values of a component in a graph.
func (v *viewer) values(panel, zooid, endpoint string) []float64 {
	var rows []map[string]any
	for _, row := range v.seen[panel] {
		if row["zooid"] == zooid && row["endpoint"] == endpoint {
			rows = append(rows, row)
		}
	}
	return numbersOf(rows)
}

func (v *viewer) sum(panel string) float64 {
	total := 0.0
	for _, n := range numbersOf(v.seen[panel]) {
		total += n
	}
	return total
}

func numbersOf(rows []map[string]any) []float64 {
	var all []float64
	for _, row := range rows {
		for column, value := range row {
			if n, ok := number(value); ok && column != "table" {
				all = append(all, n)
			}
		}
	}
	return all
}

// breaks returns where a graph of a component has no value, in minutes since it begins.
func (v *viewer) breaks(title, zooid, endpoint string) (minutes []float64) {
	v.Helper()
	for _, panel := range v.All() {
		if panel.Title != title {
			continue
		}
		query := v.fill(grafana.Fill{From: v.began, To: v.now(), Interval: v.window, Values: v.chosen}, panel.Targets[0].Query, v.Templating.List)
		rows, err := v.ask(query)
		require.NoError(v, err, query)
		for _, row := range rows {
			if seen, _ := valueIn(row); seen || row["zooid"] != zooid || row["endpoint"] != endpoint {
				continue
			}
			at, ok := row["_time"].(time.Time) // of Flux
			if !ok {
				at, err = time.Parse(time.RFC3339, fmt.Sprint(row["time"]))
				require.NoError(v, err)
			}
			minutes = append(minutes, at.Sub(v.began).Minutes())
		}
	}
	return minutes
}
