package liveness

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/metric"
	"github.com/influxdata/telegraf/testutil"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

// newWatch returns a watch of hosts that send cpu, with the defaults for the rest.
func newWatch(t *testing.T, set ...func(*Watch)) *Watch {
	t.Helper()
	w := &Watch{}
	require.NoError(t, w.UnmarshalTOML(func(any) error { return nil }))
	w.Name, w.Measurement, w.Identity, w.Tick = "hosts", []string{"cpu"}, []string{"host"}, []string{"internal_agent"}
	for _, s := range set {
		s(w)
	}
	return w
}

func TestInitNamesTheBadOptionOfAWatch(t *testing.T) {
	for _, test := range []struct {
		option, problem string
		set             func(*Watch)
	}{
		{"name", "is empty", func(w *Watch) { w.Name = "" }},
		{"name", "is the name of another watch", func(w *Watch) { w.Name = "first" }},
		{"measurement", "is empty", func(w *Watch) { w.Measurement = nil }},
		{"measurement", "no glob", func(w *Watch) { w.Measurement = []string{"a["} }},
		{"identity", "is empty", func(w *Watch) { w.Identity = nil }},
		{"identity", `"watch" is a tag that the watch itself sets`, func(w *Watch) { w.Identity = []string{"host", "watch"} }},
		{"tick", "silence of all and a pipeline that stands still look the same", func(w *Watch) { w.Tick = nil }},
		{"tick", "covers all of measurement", func(w *Watch) { w.Tick = []string{"cpu"} }},
		{"tick", "covers all of measurement", func(w *Watch) { w.Tick = []string{"*"} }},
		{"tick", "no glob", func(w *Watch) { w.Tick = []string{"a["} }},
		{"min_beats", "is below 0", func(w *Watch) { w.MinBeats = -1 }},
		{"max_age", "is below 0", func(w *Watch) { w.MaxAge = -1 }},
		{"blind_after", "too short", func(w *Watch) { w.BlindAfter = 0 }},
		{"threshold", "too short", func(w *Watch) { w.Threshold = 0 }},
		{"ignore", "no glob", func(w *Watch) { w.Ignore = []string{"a["} }},
		{"retire_after", "is not above the threshold", func(w *Watch) { w.RetireAfter = w.Threshold }},
		{"override", "number 1 matches everything", func(w *Watch) { w.Overrides = []*WatchOverride{{Severity: "low"}} }},
		{"override", "no glob", func(w *Watch) { w.Overrides = []*WatchOverride{{Component: []string{"a["}}} }},
		{"expected", "holds an empty name", func(w *Watch) { w.Expected = []string{""} }},
		{"expected", "is a glob", func(w *Watch) { w.Expected = []string{"web*"} }},
		{"expected", `"a/b/c" is no name`, func(w *Watch) { w.Identity, w.Expected = []string{"host", "disk"}, []string{"a/b/c"} }},
		{"expected", `"a" is ignored`, func(w *Watch) { w.Ignore, w.Expected = []string{"a"}, []string{"a"} }},
	} {
		t.Run(test.option+" "+test.problem, func(t *testing.T) {
			l := standard()
			l.Watches = []*Watch{newWatch(t, func(w *Watch) { w.Name = "first" }), newWatch(t, test.set)}
			var problem *option.Error
			require.ErrorAs(t, l.Init(), &problem)
			require.Equal(t, test.option, problem.Name)
			require.Contains(t, problem.Problem, test.problem)
			within := []any{problem.Table, problem.Number}
			if problem.Table == "override" {
				within = []any{problem.Outer, problem.OuterNumber}
			}
			require.Equal(t, []any{"watch", 1}, within, "so that the check finds the line")
			require.NotEmpty(t, problem.Allowed)
		})
	}
}

// watching is a processor with watches, at a time that the test sets.
type watching struct {
	*Liveness
	t   *testing.T
	acc testutil.Accumulator
	log *testutil.CaptureLogger
	at  float64 // seconds
}

func newWatching(t *testing.T, state string, at float64, watches ...*Watch) *watching {
	t.Helper()
	w := &watching{Liveness: standard(), t: t, log: &testutil.CaptureLogger{}, at: at}
	w.Log, w.StateFile, w.Watches = w.log, state, watches
	w.now = func() time.Time { return time.Unix(0, int64(w.at*1e9)) }
	require.NoError(t, w.Init())
	if state != "" {
		require.NoError(t, w.Start(nil))
		t.Cleanup(w.Stop)
	}
	return w
}

