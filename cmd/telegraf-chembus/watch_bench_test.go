package main

import (
	"bufio"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/processors"
	telegraftest "github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// BenchmarkWatchedMetric measures the CPU time of a metric of 100 000 series in the processor's process: read, taken by one of
// some watches, and written. Without a watch it is read and written only. All series are known when it begins, and reports,
// which go by the clock, are left out.
//
//	go test -run '^$' -bench WatchedMetric ./cmd/telegraf-chembus
func BenchmarkWatchedMetric(b *testing.B) {
	for _, n := range []int{0, 1, 10} {
		b.Run(fmt.Sprintf("watches=%d", n), func(b *testing.B) {
			const series = 100_000
			l := processors.Processors["liveness"]().(*liveness.Liveness)
			l.Log = telegraftest.Logger{Quiet: true}
			for i := range n {
				w := &liveness.Watch{}
				require.NoError(b, w.UnmarshalTOML(func(any) error { return nil }))
				w.Name, w.Measurement, w.Identity, w.Tick = fmt.Sprint("w", i), []string{fmt.Sprint("cpu", i)}, []string{"host"}, []string{"tick"}
				w.ReportInterval = config.Duration(24 * time.Hour)
				l.Watches = append(l.Watches, w)
			}
			require.NoError(b, l.Init())
			counted := &unstarted{StreamingProcessor: l, from: series} // not started: its state file would be another thing to measure
			in, out := io.Pipe()
			go func() {
				lines := bufio.NewWriterSize(out, 1<<16)
				for i := range series + b.N {
					if i%(series/10) == 0 {
						fmt.Fprintln(lines, "tick v=1 1795785886000000000")
					}
					fmt.Fprintf(lines, "cpu%d,cpu=cpu-total,host=host_%08d usage_idle=90.5,usage_system=2.5,usage_user=7 1795785886000000000\n",
						i%max(n, 1), i%series)
				}
				_ = lines.Flush()
				_ = out.Close()
			}()
			require.NoError(b, runProcessor(counted, in, io.Discard, func() {}, l.Log))
			b.ReportMetric(float64(cpuTime()-counted.began)/float64(b.N), "cpu-ns/metric")
		})
	}
}

// unstarted is a processor that is not started: it keeps no state. It notes the CPU time at which so many metrics have come.
type unstarted struct {
	telegraf.StreamingProcessor
	from  int // metrics that are left
	began int64
}

func (u *unstarted) Add(m telegraf.Metric, acc telegraf.Accumulator) error {
	if u.from--; u.from == 0 {
		u.began = cpuTime()
	}
	return u.StreamingProcessor.Add(m, acc)
}

func (*unstarted) Start(telegraf.Accumulator) error { return nil }

// cpuTime is what this process has taken of the processors, in nanoseconds.
func cpuTime() int64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // cannot fail for this process
	return usage.Utime.Nano() + usage.Stime.Nano()
}
