package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/outputs/liveness/status"
	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/grafana"
	server "github.com/kloros/telegraf-chembus/testutil/prometheus"
)

// said is what a dashboard, or the page, says about a run.
type said struct {
	Alive, NotAlive, OpenGaps int
	States                    map[string]int     // state_code by component
	Silences                  map[string]int     // how many by component
	Availability              map[string]float64 // by component
	Open, Opened, Ended       []string           // components with gaps that are open, that were opened, that have ended
}

// agrees reports whether two say the same. They take the share of availability at other times, and Prometheus from a
// sample each 3 s.
func (s *said) agrees(o *said) bool {
	for name, share := range s.Availability {
		if math.Abs(share-o.Availability[name]) > 0.15 {
			return false
		}
	}
	a, b := *s, *o
	a.Availability, b.Availability = nil, nil
	return len(s.Availability) == len(o.Availability) && reflect.DeepEqual(a, b)
}

// TestDashboardsSayWhatThePageSays lets one run go to InfluxDB, to Prometheus and to the page. Of its components one is
// dead, one was dead, one has stopped on purpose, one has never come, and two are up.
func TestDashboardsSayWhatThePageSays(t *testing.T) {
	const dead, back, stopped, never = "audio_io", "meta_agent", "voice_tts", "never"
	influx := startFlux(t)
	address, began := freeAddress(t), time.Now()
	client := replaced(t, readmeBlock(t, "toml", "[[outputs.prometheus_client]]"),
		[2]string{`listen = ":9273"`, `listen = "127.0.0.1:0"`}, [2]string{`expiration_interval = "60s"`, `expiration_interval = "6s"`})
	state := filepath.Join(t.TempDir(), "output.json")
	s := newSceneWith(t, replaced(t, quick,
		[2]string{"\n[[processors.liveness]]", stopBlocks + "\n  expected = [\"*/" + never + "\"]\n  expect_within = \"3s\""},
	)+fmt.Sprintf("  state_file = %q\n", state)+pageOptions(address),
		pageBlock(t)+client+outputMetric(state)+fmt.Sprintf("\n[[outputs.influxdb]]\n  urls = [%q]\n  database = %q\n", influx.URL, database))
	target, err := url.Parse(s.metricsURL())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	p, err := server.Start(ctx, t.TempDir(), target.Host)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Stop() })

	s.consumer()
	c := s.colonyOf(append(colony.Field(4), colony.Zooid{Name: stopped, Niche: "voice", Voice: "TTS"})...)
	s.waitSubscribed(c, "VOICE.TTS.SHUTDOWN")
	s.observe(10) // so that Prometheus, asked for every third second, has seen all of them up
	require.NoError(t, c.Stop(stopped))
	for _, name := range []string{back, dead} {
		require.NoError(t, c.Kill(name))
		s.waitForGap(name, true)
	}
	require.NoError(t, c.Revive(back))
	s.waitForGap(back, false)
	s.waitForGap(never, true)

	page := &pageAPI{scene: s, address: address}
	views := []struct {
		name  string
		said  func() *said
		heard func() bool
	}{{name: "InfluxQL"}, {name: "Flux"}, {name: "Prometheus"}}
	for i, v := range []*viewer{
		{
			fill: grafana.Fill.InfluxQL,
			ask:  func(query string) ([]map[string]any, error) { return influx.Query(database, query) },
		},
		{
			fill: grafana.Fill.Flux,
			ask:  func(query string) ([]map[string]any, error) { return influx.Flux(t.Context(), query) },
		},
	} {
		v.scene, v.began = s, began
		v.Dashboard, err = grafana.Load(filepath.Join(root, "cmd", "telegraf-chembus", "dashboards", []string{"influxql.json", "flux.json"}[i]))
		require.NoError(t, err)
		v.choose()
		views[i].said, views[i].heard = v.said, v.heard
	}
	v := newPrometheusViewer(s, p, began)
	views[2].said, views[2].heard = v.said, v.heard

	for _, view := range views {
		var onPage, onDashboard *said
		for deadline := time.Now().Add(limit); ; time.Sleep(poll) { // each shows a change at another time
			onPage, onDashboard = page.said(), view.said()
			if onPage.agrees(onDashboard) {
				break
			}
			require.True(t, time.Now().Before(deadline), "%s says\n%+v\nthe page says\n%+v", view.name, onDashboard, onPage)
		}
		require.Equal(t, []string{dead, never}, onPage.Open)
		require.Equal(t, []string{back}, onPage.Ended)
		require.Equal(t, map[string]int{dead: 1, back: 1, stopped: 0, never: 1, "heal_executor": 0, "curiosity_core_consumer": 0}, onPage.Silences)
		require.Less(t, onPage.Availability[dead], onPage.Availability[stopped])
		require.True(t, view.heard(), view.name)
	}
	require.True(t, page.heard())

	require.NoError(t, s.bus.Pause())
	s.wait("the page says that the bus cannot be heard", func() bool { return !page.heard() })
	for _, view := range views {
		s.wait(view.name+" says that the bus cannot be heard", func() bool { return !view.heard() })
	}
	require.NoError(t, s.bus.Resume())
}

