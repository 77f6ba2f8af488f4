package liveness

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/metric"

	"github.com/kloros/telegraf-chembus/testutil/heap"
)

// BenchmarkWatches measures a metric of 100 000 series that each come every 10 s, with a tick a second, taken by so many
// watches: each takes its share of the series, or all of them take all.
//
//	go test -run '^$' -bench Watches ./plugins/processors/liveness
func BenchmarkWatches(b *testing.B) {
	for _, n := range []int{1, 10} {
		b.Run(fmt.Sprintf("share/watches=%d", n), func(b *testing.B) { benchmarkWatches(b, n, true) })
	}
	b.Run("all/watches=10", func(b *testing.B) { benchmarkWatches(b, 10, false) })
}

func benchmarkWatches(b *testing.B, n int, share bool) {
	const series = 100_000
	at := time.Unix(1000, 0)
	l := standard()
	l.now = func() time.Time { return at }
	for i := range n {
		w := &Watch{}
		require.NoError(b, w.UnmarshalTOML(func(any) error { return nil }))
		w.Name, w.Measurement, w.Identity, w.Tick = fmt.Sprint("w", i), []string{"m"}, []string{"host"}, []string{"tick"}
		if share {
			w.Measurement = []string{fmt.Sprint("m", i)}
		}
		w.ReportInterval = config.Duration(24 * time.Hour)
		l.Watches = append(l.Watches, w)
	}
	require.NoError(b, l.Init())
	metrics := make([]telegraf.Metric, series)
	for i := range metrics {
		name := "m"
		if share {
			name = fmt.Sprint("m", i%n)
		}
		metrics[i] = metric.New(name, map[string]string{"host": fmt.Sprintf("host_%08d", i), "dc": "north"},
			map[string]any{"usage_idle": 90.0, "usage_user": 5.0}, at)
	}
	tick := metric.New("tick", nil, map[string]any{"v": 1.0}, at)
	acc := &nowhere{}
	next := 0
	add := func() {
		if next%(series/10) == 0 {
			at = at.Add(time.Second)
			_ = l.Add(tick, acc)
		}
		metrics[next].SetTime(at)
		_ = l.Add(metrics[next], acc)
		next = (next + 1) % series
	}
	before := heap.InUse()
	for range series {
		add()
	}
	kept := heap.InUse() - before
	for range series {
		add()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := cpuTime()
	for b.Loop() {
		add()
	}
	b.ReportMetric(float64(cpuTime()-began)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(kept)/series, "B/series")
	runtime.KeepAlive(l)
}
