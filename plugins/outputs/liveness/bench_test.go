package liveness

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/stretchr/testify/require"
)

// BenchmarkWriteUnderLoad measures how long Write takes while four clients make 1000 requests a second together and 100
// pages are open, against nobody looking.
func BenchmarkWriteUnderLoad(b *testing.B) {
	for _, components := range []int{50, 5000} {
		for _, load := range []bool{false, true} {
			b.Run(fmt.Sprintf("components=%d/load=%v", components, load), func(b *testing.B) { writeUnderLoad(b, components, load) })
		}
	}
}

func writeUnderLoad(b *testing.B, components int, load bool) {
	p := serve(b, nil)
	batch := func() (metrics []telegraf.Metric) {
		now := time.Now()
		for i := range components {
			metrics = append(metrics, report(fmt.Sprintf("component_%d", i), "up", now))
		}
		return append(metrics, heard(true, now))
	}
	require.NoError(b, p.Write(batch()))
	var requests, problems atomic.Int64
	if load {
		defer look(b, p, &requests, &problems)()
	}
	begin := time.Now()
	var took []time.Duration
	for b.Loop() {
		metrics := batch()
		start := time.Now()
		require.NoError(b, p.Write(metrics))
		took = append(took, time.Since(start))
		time.Sleep(50 * time.Millisecond)
	}
	slices.Sort(took)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99/Write")
	b.ReportMetric(float64(requests.Load())/time.Since(begin).Seconds(), "requests/s")
	b.ReportMetric(float64(memory.HeapInuse)/1e6, "MB-heap")
	require.Zero(b, problems.Load())
}

// look makes requests and opens pages until the function that it returns is called.
func look(b *testing.B, p *served, requests, problems *atomic.Int64) (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	get := func(path string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url(path), http.NoBody)
		if err != nil {
			problems.Add(1)
			return
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			if ctx.Err() == nil {
				problems.Add(1)
			}
			return
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
	}
	for range 100 {
		wg.Go(func() { get("/stream") })
	}
	paths := []string{"/api/v1/gaps", "/api/v1/events", "/healthz", "/api/v1/components"}
	for range 4 {
		wg.Go(func() {
			ticker := time.NewTicker(4 * time.Millisecond)
			defer ticker.Stop()
			for i := 0; ctx.Err() == nil; i++ {
				get(paths[i%len(paths)])
				requests.Add(1)
				<-ticker.C
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}
