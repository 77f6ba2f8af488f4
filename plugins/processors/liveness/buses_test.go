package liveness

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/metric"
	"github.com/influxdata/telegraf/testutil"
)

func newMetric(name, host, zooid string, run int64, at float64) telegraf.Metric {
	tags := map[string]string{"host": host, "endpoint": "tcp://127.0.0.1:5559"}
	if zooid != "" {
		tags["zooid"] = zooid
	}
	return metric.New(name, tags, map[string]any{"observed_s": at, "run": run, "sent": 1e9 + at}, time.Unix(0, int64(at*1e9)))
}

// life is what happens on one bus in a minute and a half: components beat every second or two, some die, some come
// back, the input restarts, and there is a kill signal now and then.
func life(random *rand.Rand, host string) []telegraf.Metric {
	var all []telegraf.Metric
	names := []string{"a", "b", "c", "d", "e"}[:1+random.IntN(5)]
	death, back := make([]int, len(names)), make([]int, len(names))
	for i := range names {
		death[i] = random.IntN(120)
		back[i] = death[i] + 3 + random.IntN(60)
	}
	restart, signal := random.IntN(180), random.IntN(300)
	run, observed := int64(1), 0.0
	for second := range 90 {
		if second == restart {
			run, observed = run+1, 0
		}
		for i, name := range names {
			if second%(1+i%2) == 0 && (second < death[i] || second >= back[i]) {
				all = append(all, newMetric("chembus_heartbeat", host, name, run, observed))
			}
		}
		if second == signal {
			all = append(all, newMetric(killMeasurement, host, "", run, observed))
		}
		all = append(all, newMetric(tickMeasurement, host, "", run, observed))
		observed++
	}
	return all
}

// addedMetrics are the metrics that a processor adds to those that it passes on, by host.
func addedMetrics(t *testing.T, metrics []telegraf.Metric) map[string][]string {
	t.Helper()
	l := standard()
	l.Threshold = config.Duration(5 * time.Second)
	l.ReportInterval = config.Duration(20 * time.Second)
	l.MassCount, l.MassWindow = 3, config.Duration(4*time.Second)
	l.FlapCount, l.FlapWindow = 3, config.Duration(time.Minute)
	l.Expected = []string{"*/a", "*/ghost"}
	require.NoError(t, l.Init())
	found := make(map[string][]string)
	for _, m := range metrics {
		var acc testutil.Accumulator
		require.NoError(t, l.Add(m.Copy(), &acc))
		for _, m := range acc.Metrics {
			if strings.HasPrefix(m.Measurement, "liveness") {
				found[m.Tags["host"]] = append(found[m.Tags["host"]], m.String())
			}
		}
	}
	return found
}

// shuffle interleaves the metrics of several buses. Each bus keeps its order, and comes in batches of up to so many
// metrics.
func shuffle(random *rand.Rand, buses [][]telegraf.Metric, most int) []telegraf.Metric {
	var all []telegraf.Metric
	left := slices.Clone(buses)
	for len(left) > 0 {
		i := random.IntN(len(left))
		n := min(1+random.IntN(most), len(left[i]))
		all = append(all, left[i][:n]...)
		if left[i] = left[i][n:]; len(left[i]) == 0 {
			left = slices.Delete(left, i, i+1)
		}
	}
	return all
}

// TestBusesAreJudgedApart compares one processor of many buses with a processor for each of them: whatever the order
// of their metrics and the size of the batches, it finds the same.
func TestBusesAreJudgedApart(t *testing.T) {
	counts := []int{2, 10, 100, 1000}
	if testing.Short() {
		counts = counts[:3]
	}
	for _, n := range counts {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(uint64(n), 1))
			var buses [][]telegraf.Metric
			want := make(map[string][]string)
			gaps := 0
			for i := range n {
				host := fmt.Sprint("h", i)
				buses = append(buses, life(random, host))
				for host, found := range addedMetrics(t, buses[i]) {
					want[host] = found
					gaps += strings.Count(strings.Join(found, ""), "liveness_gap")
				}
			}
			require.Greater(t, gaps, n, "too peaceful to show anything")
			sizes := []int{60, 1, 400}
			if n == 1000 {
				sizes = sizes[:1] // for it takes a minute under the race detector
			}
			for _, most := range sizes {
				got := addedMetrics(t, shuffle(random, buses, most))
				require.Len(t, got, len(want))
				for host := range want {
					require.Equal(t, want[host], got[host], "%s, batches of up to %d", host, most)
				}
			}
		})
	}
}

