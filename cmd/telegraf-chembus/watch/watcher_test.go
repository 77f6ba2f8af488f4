package watch

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
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

// newPlugins makes the two plugins for a bus, quicker than by default; the judge's state is in a file.
func newPlugins(t *testing.T, bus *colony.Bus, state string) (*chembus.ChemBus, *liveness.Liveness) {
	t.Helper()
	sensor := inputs.Inputs["chembus"]().(*chembus.ChemBus)
	sensor.SubscribeEndpoint, sensor.PublishEndpoint = bus.XPub(), bus.XSub()
	sensor.TickInterval = config.Duration(100 * time.Millisecond)
	sensor.Log = testutil.Logger{Quiet: true}
	Configure(sensor)
	require.NoError(t, sensor.Init())
	return sensor, newJudge(t, state)
}

func newJudge(t *testing.T, state string) *liveness.Liveness {
	t.Helper()
	judge := processors.Processors["liveness"]().(*liveness.Liveness)
	judge.Threshold = config.Duration(5 * time.Second)
	judge.ReportInterval = config.Duration(time.Second)
	judge.StateFile = state
	judge.Log = testutil.Logger{Quiet: true}
	require.NoError(t, judge.Init())
	return judge
}

func startWatch(t *testing.T, bus *colony.Bus, state string) *Watcher {
	t.Helper()
	w, err := Start(newPlugins(t, bus, state))
	require.NoError(t, err)
	t.Cleanup(w.Stop)
	return w
}

// listen subscribes to everything on the bus, and waits until it does. What it returns receives the topics of
// what has come since it was called last.
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

// TestOnceOnAQuietBus shows that a healthy bus on which nobody speaks is observable.
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
	require.Contains(t, s.Notes[0], "Knows nothing from before")
}

// TestOnceWithoutABus shows that nobody waits for long for one that is not there.
func TestOnceWithoutABus(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	w := startWatch(t, bus, "")
	require.NoError(t, bus.Pause())
	s, err := w.Once(t.Context())
	require.NoError(t, err)
	require.False(t, s.Bus.Observable)
}

// TestWatchLooksOnly shows that nothing of a watch is on the bus but the probe, and that the judge's files
// stay as they are.
func TestWatchLooksOnly(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "liveness.json")
	judge := newJudge(t, state)
	var acc testutil.Accumulator
	require.NoError(t, judge.Start(&acc))
	feed(t, judge, bus.XPub(), "audio_io", 0, 6)
	feed(t, judge, bus.XPub(), "meta_agent", 6, 12)
	judge.Stop()
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
	require.Less(t, s.Zooids[1].SilenceS, 5.0, "the time between is silence of nobody")

	// It goes on judging by itself.
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

// TestOnceTellsTheLatest shows that what the judge at work finds while a watch listens is told.
func TestOnceTellsTheLatest(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	state := filepath.Join(t.TempDir(), "liveness.json")
	judge := newJudge(t, state)
	require.NoError(t, judge.Start(&testutil.Accumulator{}))
	defer judge.Stop()
	feed(t, judge, bus.XPub(), "audio_io", 0, 1)
	w := startWatch(t, bus, state)
	seen, err := w.Snapshot(time.Now())
	require.NoError(t, err)
	require.Equal(t, "up", seen.Zooids[0].State)

	feed(t, judge, bus.XPub(), "meta_agent", 2, 8) // audio_io is silent, and the state is saved
	later := time.Now().Add(time.Second)
	require.NoError(t, os.Chtimes(state, later, later)) // a file's time may be coarse
	seen, err = w.Once(t.Context())
	require.NoError(t, err)
	require.Equal(t, "audio_io", seen.Zooids[0].Name)
	require.Equal(t, "silent", seen.Zooids[0].State)
}

// feed lets a component beat each second of a sensor's clock, while the sensor ticks.
func feed(t *testing.T, judge *liveness.Liveness, endpoint, zooid string, from, to int) {
	t.Helper()
	var acc testutil.Accumulator
	for second := from; second <= to; second++ {
		for _, name := range []string{"chembus_heartbeat", "chembus_tick"} {
			tags := map[string]string{"endpoint": endpoint, "host": "telegraf", "zooid": zooid}
			require.NoError(t, judge.Add(metric.New(name, tags, map[string]any{"observed_s": float64(second)}, at), &acc))
		}
	}
}

// files is the content of a folder and when each file was changed.
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

// TestWatchHearsTheColony follows a component through its life.
func TestWatchHearsTheColony(t *testing.T) {
	t.Parallel()
	bus := startBus(t)
	w := startWatch(t, bus, "")
	c, err := colony.New(colony.Config{XSub: bus.XSub()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.Add(colony.Zooid{Name: "audio_io", Niche: "voice", Interval: 200 * time.Millisecond}))
	await := func(state string, condition func(z Zooid) bool) {
		require.Eventually(t, func() bool {
			s, err := w.Snapshot(time.Now())
			require.NoError(t, err)
			return len(s.Zooids) == 1 && s.Zooids[0].State == state && condition(s.Zooids[0])
		}, limit, poll, state)
	}
	await("up", func(z Zooid) bool {
		return z.Name == "audio_io" && z.Niche == "voice" && z.Heard && z.Beats > 5 && z.IntervalS != nil && z.LagS != nil
	})
	require.NoError(t, c.Kill("audio_io"))
	await("silent", func(z Zooid) bool { return z.SilenceS >= 5 && !z.Up })
	require.NoError(t, c.Revive("audio_io"))
	await("up", func(z Zooid) bool { return z.SilenceS < 5 && z.Gaps == 1 })
}
