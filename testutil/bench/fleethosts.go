package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	natsclient "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// fleetInterval is the heartbeat interval of the components.
	fleetInterval = 10 * time.Second
	// A host writes what was heard in a slot, and a tick behind it, as inputs.chembus does.
	slot             = 100 * time.Millisecond
	slotsPerSecond   = int(time.Second / slot)
	slotsPerInterval = int(fleetInterval / slot)
	// batchSize is metric_batch_size in edge.conf.
	batchSize = 1000
	// asyncLimit is the number of batches that NATS has not stored yet.
	asyncLimit = 4000
	// A central Telegraf has read the stream if no more batches than these are on their way to it.
	onTheirWay = 50
	// readLimit is how long it may take to read what has gathered.
	readLimit = time.Minute
)

// hosts simulates hosts with a bus and a Telegraf each: they publish what the Telegrafs would publish. One goroutine does so for
// all of them.
type hosts struct {
	connection *natsclient.Conn
	stream     jetstream.JetStream
	groups     []*group // under mu
	started    time.Time

	mu         sync.Mutex
	batch      time.Duration // flush_interval of the hosts
	late       time.Duration // the most that a slot was late
	components deaths
	hosts      deaths
	failure    error
}

// awaitRead waits until central Telegrafs have read what was published.
func (h *hosts) awaitRead(ctx context.Context, centrals ...string) error {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	for _, name := range centrals {
		for unread := onTheirWay + 1; unread > onTheirWay; {
			consumer, err := h.stream.PushConsumer(ctx, "BEATS", name)
			if err != nil {
				return fmt.Errorf("%s does not keep up, %d batches are unread: %w", name, unread, err)
			}
			info := consumer.CachedInfo()
			unread = int(info.NumPending) + info.NumAckPending
			if err := sleep(ctx, slot); err != nil {
				return fmt.Errorf("%s does not keep up, %d batches are unread: %w", name, unread, err)
			}
		}
	}
	return nil
}

// group are the hosts of one partition.
type group struct {
	of    *hosts
	hosts []*host
	sent  counts // under hosts.mu
}

// counts is what hosts have published.
type counts struct{ beats, metrics, bytes int }

func (c counts) less(d counts) counts {
	return counts{c.beats - d.beats, c.metrics - d.metrics, c.bytes - d.bytes}
}

// others returns the number of other metrics for each beat.
func (c counts) others() float64 { return float64(c.metrics-c.beats) / float64(c.beats) }

// size returns the bytes for each beat.
func (c counts) size() float64 { return float64(c.bytes) / float64(c.beats) }

// host is a bus with its components.
type host struct {
	name       string
	subject    string
	heads      [][]byte                // the beginning of each component's beat in line protocol
	bySlot     [slotsPerInterval][]int // the components that beat in it
	offset     int                     // of its flushes, in slots
	dead       int                     // the component that has died; -1: none
	dies       time.Time               // the component that beats next is to die; zero: none; under hosts.mu
	leaves     time.Time               // when it dies with all that is on it; zero: it stays; under hosts.mu
	reports    bool                    // chembus_bus is in the batch
	reported   time.Time               // when it was published last
	batch      []byte
	beats, all int // metrics in the batch
}

// newHosts connects to a NATS server, and listens to the gaps.
func newHosts(url string, batch time.Duration) (*hosts, error) {
	h := &hosts{batch: batch, components: newDeaths(), hosts: newDeaths()}
	var err error
	if h.connection, err = natsclient.Connect(url); err != nil {
		return nil, err
	}
	h.stream, err = jetstream.New(h.connection, jetstream.WithPublishAsyncMaxPending(asyncLimit),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, m *natsclient.Msg, err error) {
			h.fail(fmt.Errorf("publishing on %s: %w", m.Subject, err))
		}))
	if err == nil {
		_, err = h.connection.Subscribe("gaps.>", h.gap)
	}
	if err == nil {
		err = h.connection.Flush()
	}
	if err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *hosts) close() { h.connection.Close() }

func (h *hosts) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failure == nil {
		h.failure = err
	}
}

