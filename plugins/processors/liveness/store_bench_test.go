package liveness

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/metric"
	"github.com/influxdata/telegraf/testutil"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// nowhere is an accumulator that keeps nothing.
type nowhere struct{ testutil.Accumulator }

func (*nowhere) AddMetric(telegraf.Metric) {}

func (*nowhere) AddFields(string, map[string]any, map[string]string, ...time.Time) {}

// BenchmarkSave measures the CPU time for which saving holds Add at most, and how much it writes, in a colony that beats
// every 10 s: for half a minute with a new name a second, at a report, and then all fall silent with one tick, and an outage
// is reported.
func BenchmarkSave(b *testing.B) {
	for _, n := range []int{2_000, 100_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				benchmarkSave(b, n)
			}
		})
	}
}

// cpuTime is the CPU time of this thread.
func cpuTime() time.Duration {
	var usage unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &usage) // it always exists
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func benchmarkSave(b *testing.B, n int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l := standard()
	l.StateFile = filepath.Join(b.TempDir(), "liveness.json")
	l.Threshold, l.ReportInterval = config.Duration(12*time.Second), config.Duration(time.Hour)
	l.MaxComponents = 2 * n
	at := time.Unix(0, 0)
	l.now = func() time.Time { return at }
	require.NoError(b, l.Init())
	require.NoError(b, l.Start(nil))
	tags := map[string]string{"host": "h"}
	tick := func(second int) {
		at = time.Unix(int64(second), 0)
		require.NoError(b, l.Add(metric.New(tickMeasurement, tags, map[string]any{"observed_s": float64(second)}, at), &nowhere{}))
	}
	tick(0)
	home := l.buses.all[0]
	name := func(i int) string { return fmt.Sprintf("component_%06d", i) }
	for i := range n {
		home.detector.Beat(&detector.Beat{Key: name(i), Beats: 1, LastSeen: 1})
	}
	// What saving takes is measured, not what a tick does beside it.
	var longest time.Duration
	timed := func(save func()) {
		start := cpuTime()
		save()
		longest = max(longest, cpuTime()-start)
	}
	w := written{file: l.StateFile}
	before := w.Count()
	store := l.store
	// add is what an Add saves.
	add := func(found []detector.Finding, tick bool) {
		timed(func() {
			store.Found(home, found)
			if tick {
				store.Tick(home)
			}
		})
	}
	seconds := 0
	for ; seconds < 30; seconds++ {
		at = time.Unix(int64(seconds), 0)
		for i := seconds % 10; i < n; i += 10 {
			home.detector.Beat(&detector.Beat{Key: name(i), Beats: 1, Observed: time.Duration(seconds) * time.Second, LastSeen: float64(seconds)})
		}
		add(home.detector.Beat(&detector.Beat{Key: "new" + name(seconds), Beats: 1, Observed: time.Duration(seconds) * time.Second}), false)
		add(home.detector.Tick(0, time.Duration(seconds)*time.Second), true)
		w.Count()
	}
	b.ReportMetric(float64(w.Count()-before)/float64(seconds), "B/s")
	b.ReportMetric(longest.Seconds()*1e3, "cpu-ms/hold")
	longest = 0
	add(home.detector.Report(), true)
	b.ReportMetric(longest.Seconds()*1e3, "cpu-ms/report-hold")
	for i := range n { // so that they fall silent with one tick
		home.detector.Beat(&detector.Beat{Key: name(i), Beats: 1, Observed: time.Duration(seconds) * time.Second, LastSeen: float64(seconds)})
	}
	longest, before = 0, w.Count()
	for ; seconds < 60; seconds++ {
		at = time.Unix(int64(seconds), 0)
		add(home.detector.Tick(0, time.Duration(seconds)*time.Second), true)
		w.Count()
	}
	b.ReportMetric(float64(w.Count()-before), "B/outage")
	b.ReportMetric(longest.Seconds()*1e3, "cpu-ms/outage-hold")
	start := cpuTime()
	l.Stop()
	b.ReportMetric((cpuTime()-start).Seconds()*1e3, "cpu-ms/stop")
}