// pageAPI asks the status page.
type pageAPI struct {
	*scene
	address string
}

// answer is what the page's API answers to any of its addresses.
type answer struct {
	status.Summary
	Components []status.Row
	Gaps       []status.GapRow
	Events     []status.Event
}

func (p *pageAPI) get(part string) (a answer) {
	p.Helper()
	response, err := http.Get("http://" + p.address + "/api/v1/" + part)
	require.NoError(p, err)
	defer response.Body.Close()
	require.NoError(p, json.NewDecoder(response.Body).Decode(&a))
	return a
}

func (p *pageAPI) heard() bool { return p.get("gaps").Known }

// codes are the states as numbers, see the processor's README.
var codes = map[string]int{"up": 0, "late": 1, "killed": 2, "retired": 3, "unseen": 4, "flapping": 5, "silent": 6, "stopped": 7, "gone": 8}

func (p *pageAPI) said() *said {
	p.Helper()
	a := p.get("components")
	s := &said{OpenGaps: a.Summary.Gaps, States: make(map[string]int), Silences: make(map[string]int), Availability: make(map[string]float64)}
	for state, n := range a.Counts {
		if state == "up" || state == "late" {
			s.Alive += n
		} else {
			s.NotAlive += n
		}
	}
	for _, row := range a.Components {
		code, known := codes[row.State.String()]
		if !known {
			code = -1
		}
		s.States[row.Name], s.Silences[row.Name] = code, int(row.Gaps)
		if row.Availability != nil {
			s.Availability[row.Name] = *row.Availability
		}
	}
	for _, gap := range p.get("gaps").Gaps {
		s.Open = append(s.Open, gap.Name)
	}
	for _, event := range p.get("events").Events {
		switch event.Kind {
		case status.GapOpened:
			s.Opened = append(s.Opened, event.Name)
		case status.GapClosed:
			s.Ended = append(s.Ended, event.Name)
		}
	}
	return s.sorted()
}

func (s *said) sorted() *said {
	for _, list := range [][]string{s.Open, s.Opened, s.Ended} {
		slices.Sort(list)
	}
	return s
}

func (v *viewer) heard() bool {
	v.Helper()
	v.look(v.chosen)
	require.Len(v, v.seen["stat Bus"], 1)
	for _, value := range v.seen["stat Bus"][0] {
		if heard, ok := value.(bool); ok {
			return heard
		}
	}
	require.Fail(v, "the tile has no boolean")
	return false
}

func (v *viewer) said() *said {
	v.Helper()
	v.look(v.chosen)
	s := &said{
		Alive: int(v.sum("stat Alive")), NotAlive: int(v.sum("stat Not alive")), OpenGaps: int(v.sum("stat Open gaps")),
		States: v.column("table Components", "state_code"), Silences: v.column("table Components", "gaps"),
		Availability: valuesIn(v.seen["table Availability over the range"]),
		Open:         zooidsIn(v.seen["table Open gaps"]), Ended: zooidsIn(v.seen["table Gaps that ended"]),
	}
	for _, row := range v.opened() {
		name := row["zooid"] // of InfluxQL
		if name == nil {
			name = row["tags"]
		}
		s.Opened = append(s.Opened, fmt.Sprint(name))
	}
	return s.sorted()
}

// column returns the values of a column by component.
func (v *viewer) column(panel, name string) map[string]int {
	values := make(map[string]int)
	for _, row := range v.seen[panel] {
		n, ok := number(row[name])
		require.True(v, ok, "%s: no number in %s: %v", panel, name, row)
		values[fmt.Sprint(row["zooid"])] = int(n)
	}
	return values
}

func (v *prometheusViewer) heard() bool {
	v.Helper()
	for _, panel := range v.All() {
		if panel.Title == "Bus" && panel.Type == "stat" {
			series := v.ask(&panel.Targets[0])
			require.Len(v, series, 1)
			return series[0].Values[0] == 1
		}
	}
	require.Fail(v, "there is no tile of the bus")
	return false
}

func (v *prometheusViewer) said() *said {
	v.Helper()
	found := v.look()
	tile := func(title string) int {
		require.Len(v, found["stat "+title], 1, title)
		return int(found["stat "+title][0].Values[0])
	}
	values := func(key string) map[string]float64 {
		values := make(map[string]float64)
		for _, series := range found[key] {
			values[series.Labels["zooid"]] = series.Values[0]
		}
		return values
	}
	counts := func(key string) map[string]int {
		counts := make(map[string]int)
		for name, value := range values(key) {
			counts[name] = int(value)
		}
		return counts
	}
	s := &said{
		Alive: tile("Alive"), NotAlive: tile("Not alive"), OpenGaps: tile("Open gaps"),
		States: counts("table Components B"), Silences: counts("table Components G"),
		Availability: values("table Availability over the range"),
		Open:         slices.Collect(maps.Keys(values("table Open gaps A"))), Ended: slices.Collect(maps.Keys(values("table Gaps that ended"))),
	}
	for _, series := range v.opened() {
		s.Opened = append(s.Opened, series.Labels["zooid"])
	}
	return s.sorted()
}
