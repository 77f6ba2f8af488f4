package chembus

import (
	"testing"

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

func TestPublishingThatFailsIsSaidOnceWithItsCause(t *testing.T) {
	for cause, test := range map[string]struct {
		up       bool
		refusals uint64
		expected string
	}{
		"long subscription": {false, 7, "probably since somebody subscribes to a topic of more than 1048576 bytes"},
		"no connection":     {false, 2, `no connection to "tcp://bus:1" for 30s. Check publish_endpoint`},
		"another bus":       {true, 2, "Check that subscribe_endpoint and publish_endpoint are of one bus"},
	} {
		t.Run(cause, func(t *testing.T) {
			var log testutil.CaptureLogger
			l := publishLog{endpoint: "tcp://bus:1", log: &log}
			for now := 0.0; now < 100; now++ {
				l.Update(publishView{hears: true, up: true, refusals: 2}, at(now))
			}
			require.Empty(t, log.Messages())
			for now := 100.0; now < 200; now++ {
				l.Update(publishView{hears: true, fails: true, up: test.up, refusals: test.refusals}, at(now))
			}
			require.Len(t, log.Messages(), 1)
			require.Contains(t, log.Messages()[0].String(), "W! ")
			require.Contains(t, log.Messages()[0].Text, test.expected)
			l.Update(publishView{hears: true, up: true, refusals: test.refusals}, at(200))
			require.Equal(t, `I! [] What is published at "tcp://bus:1" comes back from the bus again`, log.Messages()[1].String())
		})
	}
}

// TestPublishingOnABusThatCannotBeHeard has the bus be away, which busLog says.
func TestPublishingOnABusThatCannotBeHeard(t *testing.T) {
	var log testutil.CaptureLogger
	l := publishLog{endpoint: "tcp://bus:1", log: &log}
	for now := range 300 {
		l.Update(publishView{hears: now > 200, fails: now < 210}, at(float64(now)))
	}
	require.Empty(t, log.Messages(), "nor when it is back")
}
