package chembus

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
)

// deadEndpoint returns an endpoint where something accepts connections and never says a word.
func deadEndpoint(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return "tcp://" + listener.Addr().String()
}

// floodSize gaps of 16 KB are more than all queues between the output and a paused bus hold: 1000 on each side, and what the
// system buffers for a connection, which may be 36 MB.
const floodSize = 6000

func flood() []telegraf.Metric {
	metrics := make([]telegraf.Metric, 0, floodSize)
	padding := strings.Repeat("x", 16<<10)
	for i := range cap(metrics) {
		metrics = append(metrics, gapMetric(fmt.Sprint(i), map[string]any{"severity": padding}))
	}
	return metrics
}

func TestNeitherWriteNorCloseHangs(t *testing.T) {
	paused := func(t *testing.T) string {
		b := startBus(t)
		c := listen(t, b)
		// The subscription has come through once this is heard; then nothing moves any more.
		v := connect(t, b.XSub())
		v.write(t, gapMetric("through", nil))
		received(t, c, "through")
		require.NoError(t, b.Pause())
		return b.XSub()
	}
	for _, test := range []struct {
		name     string
		endpoint func(*testing.T) string
	}{
		{"dead bus", deadEndpoint},
		{"no bus", func(t *testing.T) string {
			b := startBus(t)
			require.NoError(t, b.Kill())
			return b.XSub()
		}},
		{"no such host", func(*testing.T) string { return "tcp://no-such-host.invalid:5558" }},
		{"nobody listens", func(t *testing.T) string { return startBus(t).XSub() }},
		{"paused bus", paused},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := connect(t, test.endpoint(t), func(c *ChemBus) { c.closeTimeout = 50 * time.Millisecond })
			v.write(t, flood()...)
			v.write(t, gapMetric("last", nil))
			v.close(t)
			require.Contains(t, fmt.Sprint(v.warnings()), fmt.Sprintf("Stopped with %d gaps that were not published, or got no ack", floodSize+1))
		})
	}
}

// TestCloseOnFullPipes has the bus stop when the output knows of subscribers, so that much is on its way
// and the rest can not be sent.
func TestCloseOnFullPipes(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	v := connect(t, b.XSub(), func(c *ChemBus) { c.closeTimeout = 50 * time.Millisecond })
	v.write(t, gapMetric("through", nil))
	received(t, c, "through")
	require.NoError(t, b.Pause())
	v.write(t, flood()...)
	v.close(t)
	require.Contains(t, fmt.Sprint(v.warnings()), "gaps that were not published, or got no ack")
}

func TestCloseWaitsForNothingWithoutNeed(t *testing.T) {
	b := startBus(t)
	for _, endpoint := range []string{b.XSub(), deadEndpoint(t)} {
		v := connect(t, endpoint, func(c *ChemBus) { c.closeTimeout = forever })
		v.close(t)
		require.Empty(t, v.warnings())
	}

	c := listen(t, b)
	v := connect(t, b.XSub(), func(c *ChemBus) { c.closeTimeout = forever })
	v.write(t, gapMetric("a", nil))
	v.close(t)
	require.Equal(t, []string{"a"}, received(t, c, "a"), "what was pending at Close is published")
	require.Empty(t, v.warnings())

	v = connect(t, b.XSub(), func(c *ChemBus) { c.closeTimeout = forever })
	v.write(t, gapMetric("b", nil))
	received(t, c, "b")
	require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond)
	v.close(t)
}

func TestCloseWaitsForSubscriber(t *testing.T) {
	b := startBus(t)
	v := connect(t, b.XSub(), func(c *ChemBus) { c.closeTimeout = forever })
	v.write(t, gapMetric("a", nil), gapMetric("b", nil))
	v.closed = true
	closed := make(chan error, 1)
	go func() { closed <- v.Close() }()
	require.Eventually(t, v.loop.Stopping, patience, time.Millisecond)
	c := listen(t, b)
	returns(t, "Close", closed)
	require.Equal(t, []string{"a", "b"}, received(t, c, "b"))
}

func TestWriteDuringClose(t *testing.T) {
	b := startBus(t)
	listen(t, b)
	for range 20 {
		v := connect(t, b.XSub(), func(c *ChemBus) { c.closeTimeout = time.Millisecond })
		var writers sync.WaitGroup
		for i := range 4 {
			writers.Go(func() {
				for n := range 50 {
					_ = v.Write([]telegraf.Metric{gapMetric(fmt.Sprint(i, " ", n), nil)})
				}
			})
		}
		v.close(t)
		writers.Wait()
	}
}