// Arrive feeds a metric, and returns what is found of gaps.
func (w *watching) Arrive(at float64, name, host string) (found []string) {
	w.t.Helper()
	w.at = at
	w.acc.ClearMetrics()
	require.NoError(w.t, w.Add(metric.New(name, map[string]string{"host": host}, map[string]any{"v": 1.0}, w.now()), &w.acc))
	require.Equal(w.t, name, w.acc.Metrics[0].Measurement, "passed on")
	for _, g := range gaps(&w.acc) {
		found = append(found, fmt.Sprint(g.Tags["watch"], "/", g.Tags["host"], " ", g.Fields["event"], " ", g.Fields["incident_id"]))
	}
	return found
}

// TestWatchGoesOnAfterARestart has a host fall silent, the processor restart, and the host come back. A host that dies
// while the processor does not run is found, too, and one that lives is not.
func TestWatchGoesOnAfterARestart(t *testing.T) {
	file := stateFile(t)
	w := newWatching(t, file, 1000, newWatch(t))
	var opened []string
	for at := 1000.0; at <= 1060; at += 10 {
		opened = append(opened, slicesWith(w.Arrive(at, "internal_agent", "me"), "opened")...)
		w.Arrive(at, "cpu", "lives")
		w.Arrive(at, "cpu", "dies")
		if at < 1020 {
			w.Arrive(at, "cpu", "silent")
		}
	}
	require.Len(t, opened, 1)
	require.Contains(t, opened[0], "hosts/silent opened ")
	w.Stop()

	w = newWatching(t, file, 5000, newWatch(t))
	require.Empty(t, w.Arrive(5001, "cpu", "lives"))
	require.Equal(t, []string{strings.Replace(opened[0], "opened", "closed", 1)}, w.Arrive(5002, "cpu", "silent"), "under the same id")
	var found []string
	for at := 5003.0; at <= 5053; at += 10 {
		found = append(found, w.Arrive(at, "internal_agent", "me")...)
		w.Arrive(at, "cpu", "lives")
		w.Arrive(at, "cpu", "silent")
	}
	require.Len(t, slicesWith(found, "opened"), 1)
	require.Contains(t, slicesWith(found, "opened")[0], "hosts/dies opened ")
	require.Empty(t, slicesWith(found, "lives"))
}

func slicesWith(lines []string, word string) (found []string) {
	for _, l := range lines {
		if strings.Contains(l, word) {
			found = append(found, l)
		}
	}
	return found
}

// TestWatchThatIsNoMore restarts without a watch whose state was saved.
func TestWatchThatIsNoMore(t *testing.T) {
	file := stateFile(t)
	w := newWatching(t, file, 1000, newWatch(t), newWatch(t, func(w *Watch) { w.Name = "former" }))
	w.Arrive(1000, "internal_agent", "me")
	w.Arrive(1001, "cpu", "a")
	w.Stop()
	w = newWatching(t, file, 2000, newWatch(t))
	w.Arrive(2000, "internal_agent", "me")
	require.Contains(t, fmt.Sprint(logged(w.log)), `What was known of the watch "former" is dropped`)
	require.True(t, w.Watches[0].bus.detector.IsSeen("a"))
}

// TestGapOfAWatchIsSavedFirst restarts the processor of a bus and a watch; the bus is not heard again. When the gap of a
// host is emitted it is in the state file.
func TestGapOfAWatchIsSavedFirst(t *testing.T) {
	file := stateFile(t)
	w := newWatching(t, file, 1000, newWatch(t))
	require.NoError(t, w.Add(newMetric(tickMeasurement, "h", "", 1, 0), &w.acc))
	w.Arrive(1000, "internal_agent", "me")
	w.Arrive(1001, "cpu", "a")
	w.Stop()
	w = newWatching(t, file, 2000, newWatch(t))
	saved := &savedFirst{file: file}
	for at := 2000.0; at <= 2060; at += 10 {
		w.at = at
		require.NoError(t, w.Add(metric.New("internal_agent", nil, map[string]any{"v": 1.0}, w.now()), saved))
	}
	require.Equal(t, []bool{true}, saved.known)
}

// savedFirst looks whether a gap that is opened is in the state file.
type savedFirst struct {
	testutil.Accumulator
	file  string
	known []bool
}

func (s *savedFirst) AddFields(name string, fields map[string]any, _ map[string]string, _ ...time.Time) {
	if name == "liveness_gap" && fields["event"] == "opened" {
		content, _ := os.ReadFile(s.file + ".next")
		s.known = append(s.known, strings.Contains(string(content), fields["incident_id"].(string)))
	}
}

