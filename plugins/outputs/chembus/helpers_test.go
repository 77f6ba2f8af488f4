package chembus

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/outputs"
	"github.com/influxdata/telegraf/testutil"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

const (
	topic = "CAPABILITY_GAP"
	// patience is what a condition gets on a machine that is busy with something else.
	patience = 2 * time.Minute
	// forever is longer than any test runs: what it delays shows as a failure.
	forever = time.Hour
)

// subscribeEndpoints are where to listen on a test's bus, by where to publish.
var subscribeEndpoints sync.Map

func startBus(t *testing.T) *colony.Bus {
	t.Helper()
	b, err := colony.NewBus(colony.BusConfig{})
	require.NoError(t, err)
	subscribeEndpoints.Store(b.XSub(), b.XPub())
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func listen(t *testing.T, b *colony.Bus) *consumer.Consumer {
	t.Helper()
	c, err := consumer.New(consumer.Config{XPub: b.XPub(), Topic: topic})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// standard returns the plugin as Telegraf makes it, before Init.
func standard() (*ChemBus, *testutil.CaptureLogger) {
	c := outputs.Outputs["chembus"]().(*ChemBus)
	log := &testutil.CaptureLogger{}
	c.Log = log
	return c, log
}

// at gives a plugin the endpoints of a test's bus, or one at which there is none, and a state file of
// its own.
func (c *ChemBus) at(t *testing.T, endpoint string) {
	c.PublishEndpoint, c.SubscribeEndpoint = endpoint, endpoint
	if xpub, ok := subscribeEndpoints.Load(endpoint); ok {
		c.SubscribeEndpoint = xpub.(string)
	}
	c.StateFile = filepath.Join(t.TempDir(), "output.json")
}

// connected is a plugin that is connected. It is closed at the end of the test, without waiting for
// anything.
type connected struct {
	*ChemBus
	log    *testutil.CaptureLogger
	closed bool
}

func connect(t *testing.T, endpoint string, configure ...func(*ChemBus)) *connected {
	t.Helper()
	c, log := standard()
	c.at(t, endpoint)
	for _, set := range configure {
		set(c)
	}
	require.NoError(t, c.Init())
	require.NoError(t, c.Connect())
	v := &connected{ChemBus: c, log: log}
	t.Cleanup(func() {
		if !v.closed {
			v.closeTimeout = 0
			v.close(t)
		}
	})
	return v
}

// close closes the plugin, which must end by itself.
func (v *connected) close(t *testing.T) {
	t.Helper()
	v.closed = true
	done := make(chan error, 1)
	go func() { done <- v.Close() }()
	returns(t, "Close", done)
}

// write hands metrics over, which must end by itself.
func (v *connected) write(t *testing.T, metrics ...telegraf.Metric) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- v.Write(metrics) }()
	returns(t, "Write", done)
}

func returns(t *testing.T, what string, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(patience):
		require.FailNow(t, what+" hangs")
	}
}

// warnings returns the texts of what was logged as a warning or an error.
func (v *connected) warnings() []string {
	var texts []string
	for _, e := range v.log.Messages() {
		if e.Level == testutil.LevelWarn || e.Level == testutil.LevelError {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// received waits for the incident, as the last of those published, and returns all that came up to it.
func received(t *testing.T, c *consumer.Consumer, last string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var incidents []string
	require.NoError(t, c.Wait(ctx, func(received []consumer.Message) bool {
		incidents = nil
		for _, m := range received {
			incidents = append(incidents, *m.IncidentID)
		}
		return slices.Contains(incidents, last)
	}))
	require.Zero(t, c.Dropped())
	return incidents
}
