package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/process"
)

const (
	// Those who look at the page: clients that make lookRate requests a second together, and open pages.
	lookClients = 4
	lookRate    = 1000
	lookStreams = 100
)

const pageOptions = `
[[outputs.liveness]]
  listen = %q
`

// pageAgent is the block of the page in the drop-in.
const pageAgent = `
[[outputs.execd]]
  command = ["telegraf-chembus", "page"]
  flush_interval = "1s"
  flush_jitter = "0s"
  namepass = ["liveness", "liveness_gap", "chembus_bus", "chembus_heartbeat", "chembus_output"]
  data_format = "influx"
`

// page measures what those who look at the status page cost the pipeline: the delay of gaps on a busy bus while nobody
// looks, and while many do.
func (b *bench) page(ctx context.Context) (rows table, err error) {
	var delays [2][]float64
	var cost, size [2]float64
	var rate float64
	for i, look := range []bool{false, true} {
		addresses, err := process.FreeAddresses(1)
		if err != nil {
			return nil, err
		}
		address := addresses[0]
		s, err := b.newStageWith(ctx, pageAgent, delayOptions+fmt.Sprintf(pageOptions, address))
		if err == nil {
			delays[i], cost[i], size[i], rate, err = b.lookAt(ctx, s, "http://"+address, look)
		}
		if err = errors.Join(err, s.close()); err != nil {
			return nil, err
		}
		b.logf("  looked at: %v (%.0f requests/s), %s; page: %s of a core, %s", look, rate, distribution(delays[i]), percent(cost[i]), megabytes(size[i]))
	}
	load := fmt.Sprintf("%.0f requests/s and %d open pages", rate, lookStreams)
	return table{
		{
			"delay past the deadline, busy bus with the status page, p99, " + load, seconds(quantile(delays[1], 0.99)),
			"nobody looks " + seconds(quantile(delays[0], 0.99)), times(quantile(delays[1], 0.99) / quantile(delays[0], 0.99)), "", noBudget,
		},
		{
			"the same, mean", seconds(mean(delays[1])), "nobody looks " + seconds(mean(delays[0])),
			times(mean(delays[1]) / mean(delays[0])), "", noBudget,
		},
		{
			"status page, share of a core, " + load, percent(cost[1]), "nobody looks " + percent(cost[0]), "", "", noBudget,
		},
		{
			"status page, memory (PSS), " + load, megabytes(size[1]), "nobody looks " + megabytes(size[0]), "", "", noBudget,
		},
	}, nil
}

// lookAt returns the delays of gaps, what the process of the page takes meanwhile, and how many requests a second were
// answered.
func (b *bench) lookAt(ctx context.Context, s *stage, url string, look bool) (delays []float64, cost, size, rate float64, err error) {
	page, err := s.telegraf.Plugin("page")
	if err != nil {
		return nil, 0, 0, 0, err
	}
	listener, err := s.listen(ourSignal)
	if err != nil {
		return nil, 0, 0, 0, err
	}
	defer func() { err = errors.Join(err, listener.Close()) }()
	beating, stop := context.WithCancel(ctx)
	wait := s.beatInTurn(beating, busyZooids, busyInterval)
	defer func() {
		stop()
		err = errors.Join(err, wait())
	}()
	var answered atomic.Int64
	if look {
		ended := lookers(beating, url, &answered)
		defer ended()
		defer stop()
	}
	start := time.Now()
	var deadlines map[string]time.Time
	spent, err := spending([]int{page}, func() (err error) {
		deadlines, err = s.kill(ctx)
		return err
	})
	if err != nil {
		return nil, 0, 0, 0, err
	}
	took := time.Since(start).Seconds()
	if size, err = memory(page); err != nil {
		return nil, 0, 0, 0, err
	}
	rate = float64(answered.Load()) / took
	waiting, cancel := context.WithTimeout(ctx, gapTimeout)
	defer cancel()
	delays, err = delaysOf(waiting, listener, deadlines)
	return delays, spent[0] / took, size, rate, err
}

// lookers make requests and keep pages open until the context ends; wait for them with what is returned.
func lookers(ctx context.Context, url string, answered *atomic.Int64) (wait func()) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: lookClients + lookStreams}}
	get := func(path string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path, http.NoBody)
		if err != nil {
			return
		}
		response, err := client.Do(request)
		if err != nil {
			return // it counts as not answered
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err == nil {
			answered.Add(1)
		}
	}
	var running sync.WaitGroup
	for range lookStreams {
		running.Go(func() { get("/stream") })
	}
	paths := []string{"/api/v1/components", "/api/v1/gaps", "/api/v1/events", "/healthz"}
	for range lookClients {
		running.Go(func() {
			ticker := time.NewTicker(lookClients * time.Second / lookRate)
			defer ticker.Stop()
			for i := 0; ctx.Err() == nil; i++ {
				get(paths[i%len(paths)])
				<-ticker.C
			}
		})
	}
	return func() {
		running.Wait()
		client.CloseIdleConnections()
	}
}