// gap takes a message on the way to a host.
func (h *hosts) gap(m *natsclient.Msg) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.components.take(tag(m.Data, "host")+" "+tag(m.Data, "zooid"), m.Data, now)
}

// Write takes gaps of hosts.
func (h *hosts) Write(lines []byte) (int, error) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for line := range bytes.Lines(lines) {
		h.hosts.take(tag(line, "host"), line, now)
	}
	return len(lines), nil
}

// add adds a group of hosts, before the start.
func (h *hosts) add(partition, count, components int) *group {
	random := rand.New(rand.NewPCG(uint64(partition), 1))
	g := &group{of: h}
	for i := range count {
		one := &host{name: fmt.Sprintf("host_%d_%04d", partition, i), offset: random.IntN(slotsPerInterval), dead: -1}
		one.subject = fmt.Sprintf("fleet.%d.%s", partition, one.name)
		for c := range components {
			one.heads = append(one.heads, fmt.Appendf(nil, "chembus_heartbeat,endpoint=tcp://127.0.0.1:5557,host=%s,niche=bench,zooid=%s beats=1i,starts=0i,",
				one.name, zooidName(c)))
			at := random.IntN(slotsPerInterval)
			one.bySlot[at] = append(one.bySlot[at], c)
		}
		g.hosts = append(g.hosts, one)
	}
	h.groups = append(h.groups, g)
	return g
}

// start publishes until the context ends. Then wait returns, with the first error.
func (h *hosts) start(ctx context.Context) (wait func() error) {
	var running sync.WaitGroup
	h.started = time.Now()
	running.Go(func() {
		for n := 1; ; n++ {
			at := h.started.Add(time.Duration(n) * slot)
			if err := sleep(ctx, time.Until(at)); err != nil {
				return
			}
			h.mu.Lock()
			h.late = max(h.late, time.Since(at))
			flush, groups := int(h.batch/slot), slices.Clone(h.groups)
			h.mu.Unlock()
			for _, g := range groups {
				if err := g.publish(n, at, flush); err != nil {
					h.fail(err)
					return
				}
			}
		}
	})
	return func() error {
		running.Wait()
		return h.failed()
	}
}

// failed returns the first error.
func (h *hosts) failed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failure
}

// publish does the work of all hosts of a group in a slot.
func (g *group) publish(n int, at time.Time, flush int) error {
	for _, host := range g.hosts {
		if g.left(host, at) {
			continue
		}
		started := g.of.started.Add(-time.Duration(host.offset) * slot) // not all hosts at the same time
		for _, c := range host.bySlot[n%slotsPerInterval] {
			if c == host.dead {
				continue
			}
			host.beat(c, at, at.Sub(started), started)
			if g.dies(host, c, at) {
				host.dead = c
			}
			if host.all >= batchSize {
				if err := g.send(host); err != nil {
					return err
				}
			}
		}
		if len(host.bySlot[n%slotsPerInterval]) > 0 || n%slotsPerSecond == 0 {
			host.tick(at, at.Sub(started), started)
		}
		if (n+host.offset)%slotsPerInterval == 0 {
			host.bus(at, at.Sub(started))
		}
		if (n+host.offset)%flush == 0 {
			if err := g.send(host); err != nil {
				return err
			}
		}
	}
	return nil
}

// dies decides whether the beat of a component was its last.
func (g *group) dies(h *host, component int, at time.Time) bool {
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	if h.dead >= 0 || h.dies.IsZero() || at.Before(h.dies) {
		return false
	}
	g.of.components.deadlines[h.name+" "+zooidName(component)] = at.Add(fleetThreshold)
	return true
}

// left decides whether a host has died. What it has not published is lost.
func (g *group) left(h *host, at time.Time) bool {
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	if h.leaves.IsZero() || at.Before(h.leaves) {
		return false
	}
	if g.of.hosts.deadlines[h.name].IsZero() {
		g.of.hosts.deadlines[h.name] = h.reported.Add(hostThreshold)
	}
	return true
}

