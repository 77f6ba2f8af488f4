package chembus

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"
)

const (
	// patience is what a condition gets on a machine that is busy with something else.
	patience = 2 * time.Minute
	poll     = time.Millisecond
)

// testRun is the run of a plugin that was not started.
const testRun = int64(1_795_446_803_878_135_000)

// gate is an accumulator that blocks while it is shut, as Telegraf's does when its outputs stall.
type gate struct {
	testutil.Accumulator
	shut    sync.Mutex
	waiting atomic.Int32
}

func (g *gate) AddFields(name string, fields map[string]any, tags map[string]string, at ...time.Time) {
	g.waiting.Add(1)
	g.shut.Lock()
	defer g.shut.Unlock()
	g.waiting.Add(-1)
	g.Accumulator.AddFields(name, fields, tags, at...)
}

// close shuts the gate until open is called, or the test ends.
func (g *gate) close(t *testing.T) (open func()) {
	g.shut.Lock()
	open = sync.OnceFunc(g.shut.Unlock)
	t.Cleanup(open)
	return open
}

// named returns the metrics of a name, as Telegraf would have them.
func (g *gate) named(name string) []telegraf.Metric {
	var metrics []telegraf.Metric
	for _, m := range g.GetTelegrafMetrics() {
		if m.Name() == name {
			metrics = append(metrics, m)
		}
	}
	return metrics
}

// startEmitter runs the emitter of a plugin that has a collector but no bus.
func startEmitter(t *testing.T, acc telegraf.Accumulator) (*ChemBus, testCollector) {
	t.Helper()
	c := newPlugin()
	c.subscribeEndpoint, c.run = "tcp://bus:1", testRun
	c.due = sync.NewCond(&c.mu)
	c.collector = newCollector(c, testProbe, epoch)
	c.wg.Go(func() { c.emit(acc) })
	t.Cleanup(func() {
		c.mu.Lock()
		c.stopping = true
		c.due.Broadcast()
		c.mu.Unlock()
		c.wg.Wait()
	})
	return c, testCollector{c.collector}
}

// feed does something with the collector as the receiver does.
func (c *ChemBus) feed(what func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what()
	c.due.Signal()
}

func fieldOf(t *testing.T, m telegraf.Metric, name string) any {
	t.Helper()
	value, ok := m.GetField(name)
	require.True(t, ok, "%s has no field %s", m.Name(), name)
	return value
}

func TestVeryFirstMetricIsATickOfZero(t *testing.T) {
	var acc gate
	open := acc.close(t) // the emitter gets no further than its first metric before there are beats
	c, s := startEmitter(t, &acc)
	c.feed(func() {
		s.beat(0.5, "a", wall(0.5))
		s.beat(0.8, "a", wall(0.8))
		s.Evidence(at(1.5))
	})
	open()
	acc.Wait(3)
	metrics := acc.GetTelegrafMetrics()
	require.Equal(t, "chembus_tick", metrics[0].Name())
	require.Equal(t, map[string]any{"observed_s": 0.0, "run": testRun, "holes": int64(0)}, metrics[0].Fields())
	require.Equal(t, map[string]string{"endpoint": "tcp://bus:1"}, metrics[0].Tags())
	require.Equal(t, "chembus_heartbeat", metrics[1].Name())
	require.Equal(t, "chembus_tick", metrics[2].Name())
	require.Equal(t, map[string]any{"observed_s": 1.0, "run": testRun, "holes": int64(1), "hole_list": "0.000:0.500"}, metrics[2].Fields())
	require.True(t, metrics[2].Time().Equal(at(1.5)))
}

