package watch

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/metric"
	"github.com/influxdata/telegraf/plugins/inputs"
	"github.com/influxdata/telegraf/plugins/processors"
	"github.com/influxdata/telegraf/testutil"

	common "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/inputs/chembus"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
	"github.com/kloros/telegraf-chembus/testutil/colony"
)

const (
	limit = time.Minute
	poll  = 10 * time.Millisecond
)

func startBus(t *testing.T) *colony.Bus {
	t.Helper()
	bus, err := colony.NewBus(colony.BusConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, bus.Close()) })
	return bus
}

// newPlugins returns both plugins for a bus, with shorter times than by default.
func newPlugins(t *testing.T, bus *colony.Bus, state string) (*chembus.ChemBus, *liveness.Liveness, string) {
	t.Helper()
	input := inputs.Inputs["chembus"]().(*chembus.ChemBus)
	input.SubscribeEndpoint, input.PublishEndpoint = bus.XPub(), bus.XSub()
	input.TickInterval = config.Duration(100 * time.Millisecond)
	input.Log = testutil.Logger{Quiet: true}
	Configure(input)
	require.NoError(t, input.Init())
	return input, newProcessor(t, state), ""
}

func newProcessor(t *testing.T, state string) *liveness.Liveness {
	t.Helper()
	processor := processors.Processors["liveness"]().(*liveness.Liveness)
	processor.Threshold = config.Duration(5 * time.Second)
	processor.ReportInterval = config.Duration(time.Second)
	processor.StateFile = state
	processor.Log = testutil.Logger{Quiet: true}
	require.NoError(t, processor.Init())
	return processor
}

func startWatch(t *testing.T, bus *colony.Bus, state string) *Watcher {
	t.Helper()
	w, err := Start(newPlugins(t, bus, state))
	require.NoError(t, err)
	t.Cleanup(w.Stop)
	return w
}

// listen subscribes to everything on the bus and waits for the subscription. The returned function returns the topics
// received since its last call.
func listen(t *testing.T, bus *colony.Bus) func() []string {
	t.Helper()
	zctx, err := zmq.NewContext()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, zctx.Term()) })
	subscriber, err := common.NewSubscriber(zctx, bus.XPub(), nil, -1, "")
	require.NoError(t, err)
	t.Cleanup(func() { subscriber.Close(0) })
	publisher, err := colony.NewPublisher(bus.XSub())
	require.NoError(t, err)
	defer publisher.Close()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	require.NoError(t, publisher.WaitSubscribed(ctx, ""))
	return func() []string {
		var topics []string
		for {
			topic, _, _, err := subscriber.Receive()
			if common.Again(err) {
				return topics
			}
			require.NoError(t, err)
			topics = append(topics, string(topic))
		}
	}
}

// TestOnceOnAQuietBus requires that a bus without messages is observable.
func TestOnceOnAQuietBus(t *testing.T) {
	t.Parallel()
	w := startWatch(t, startBus(t), filepath.Join(t.TempDir(), "none.json"))
	s, err := w.Once(t.Context())
	require.NoError(t, err)
	require.True(t, s.Bus.Observable)
	require.NotNil(t, s.Bus.ProbeRTTS)
	require.GreaterOrEqual(t, s.Bus.ObservedS, 1.0)
	require.Empty(t, s.Zooids)
	require.Len(t, s.Notes, 1)
	require.Contains(t, s.Notes[0], "The processor has saved no state")
}

// TestOnceWithoutABus requires that Once returns if the bus does not forward.
func TestOnceWithoutABus(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	w := startWatch(t, bus, "")
	require.NoError(t, bus.Pause())
	s, err := w.Once(t.Context())
	require.NoError(t, err)
	require.False(t, s.Bus.Observable)
	require.True(t, s.Bus.Known)
	s, err = w.Snapshot(w.started)
	require.NoError(t, err)
	require.Equal(t, s.Bus.ObservedS > 0, s.Bus.Known, "nothing was heard, and it is too early")
}