// leave lets the last hosts die, one after the other.
func (g *group) leave(count int, every time.Duration) {
	now := time.Now()
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	for i, h := range g.hosts[len(g.hosts)-count:] {
		h.leaves = now.Add(time.Duration(i) * every)
	}
}

// kill lets as many components die, each on another host, at random times within d.
func (g *group) kill(count int, d time.Duration) {
	random := rand.New(rand.NewPCG(1, 1))
	now := time.Now()
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	for _, h := range g.hosts[:count] {
		h.dies = now.Add(time.Duration(random.Int64N(int64(d))))
	}
}

func (g *group) counts() counts {
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	return g.sent
}

// send publishes the batch of a host.
func (g *group) send(h *host) error {
	if h.all == 0 {
		return nil
	}
	if _, err := g.of.stream.PublishAsync(h.subject, bytes.Clone(h.batch), jetstream.WithStallWait(stageLimit)); err != nil {
		return fmt.Errorf("publishing on %s: %w", h.subject, err)
	}
	g.of.mu.Lock()
	g.sent = counts{g.sent.beats + h.beats, g.sent.metrics + h.all, g.sent.bytes + len(h.batch)}
	g.of.mu.Unlock()
	if h.reports {
		h.reported = time.Now()
	}
	h.batch, h.beats, h.all, h.reports = h.batch[:0], 0, 0, false
	return nil
}

func (h *host) beat(component int, at time.Time, observed time.Duration, run time.Time) {
	h.batch = append(h.batch, h.heads[component]...)
	h.batch = append(h.batch, "lag_s=0.000312,processed_count=7i,sent="...)
	h.batch = strconv.AppendFloat(h.batch, float64(at.UnixMicro())/1e6, 'f', 6, 64)
	h.clock(at, observed, run)
	h.beats++
}

func (h *host) tick(at time.Time, observed time.Duration, run time.Time) {
	h.batch = append(h.batch, "chembus_tick,endpoint=tcp://127.0.0.1:5557,host="...)
	h.batch = append(h.batch, h.name...)
	h.batch = append(h.batch, " holes=1i"...)
	h.clock(at, observed, run)
}

// clock ends a metric with the observation clock.
func (h *host) clock(at time.Time, observed time.Duration, run time.Time) {
	h.batch = append(h.batch, ",observed_s="...)
	h.batch = strconv.AppendFloat(h.batch, observed.Seconds(), 'f', -1, 64)
	h.batch = append(h.batch, ",run="...)
	h.batch = strconv.AppendInt(h.batch, run.UnixNano(), 10)
	h.batch = append(h.batch, 'i', ' ')
	h.batch = strconv.AppendInt(h.batch, at.UnixNano(), 10)
	h.batch = append(h.batch, '\n')
	h.all++
}

func (h *host) bus(at time.Time, observed time.Duration) {
	h.batch = fmt.Appendf(h.batch, "chembus_bus,endpoint=tcp://127.0.0.1:5557,host=%s observable=true,connected=true,publishing=true,"+
		"suspended=false,observed_s=%f,blind_s=0,holes=1i,messages=%di,heartbeats=%di,bytes=%di,zooids=%di,disconnects=0i,probe_rtt_s=0.0005 %d\n",
		h.name, observed.Seconds(), int(observed.Seconds())*20, int(observed.Seconds())*10, int(observed.Seconds())*2000, len(h.heads), at.UnixNano())
	h.all++
	h.reports = true
}

// end ends the hosts of a group.
func (h *hosts) end(g *group) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.groups = slices.DeleteFunc(h.groups, func(other *group) bool { return other == g })
}

func (h *hosts) setBatch(batch time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.batch = batch
}

func (h *hosts) lateness() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.late
}

// opened returns how many gaps of components and of hosts have opened.
func (h *hosts) opened() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.components.opened) + len(h.hosts.opened)
}

// delays returns by how many seconds the gaps of components and of hosts came after the deadlines of those that have died.
func (h *hosts) delays() (components, hosts []float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.components.delays(), h.hosts.delays()
}
