package chembus

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"
)

// busFields returns the fields of chembus_bus so many seconds after the start.
func busFields(c *ChemBus, seconds float64) map[string]any {
	var acc testutil.Accumulator
	c.addBus(&acc, at(seconds))
	return acc.GetTelegrafMetrics()[0].Fields()
}

// TestFirstLookClaimsNothing has Telegraf ask for chembus_bus right after the start, as with --test.
func TestFirstLookClaimsNothing(t *testing.T) {
	c := newPlugin()
	require.NoError(t, c.Init())
	c.collector = newCollector(c, testProbe, epoch)
	for _, field := range []string{"observable", "connected", "publishing"} {
		require.NotContains(t, busFields(c, 0.1), field, "nobody can know yet")
		require.NotContains(t, busFields(c, 2.9), field)
	}
	require.Equal(t, []any{false, false}, pick(busFields(c, 3), "observable", "connected"), "nothing for blind_after")
	require.NotContains(t, busFields(c, 29.9), "publishing")
	require.Equal(t, false, busFields(c, 30)["publishing"])

	c.collector = newCollector(c, testProbe, epoch)
	c.connected = true
	require.Equal(t, true, busFields(c, 0.1)["connected"])
	testCollector{c.collector}.probeReturns(0.2, 0.1)
	require.Equal(t, []any{true, true}, pick(busFields(c, 0.3), "observable", "publishing"))
}

func TestPublishingIsWhatComesBack(t *testing.T) {
	c := newPlugin()
	require.NoError(t, c.Init())
	s := newTestCollector()
	c.collector = s.collector
	s.probeReturns(1, 0.9)
	require.Equal(t, true, busFields(c, 30.9)["publishing"])
	s.beat(31, "somebody", wall(31))
	require.Equal(t, false, busFields(c, 31)["publishing"], "that others can publish says nothing")
	own := heartbeat(c.AnnounceAs, wall(40))
	s.Announced([]byte(own))
	s.beat(41, c.AnnounceAs, wall(41))
	require.Equal(t, false, busFields(c, 41)["publishing"], "somebody else of that name")
	require.Empty(t, s.send(42, own))
	require.Equal(t, true, busFields(c, 42)["publishing"])

	c.PublishEndpoint = "none"
	require.NoError(t, c.Init())
	c.publishEndpoint = ""
	require.NotContains(t, busFields(c, 42), "publishing", "nothing is published")
}

// TestPublishingOnABusThatCannotBeHeard has nothing come back while the bus is in maintenance, and for a while afterwards.
func TestPublishingOnABusThatCannotBeHeard(t *testing.T) {
	b := startBus(t)
	c := onBus(b)
	require.NoError(t, c.Init())
	require.NoError(t, c.loop.Init())
	start := time.Now()
	c.collector = newCollector(c, testProbe, start)
	c.due = sync.NewCond(&c.mu)
	r := newReceiver(c, testProbe)
	require.NoError(t, r.Open())
	t.Cleanup(func() {
		r.Close()
		require.NoError(t, c.loop.Stop(nil))
	})
	require.True(t, holds(func() bool {
		require.NoError(t, r.beats.connection.Update(time.Now()))
		return r.beats.connection.Up()
	}))
	interval := func(seconds float64) []string {
		require.NoError(t, r.everyInterval(start.Add(time.Duration(seconds*float64(time.Second)))))
		var lines []string
		for _, line := range c.Log.(*testutil.CaptureLogger).Warnings() {
			if strings.Contains(line, "heartbeat and probe cannot be published") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	c.collector.maintenance.Announce(start)
	for second := range 100 {
		require.Empty(t, interval(float64(second)))
	}
	c.collector.maintenance.Resume()
	for second := 100; second < 130; second++ {
		require.Empty(t, interval(float64(second)))
	}
	for second := 130; second < 200; second++ {
		require.Len(t, interval(float64(second)), 1, "once")
	}
}