// TestCopiesChangeNothing has the metrics of several buses come again, from any earlier point.
func TestCopiesChangeNothing(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 2))
		var buses [][]telegraf.Metric
		for i := range 3 {
			buses = append(buses, life(random, fmt.Sprint("h", i)))
		}
		once := shuffle(random, buses, 30)
		var copied []telegraf.Metric
		for i, m := range once {
			copied = append(copied, m)
			if random.IntN(20) == 0 {
				from := random.IntN(i + 1)
				copied = append(copied, once[from:from+random.IntN(i-from+1)]...)
			}
		}
		require.Equal(t, addedMetrics(t, once), addedMetrics(t, copied), "seed %d", seed)
	}
}

func TestFullOfBuses(t *testing.T) {
	r := start(t, "")
	r.MaxBuses = 2
	hour := int64(time.Hour)
	add := func(host string, at int64) int {
		r.acc.ClearMetrics()
		m := newMetric("chembus_heartbeat", host, "a", 1, 0)
		m.SetTime(time.Unix(0, at))
		require.NoError(t, r.Add(m, &r.acc))
		return len(r.acc.Metrics) - 1
	}
	require.Equal(t, 1, add("first", 0))
	require.Equal(t, 1, add("second", 2*hour))
	for at := 3 * hour; at < 24*hour; at += hour {
		require.Zero(t, add("third", at), "passed on, and not judged")
	}
	require.Len(t, r.log.Warnings(), 1)
	require.Contains(t, r.log.Warnings()[0], "max_buses = 2")
	require.Zero(t, add("second", 25*hour), "known, and no news")
	require.Equal(t, 2, add("third", 25*hour), "the first was not heard for retire_after, and is retired")
	require.Zero(t, add("first", 25*hour))
}

func TestNamesOfBusesInTheLog(t *testing.T) {
	r := start(t, "")
	for at := range 10 {
		for _, host := range []string{"one", "two"} {
			if at == 0 {
				require.NoError(t, r.Add(newMetric("chembus_heartbeat", host, "a", 1, 0), &r.acc))
			}
			require.NoError(t, r.Add(newMetric(tickMeasurement, host, "", 1, float64(at)), &r.acc))
		}
	}
	require.Contains(t, logged(r.log), `I! Silent: "a" on "two tcp://127.0.0.1:5559"`)
}

// BenchmarkBuses measures a beat, with its share of the ticks, of 100 000 components in all on so many buses, each of
// which comes in batches of 10 s.
//
//	go test -run '^$' -bench Buses ./plugins/processors/liveness
func BenchmarkBuses(b *testing.B) {
	const components = 100_000
	for _, n := range []int{1, 60, 200, 1000} {
		b.Run(fmt.Sprintf("buses=%d", n), func(b *testing.B) {
			l := standard()
			l.ReportInterval = config.Duration(24 * time.Hour)
			require.NoError(b, l.Init())
			each := components / n
			beats, ticks := make([][]telegraf.Metric, n), make([]telegraf.Metric, n)
			for i := range n {
				host := fmt.Sprint("host", i)
				ticks[i] = newMetric(tickMeasurement, host, "", 1, 0)
				for k := range each {
					beats[i] = append(beats[i], newMetric("chembus_heartbeat", host, fmt.Sprint("component_", k), 1, 0))
				}
			}
			acc := &testutil.NopAccumulator{}
			batch := func(i int, from float64) {
				for second := range 10 {
					observed := from + float64(second)
					for k := second * each / 10; k < (second+1)*each/10; k++ {
						beats[i][k].AddField("observed_s", observed)
						beats[i][k].AddField("sent", 1e9+observed)
						_ = l.Add(beats[i][k], acc)
					}
					ticks[i].AddField("observed_s", observed)
					_ = l.Add(ticks[i], acc)
				}
			}
			at := 0.0
			for range 2 {
				for i := range n {
					batch(i, at)
				}
				at += 10
			}
			b.ReportAllocs()
			i, left := 0, 0
			for b.Loop() { // a beat each, counted by batches
				if left > 0 {
					left--
					continue
				}
				batch(i, at)
				left = each - 1
				if i++; i == n {
					i, at = 0, at+10
				}
			}
		})
	}
}

// TestEvictedBus has a bus with an open gap removed to make room.
func TestEvictedBus(t *testing.T) {
	r := start(t, "", func(l *Liveness) { l.MaxBuses = 1 })
	r.hear("gone", 1, 0, 0, "a")
	require.Contains(t, r.hear("gone", 1, 1, 8), "gone/a heartbeat_missing true")
	m := newMetric(tickMeasurement, "next", "", 1, 0)
	m.SetTime(time.Unix(25*3600, 0))
	r.acc.ClearMetrics()
	require.NoError(t, r.Add(m, &r.acc))
	closed := gaps(&r.acc)
	require.Len(t, closed, 1, "nobody else will ever close it")
	require.Equal(t, false, closed[0].Fields["open"])
}