// TestTwoCopiesOfAWatch has two processors with one state file, as when Telegraf is restarted and the former process has
// not ended yet: one finds the gaps, and the other from the tick on at which the first has ended.
func TestTwoCopiesOfAWatch(t *testing.T) {
	file := stateFile(t)
	copies := []*watching{newWatching(t, file, 1000, newWatch(t)), newWatching(t, file, 1000, newWatch(t))}
	var found [2][]string
	arrive := func(at float64, name, host string) {
		for i, w := range copies {
			found[i] = append(found[i], slicesWith(w.Arrive(at, name, host), "opened")...)
		}
	}
	for at := 1000.0; at <= 1050; at += 10 {
		arrive(at, "internal_agent", "me")
		arrive(at, "cpu", "b")
		if at == 1000 {
			arrive(at, "cpu", "a")
		}
	}
	require.Len(t, found[0], 1)
	require.Empty(t, found[1])
	require.Contains(t, fmt.Sprint(logged(copies[1].log)), "Another copy uses the state file")
	copies[0].Stop()
	copies = copies[1:]
	found[0] = nil
	for at := 1060.0; at <= 1110; at += 10 {
		arrive(at, "internal_agent", "me")
	}
	require.Len(t, found[0], 1)
	require.Contains(t, found[0][0], "hosts/b opened ", "and the gap of a is known from the state")
}

// TestWatchInTheStateOfTelegraf has the state of watches go through Telegraf's own statefile.
func TestWatchInTheStateOfTelegraf(t *testing.T) {
	w := newWatching(t, "", 1000, newWatch(t))
	w.Arrive(1000, "internal_agent", "me")
	w.Arrive(1001, "cpu", "a")
	state := w.GetState()
	w = newWatching(t, "", 2000, newWatch(t))
	require.NoError(t, w.SetState(state))
	require.True(t, w.Watches[0].bus.detector.IsSeen("a"))
}

// TestWatchesOfTwoMonitors has two processors find the same failure: its id is the same, and that of another watch, with
// the same host and time, is not.
func TestWatchesOfTwoMonitors(t *testing.T) {
	found := func(began float64) []string {
		other := newWatch(t, func(w *Watch) { w.Name = "other" })
		w := newWatching(t, "", began, newWatch(t), other)
		var all []string
		for at := began; at < 100; at += 10 {
			if at <= 30 {
				w.Arrive(at, "cpu", "a")
			}
			all = append(all, slicesWith(w.Arrive(at, "internal_agent", "me"), "opened")...)
		}
		return all
	}
	first := found(0)
	require.Len(t, first, 2)
	require.NotEqual(t, strings.Fields(first[0])[2], strings.Fields(first[1])[2])
	require.Equal(t, first, found(20))
}

// TestWatchLeavesMetricsAlone compares what is passed on with what came.
func TestWatchLeavesMetricsAlone(t *testing.T) {
	w := newWatching(t, "", 0, newWatch(t))
	for _, name := range []string{"cpu", "internal_agent", "other"} {
		m := metric.New(name, map[string]string{"host": "a"}, map[string]any{"v": 1.0}, time.Unix(7, 0))
		before := m.Copy()
		w.acc.ClearMetrics()
		require.NoError(t, w.Add(m, &w.acc))
		testutil.RequireMetricEqual(t, before, w.acc.GetTelegrafMetrics()[0])
	}
}

// hostsLife is what happens to the hosts of one watch in ten minutes: each sends a metric every ten seconds, some die, some
// come back, and the pipeline stands still once.
func hostsLife(random *rand.Rand, name string) []telegraf.Metric {
	var all []telegraf.Metric
	add := func(at float64, measurement, host string) {
		all = append(all, metric.New(measurement, map[string]string{"host": host}, map[string]any{"v": 1.0}, time.Unix(0, int64(at*1e9))))
	}
	hosts := 1 + random.IntN(5)
	death := make([]int, hosts)
	for i := range death {
		death[i] = random.IntN(80)
	}
	stall := random.IntN(100)
	for n := range 60 {
		at := float64(n * 10)
		if n >= stall {
			at += 300
		}
		for i, d := range death {
			if n < d || n > d+5+random.IntN(10) {
				add(at+random.Float64(), "cpu_"+name, fmt.Sprint("host", i))
			}
		}
		add(at+1, "tick_"+name, "me")
	}
	return all
}

// foundByWatches are the metrics that a processor with some watches adds, by watch.
func foundByWatches(t *testing.T, names []string, metrics []telegraf.Metric) map[string][]string {
	t.Helper()
	var watches []*Watch
	for _, name := range names {
		watches = append(watches, newWatch(t, func(w *Watch) {
			w.Name, w.Measurement, w.Tick = name, []string{"cpu_" + name}, []string{"tick_" + name}
			w.MassCount, w.FlapCount, w.FlapWindow = 2, 3, config.Duration(5*time.Minute)
			w.Expected = []string{"ghost"}
		}))
	}
	w := newWatching(t, "", 0, watches...)
	found := make(map[string][]string)
	for _, m := range metrics {
		w.at = float64(m.Time().UnixNano()) / 1e9
		w.acc.ClearMetrics()
		require.NoError(t, w.Add(m.Copy(), &w.acc))
		for _, m := range w.acc.Metrics[1:] {
			found[m.Tags["watch"]] = append(found[m.Tags["watch"]], m.String())
		}
	}
	return found
}