// TestWatchChangesNothing requires that a watch publishes nothing but the probe and leaves the processor's files alone.
func TestWatchChangesNothing(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "liveness.json")
	processor := newProcessor(t, state)
	var acc testutil.Accumulator
	require.NoError(t, processor.Start(&acc))
	feed(t, processor, bus.XPub(), "audio_io", 0, 6)
	feed(t, processor, bus.XPub(), "meta_agent", 6, 12)
	processor.Stop()
	before := files(t, dir)
	receive := listen(t, bus)

	w := startWatch(t, bus, state)
	s, err := w.Once(t.Context())
	require.NoError(t, err)
	require.Empty(t, s.Notes)
	require.Equal(t, []string{"audio_io", "meta_agent"}, names(s.Zooids))
	require.Equal(t, "silent", s.Zooids[0].State)
	require.GreaterOrEqual(t, s.Zooids[0].SilenceS, 6.0)
	require.EqualValues(t, 7, s.Zooids[0].Beats)
	require.False(t, s.Zooids[0].Heard)
	require.Equal(t, "up", s.Zooids[1].State)
	require.Less(t, s.Zooids[1].SilenceS, 5.0, "the time between the runs is not counted as silence")

	// The watch goes on to find silence by itself.
	require.Eventually(t, func() bool {
		s, err := w.Snapshot(time.Now())
		require.NoError(t, err)
		return len(s.Zooids) == 2 && s.Zooids[0].State == "silent" && s.Zooids[1].State == "silent"
	}, limit, poll)
	require.Equal(t, before, files(t, dir))
	topics := receive()
	require.NotEmpty(t, topics, "the probe")
	for _, topic := range topics {
		require.Regexp(t, `^telegraf-chembus\.probe\.`, topic)
	}
}

// TestOnceShowsTheLatestState has the processor in Telegraf find a silence while the watch listens.
func TestOnceShowsTheLatestState(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	state := filepath.Join(t.TempDir(), "liveness.json")
	processor := newProcessor(t, state)
	require.NoError(t, processor.Start(&testutil.Accumulator{}))
	defer processor.Stop()
	feed(t, processor, bus.XPub(), "audio_io", 0, 1)
	w := startWatch(t, bus, state)
	seen, err := w.Snapshot(time.Now())
	require.NoError(t, err)
	require.Equal(t, "up", seen.Zooids[0].State)

	feed(t, processor, bus.XPub(), "meta_agent", 2, 8) // audio_io falls silent
	second := 9
	require.Eventually(t, func() bool {
		feed(t, processor, bus.XPub(), "meta_agent", second, second)
		second++
		saved, err := os.ReadFile(state)
		require.NoError(t, err)
		return strings.Contains(string(saved), `"silent"`)
	}, limit, poll, "the processor saves news within a second")
	later := time.Now().Add(time.Second)
	require.NoError(t, os.Chtimes(state, later, later)) // the file system may store coarse times
	seen, err = w.Once(t.Context())
	require.NoError(t, err)
	require.Equal(t, "audio_io", seen.Zooids[0].Name)
	require.Equal(t, "silent", seen.Zooids[0].State)
}

// feed passes a beat of a component and a tick to the processor for each second of the observation clock.
func feed(t *testing.T, processor *liveness.Liveness, endpoint, zooid string, from, to int) {
	t.Helper()
	var acc testutil.Accumulator
	for second := from; second <= to; second++ {
		for _, name := range []string{"chembus_heartbeat", "chembus_tick"} {
			tags := map[string]string{"endpoint": endpoint, "host": "telegraf", "zooid": zooid}
			require.NoError(t, processor.Add(metric.New(name, tags, map[string]any{"observed_s": float64(second)}, at), &acc))
		}
	}
}

// files returns the names, times and contents of the files in a folder.
func files(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var all []any
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		all = append(all, []any{e.Name(), info.ModTime(), content})
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return string(text)
}

// TestWatchFollowsAComponent watches a component that is killed and revived.
func TestWatchFollowsAComponent(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	w := startWatch(t, bus, "")
	c, err := colony.New(colony.Config{XSub: bus.XSub()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.Add(colony.Zooid{Name: "audio_io", Niche: "audio", Interval: 200 * time.Millisecond}))
	await := func(state string, condition func(z Zooid) bool) {
		require.Eventually(t, func() bool {
			s, err := w.Snapshot(time.Now())
			require.NoError(t, err)
			return len(s.Zooids) == 1 && s.Zooids[0].State == state && condition(s.Zooids[0])
		}, limit, poll, state)
	}
	await("up", func(z Zooid) bool {
		return z.Name == "audio_io" && z.Niche == "audio" && z.Heard && z.Beats > 5 && z.IntervalS != nil && z.LagS != nil
	})
	require.NoError(t, c.Kill("audio_io"))
	await("silent", func(z Zooid) bool { return z.SilenceS >= 5 && !z.Up })
	require.NoError(t, c.Revive("audio_io"))
	await("up", func(z Zooid) bool { return z.SilenceS < 5 && z.Gaps == 1 })
}