// TestOneClockInTheFuture has a single bus whose host's clock is years ahead.
func TestOneClockInTheFuture(t *testing.T) {
	r := start(t, "", func(l *Liveness) { l.MaxBuses = 2 })
	add := func(host string, at time.Time) {
		m := newMetric(tickMeasurement, host, "", 1, float64(at.Unix()%1000))
		m.SetTime(at)
		require.NoError(t, r.Add(m, &r.acc))
	}
	add("good", time.Unix(1000, 0))
	add("ahead", time.Unix(1e9, 0))
	add("third", time.Unix(1001, 0))
	require.NotNil(t, r.buses.byKey["good\x1ftcp://127.0.0.1:5559\x1f"], "it was heard a second ago")
}

// TestOnlyNewBusesAreHeard has all known buses be gone for good.
func TestOnlyNewBusesAreHeard(t *testing.T) {
	r := start(t, "", func(l *Liveness) { l.MaxBuses = 2 })
	r.hear("first", 1, 0, 1)
	r.hear("second", 1, 2, 2)
	for at := range 30 {
		for range 2 {
			m := newMetric(tickMeasurement, "third", "", 1, float64(at))
			m.SetTime(time.Unix(int64(at)*3600, 0))
			require.NoError(t, r.Add(m, &r.acc))
		}
		require.Equal(t, at > 24, r.buses.byKey["third\x1ftcp://127.0.0.1:5559\x1f"] != nil, "hour %d", at)
	}
	require.Nil(t, r.buses.byKey["first\x1ftcp://127.0.0.1:5559\x1f"])
}

// TestMetricsThatLackATagOnSeveralBuses restarts the processor of two buses. A component whose heartbeats lack a tag goes on
// on the bus on which it was known, whichever ticks first. A kill signal of which nobody can tell the bus kills nobody.
func TestMetricsThatLackATagOnSeveralBuses(t *testing.T) {
	file := stateFile(t)
	tags := func(endpoint string) map[string]string { return map[string]string{"host": "h", "endpoint": endpoint} }
	nameless := map[string]string{"host": "h", "zooid": "a"}
	r := start(t, file)
	for at := range 5 {
		r.feedMetric(tickMeasurement, tags("one"), 1, float64(at))
		r.feedMetric("chembus_heartbeat", nameless, 0, float64(at))
	}
	for at := 5; at < 30; at++ {
		if at == 15 {
			r.Stop()
			r = start(t, file)
		}
		require.Empty(t, r.feedMetric(tickMeasurement, tags("two"), 2, float64(at)))
		require.Empty(t, r.feedMetric("chembus_heartbeat", nameless, 0, float64(at)))
		require.Empty(t, r.feedMetric(tickMeasurement, tags("one"), 1, float64(at)))
		require.Empty(t, r.feedMetric(killMeasurement, map[string]string{"host": "h"}, 0, float64(at)))
	}
	require.Len(t, r.buses.all, 2)
	require.False(t, r.buses.all[1].detector.IsSeen("a"))
	require.Len(t, r.log.Warnings(), 1, "said once")
	require.Contains(t, r.log.Warnings()[0], "are not judged")
	require.NotEmpty(t, r.feedUntilGap(tags("one"), 30))
}

// TestMetricsThatLackATagAndCanBeOfOneBus has two hosts with a bus each: the tag host says which of them it is.
func TestMetricsThatLackATagAndCanBeOfOneBus(t *testing.T) {
	r := start(t, "")
	first, second := map[string]string{"host": "g", "endpoint": "e"}, map[string]string{"host": "h", "endpoint": "e"}
	for at := range 5 {
		r.feedMetric(tickMeasurement, first, 1, float64(at))
		r.feedMetric(tickMeasurement, second, 1, float64(at))
		r.feedMetric("chembus_heartbeat", map[string]string{"host": "h", "zooid": "a"}, 1, float64(at))
	}
	require.Empty(t, r.feedUntilGap(first, 5))
	require.Equal(t, []string{"a heartbeat_missing true"}, r.feedUntilGap(second, 5))
	require.Len(t, r.buses.all, 2)
}

// feedUntilGap feeds ticks until a gap is opened.
func (r *run) feedUntilGap(tags map[string]string, from int) (found []string) {
	for at := from; at < from+20 && len(found) == 0; at++ {
		found = r.feedMetric(tickMeasurement, tags, 1, float64(at))
	}
	return found
}