// TestWatchesAreJudgedApart compares one processor of many watches with a processor for each of them: whatever the order of
// their metrics and the size of the batches, it finds the same.
func TestWatchesAreJudgedApart(t *testing.T) {
	for _, n := range []int{2, 10, 100} {
		random := rand.New(rand.NewPCG(uint64(n), 3))
		var names []string
		var lives [][]telegraf.Metric
		want := make(map[string][]string)
		gaps := 0
		for i := range n {
			names = append(names, fmt.Sprint("w", i))
			lives = append(lives, hostsLife(random, names[i]))
			found := foundByWatches(t, names[i:], lives[i])[names[i]]
			want[names[i]] = found
			gaps += strings.Count(strings.Join(found, ""), "liveness_gap")
		}
		require.Greater(t, gaps, n, "too peaceful to show anything")
		for _, most := range []int{1, 60, 400} {
			require.Equal(t, want, foundByWatches(t, names, shuffle(random, lives, most)), "%d watches, batches of up to %d", n, most)
		}
	}
}

// TestCopiesOfWatchedMetrics has each metric come twice, as from two inputs or a broker that delivers at least once: no
// gap more or less.
func TestCopiesOfWatchedMetrics(t *testing.T) {
	for seed := range uint64(20) {
		metrics := hostsLife(rand.New(rand.NewPCG(seed, 4)), "w")
		var twice []telegraf.Metric
		for _, m := range metrics {
			twice = append(twice, m, m)
		}
		once, copied := foundByWatches(t, []string{"w"}, metrics)["w"], foundByWatches(t, []string{"w"}, twice)["w"]
		require.Equal(t, slicesWith(once, "liveness_gap"), slicesWith(copied, "liveness_gap"), "seed %d", seed)
	}
}

func TestTickCheck(t *testing.T) {
	warnings := func(events string, step time.Duration) (n int) {
		c := tickCheck{blindAfter: 30 * time.Second}
		for i, e := range events {
			at := time.Duration(i) * step
			if e == 't' && c.Tick(at) || e == 'b' && c.Beat(at) {
				n++
			}
		}
		return n
	}
	require.Zero(t, warnings("tbbtbbtbbtbbtbb", 10*time.Second))
	require.Equal(t, 1, warnings("bbbbbbbbbbbbbbbbbbbbbbb", 10*time.Second), "no tick")
	require.Equal(t, 1, warnings("ttttttttttt", 31*time.Second), "too rare")
	require.Zero(t, warnings("tbt", 100*time.Second), "the pipeline stood still once")
	require.Equal(t, 1, warnings("bbbbb", time.Minute), "beats that are rarer than blind_after")

	c := tickCheck{blindAfter: 30 * time.Second}
	n := 0
	for i := range 10 { // each tick is several metrics
		for k := range 3 {
			if c.Tick(time.Duration(i)*time.Minute + time.Duration(k)*time.Millisecond) {
				n++
			}
		}
	}
	require.Equal(t, 1, n, "two ticks that come together prove nothing")
}

// TestMetricsOfOneGather has a host send one metric for each of its four processors every ten seconds: each time they are one
// beat, so that min_beats and adaptive thresholds mean what they say.
func TestMetricsOfOneGather(t *testing.T) {
	w := newWatching(t, "", 0, newWatch(t, func(w *Watch) {
		w.MinBeats, w.Adaptive, w.MinThreshold = 3, true, config.Duration(time.Second)
	}))
	gather := func(at float64) {
		for i := range 4 {
			w.at = at + float64(i)*0.0003
			m := metric.New("cpu", map[string]string{"host": "a", "cpu": fmt.Sprint(i)}, map[string]any{"v": 1.0}, time.Unix(int64(at), 0))
			require.NoError(t, w.Add(m, &w.acc))
		}
	}
	var fields map[string]any
	last := func() map[string]any {
		for _, m := range w.acc.Metrics {
			if m.Measurement == "liveness" {
				fields = m.Fields
			}
		}
		return fields
	}
	for at := 0.0; at < 1000; at += 10 {
		gather(at)
		require.Empty(t, w.Arrive(at+1, "internal_agent", "me"))
		if at == 300 {
			require.InDelta(t, 31, last()["beats"], 0)
		}
	}
	require.InDelta(t, 10, last()["interval_s"], 0.1)
	require.Greater(t, last()["threshold_s"], 20.0)
}