func TestHeartbeatMetric(t *testing.T) {
	var acc gate
	c, s := startEmitter(t, &acc)
	arrived := float64(at(0.5).UnixNano()) / 1e9
	c.feed(func() {
		s.send(0.5, fmt.Sprintf(`{"facts":{"zooid":"a","niche":"voice","uptime_s":12.5,"processed_count":4},"ts":%f}`, arrived-0.25))
	})
	acc.Wait(2)
	c.feed(func() { s.send(0.75, `{"facts":{"zooid":"b"}}`) })
	acc.Wait(3)

	beats := acc.named("chembus_heartbeat")
	require.Equal(t, map[string]string{"zooid": "a", "niche": "voice", "endpoint": "tcp://bus:1"}, beats[0].Tags())
	fields := beats[0].Fields()
	require.InDelta(t, 0.25, fields["lag_s"], 1e-5)
	require.InDelta(t, arrived-0.25, fields["sent"], 1e-5)
	delete(fields, "lag_s")
	delete(fields, "sent")
	require.Equal(t, map[string]any{
		"beats": int64(1), "starts": int64(0), "observed_s": 0.0, "run": testRun, "processed_count": int64(4), "uptime_s": 12.5,
	}, fields)
	require.True(t, beats[0].Time().Equal(at(0.5)))

	require.Equal(t, map[string]string{"zooid": "b", "endpoint": "tcp://bus:1"}, beats[1].Tags(), "no niche is no tag")
	require.Equal(t, map[string]any{"beats": int64(1), "starts": int64(0), "observed_s": 0.25, "run": testRun}, beats[1].Fields(),
		"what it did not say is no field")

	c.feed(func() {
		s.send(0.9, `{"facts":{"zooid":"b"}}`)
		s.Evidence(at(1))
	})
	acc.Wait(5)
	start := acc.named("chembus_heartbeat")[2]
	require.Equal(t, map[string]any{"beats": int64(0), "starts": int64(1), "observed_s": 0.25, "run": testRun}, start.Fields(), "a mere copy")
	require.True(t, start.Time().Equal(at(0.9)), "at the time of the beat it would overwrite that in a database")
}

func TestKillMetricComesAfterTheBeatsBeforeIt(t *testing.T) {
	var acc gate
	open := acc.close(t)
	c, s := startEmitter(t, &acc)
	c.feed(func() {
		s.beat(0.1, "a", wall(0.1))
		s.kill(0.6)
		s.Evidence(at(1.6))
	})
	open()
	acc.Wait(4)
	var order []string
	for _, m := range acc.GetTelegrafMetrics() {
		order = append(order, m.Name())
	}
	require.Equal(t, []string{"chembus_tick", "chembus_heartbeat", "chembus_kill", "chembus_tick"}, order)
	kill := acc.named("chembus_kill")[0]
	require.Equal(t, map[string]any{"observed_s": 0.5, "run": testRun}, kill.Fields())
	ticks := acc.named("chembus_tick")
	require.NotContains(t, ticks[0].Fields(), "killed_s", "there was none yet")
	require.Equal(t, 0.5, fieldOf(t, ticks[1], "killed_s"))
	c.feed(func() { s.Evidence(at(2.6)) })
	acc.Wait(5)
	require.Equal(t, 0.5, fieldOf(t, acc.named("chembus_tick")[2], "killed_s"), "in each tick of this run")
	require.Equal(t, map[string]string{"endpoint": "tcp://bus:1"}, kill.Tags())
	require.True(t, kill.Time().Equal(at(0.6)))
}

// While Telegraf stalls nothing is queued, and afterwards all beats come before the tick that says that
// time has passed.
func TestStalledAccumulator(t *testing.T) {
	var acc gate
	c, s := startEmitter(t, &acc)
	acc.Wait(1)
	open := acc.close(t)
	const zooids, beats = 10, 100
	for n := range beats {
		c.feed(func() {
			for z := range zooids {
				now := float64(n) + float64(z)/zooids
				s.beat(now, fmt.Sprintf("z%d", z), wall(now))
			}
		})
	}
	c.feed(func() {
		require.LessOrEqual(t, len(s.ready)+len(s.coalesced), zooids)
	})
	open()

	// One report may have been taken before the first blocked metric.
	sum := func() (sum int64) {
		for _, m := range acc.named("chembus_heartbeat") {
			sum += fieldOf(t, m, "beats").(int64)
		}
		return sum
	}
	require.Eventually(t, func() bool { return sum() == zooids*beats }, patience, poll)
	require.LessOrEqual(t, len(acc.named("chembus_heartbeat")), 3*zooids, "merged")
	require.Eventually(t, func() bool {
		ticks := acc.named("chembus_tick")
		return fieldOf(t, ticks[len(ticks)-1], "observed_s").(float64) > beats-2
	}, patience, poll)
	proven := make(map[string]float64)
	for _, m := range acc.GetTelegrafMetrics() {
		switch m.Name() {
		case "chembus_heartbeat":
			proven[m.Tags()["zooid"]] = fieldOf(t, m, "observed_s").(float64)
		case "chembus_tick":
			tick := fieldOf(t, m, "observed_s").(float64)
			for zooid, observed := range proven {
				require.Less(t, tick-observed, 2.0, "%s beats each second", zooid)
			}
		}
	}
	require.Len(t, proven, zooids)
}
