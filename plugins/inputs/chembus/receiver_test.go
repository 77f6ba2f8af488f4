package chembus

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// publisher returns a connection to the bus whose heartbeats the plugin, the only subscriber, hears, and of other topics.
func publisher(t *testing.T, b *colony.Bus, topics ...string) *colony.Publisher {
	t.Helper()
	p, err := colony.NewPublisher(b.XSub())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, topic := range append(topics, "HEARTBEAT") {
		require.NoError(t, p.WaitSubscribed(ctx, topic))
	}
	return p
}

func publish(t *testing.T, p *colony.Publisher, frames ...string) {
	t.Helper()
	message := make([][]byte, len(frames))
	for i, frame := range frames {
		message[i] = []byte(frame)
	}
	require.NoError(t, p.Send(message...))
}

// beatNow is the payload of a heartbeat sent now.
func beatNow(name string) string {
	now := bus.EpochSeconds(time.Now())
	return string(colony.Heartbeat{Zooid: name, Niche: "n", Uptime: now, ProcessedCount: 3, TS: now}.Payload())
}

// beatsOf sums what was reported of a zooid.
func beatsOf(acc *gate, name string) (beats, starts int64) {
	for _, m := range acc.named("chembus_heartbeat") {
		if m.Tags()["zooid"] == name {
			beats += m.Fields()["beats"].(int64)
			starts += m.Fields()["starts"].(int64)
		}
	}
	return beats, starts
}

// says reports whether a line of the log contains the text.
func says(c *ChemBus, text string) bool {
	return slices.ContainsFunc(c.Log.(*testutil.CaptureLogger).Messages(), func(entry testutil.Entry) bool {
		return strings.Contains(entry.Text, text)
	})
}

// requireLines checks that the plugin logged these lines, each once and in this order, and no others.
func requireLines(t *testing.T, c *ChemBus, expected []string) {
	t.Helper()
	var lines []string
	log := c.Log.(*testutil.CaptureLogger)
	require.True(t, holds(func() bool {
		lines = nil
		for _, entry := range log.Messages() {
			lines = append(lines, entry.String())
		}
		return len(lines) >= len(expected)
	}), "%q of %q", lines, expected)
	require.Len(t, lines, len(expected), "%q", lines)
	for i := range expected {
		require.Contains(t, lines[i], expected[i])
	}
}

func TestMetricsOfARealBus(t *testing.T) {
	b := startBus(t)
	c := onBus(b)
	c.AnnounceAs = ""
	acc := start(t, c)
	p := publisher(t, b, "governance.kill")
	before := time.Now()
	payload := beatNow("audio_io")
	publish(t, p, "HEARTBEAT", payload)
	publish(t, p, "HEARTBEAT", payload)
	publish(t, p, "HEARTBEAT_X", "{}")
	publish(t, p, "governance.kill", `{"reason":"test"}`)
	require.True(t, holds(func() bool {
		_, starts := beatsOf(acc, "audio_io")
		return starts == 1 && acc.HasMeasurement("chembus_kill")
	}))
	var fields map[string]any
	require.True(t, holds(func() bool {
		fields = eventually(t, c, observable(c))
		return fields["probe_rtt_s"] != nil
	}), "no probe came back")

	require.Equal(t, map[string]string{
		"observable": "bool", "connected": "bool", "probing": "bool", "suspended": "bool", "observed_s": "float64", "blind_s": "float64",
		"messages": "uint64", "bytes": "uint64", "heartbeats": "uint64", "duplicates": "uint64", "zooids": "int64",
		"rejected_topic": "uint64", "rejected_frames": "uint64", "rejected_oversize": "uint64", "rejected_json": "uint64",
		"rejected_no_zooid": "uint64", "rejected_bad_name": "uint64", "rejected_max_zooids": "uint64",
		"rejected_bad_signal": "uint64", "rejected_bounds": "uint64", "rejected_max_series": "uint64",
		"disconnects": "uint64", "probe_rtt_s": "float64", "publishing": "bool", "holes": "int64", "dropped": "uint64",
	}, typesOf(fields))
	require.EqualValues(t, 1, fields["heartbeats"])
	require.EqualValues(t, 1, fields["duplicates"])
	require.EqualValues(t, 1, fields["zooids"])
	require.EqualValues(t, 1, fields["rejected_topic"])
	require.Less(t, fields["probe_rtt_s"], patience.Seconds())

	metrics := acc.GetTelegrafMetrics()
	require.Equal(t, "chembus_tick", metrics[0].Name())
	var beat telegraf.Metric
	for _, m := range metrics {
		require.WithinRange(t, m.Time(), before.Add(-patience), time.Now())
		switch m.Name() {
		case "chembus_heartbeat":
			if beat == nil {
				beat = m
			}
		case "chembus_tick", "chembus_kill":
			types := typesOf(m.Fields())
			if m.Name() == "chembus_tick" {
				require.Equal(t, "int64", types["holes"])
				delete(types, "holes")
				delete(types, "hole_list") // of ticks after the first hole
				delete(types, "killed_s")  // of ticks after the kill signal
			}
			require.Equal(t, map[string]string{"observed_s": "float64", "run": "int64"}, types)
			require.WithinRange(t, time.Unix(0, fieldOf(t, m, "run").(int64)), before.Add(-patience), before)
			require.Equal(t, map[string]string{"endpoint": c.subscribeEndpoint}, m.Tags())
		default:
			require.Fail(t, "a metric that is not in the design", m.Name())
		}
	}
	require.Equal(t, map[string]string{"zooid": "audio_io", "niche": "n", "endpoint": c.subscribeEndpoint}, beat.Tags())
	require.Equal(t, map[string]string{
		"beats": "int64", "starts": "int64", "processed_count": "int64",
		"lag_s": "float64", "sent": "float64", "observed_s": "float64", "run": "int64",
	}, typesOf(beat.Fields()))
	require.InDelta(t, bus.EpochSeconds(before), fieldOf(t, beat, "sent"), patience.Seconds())
	require.InDelta(t, 0, fieldOf(t, beat, "lag_s"), patience.Seconds())
	require.EqualValues(t, 3, fieldOf(t, beat, "processed_count"))
}

func typesOf(fields map[string]any) map[string]string {
	types := make(map[string]string)
	for name, value := range fields {
		types[name] = fmt.Sprintf("%T", value)
	}
	return types
}

func TestProbeIsEvidenceOnAQuietBus(t *testing.T) {
	c := onBus(startBus(t))
	c.AnnounceAs = ""
	acc := start(t, c)
	fields := eventually(t, c, observable(c))
	require.True(t, holds(func() bool {
		later := busReport(t, c)
		return later["observed_s"].(float64) > fields["observed_s"].(float64)+0.1
	}), "the clock runs")
	fields = busReport(t, c)
	require.Zero(t, fields["heartbeats"])
	require.NotZero(t, fields["messages"])
	require.Contains(t, fields, "probe_rtt_s")
	require.True(t, holds(func() bool { return len(acc.named("chembus_tick")) > 2 }), "the clock is written")
	requireLines(t, c, []string{"Listening for", "can be heard"})
}

func TestPausedBusIsBlindnessAndSaidOnce(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	c := onBus(b)
	c.BlindAfter = config.Duration(2 * time.Second)
	acc := start(t, c)
	p := publisher(t, b)
	eventually(t, c, observable(c))
	publish(t, p, "HEARTBEAT", beatNow("audio_io"))
	require.True(t, holds(func() bool { n, _ := beatsOf(acc, "audio_io"); return n == 1 }))

	require.NoError(t, b.Pause())
	blind := eventually(t, c, map[string]any{"observable": false, "connected": true})
	publish(t, p, "HEARTBEAT", beatNow("audio_io"))
	require.True(t, holds(func() bool {
		return busReport(t, c)["blind_s"].(float64) > blind["blind_s"].(float64)+0.2
	}))
	require.Equal(t, blind["observed_s"], busReport(t, c)["observed_s"])
	require.NoError(t, b.Resume())
	after := eventually(t, c, observable(c))
	require.True(t, holds(func() bool { n, _ := beatsOf(acc, "audio_io"); return n == 2 }), "late, but a beat")
	require.GreaterOrEqual(t, after["blind_s"], 2.0)
	requireLines(t, c, []string{"I! [] Listening for", "I! [] The bus", "connected but forwards nothing", "can be heard again"})
}

func TestBusThatDiesAndComesBack(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	require.NoError(t, b.Kill())
	c := onBus(b)
	c.BlindAfter = config.Duration(2 * time.Second)
	acc := start(t, c)
	requireLines(t, c, []string{"Listening for", "W! [] No connection to the bus"})
	require.Equal(t, []any{false, false, 0.0, uint64(0)}, pick(busReport(t, c), "observable", "connected", "observed_s", "messages"))
	require.Len(t, acc.GetTelegrafMetrics(), 1, "nothing but the tick of 0")

	require.NoError(t, b.Restart())
	eventually(t, c, observable(c))
	require.NoError(t, b.Kill())
	fields := eventually(t, c, map[string]any{"observable": false, "connected": false})
	require.NotZero(t, fields["disconnects"])
	requireLines(t, c, []string{"Listening for", "No connection", "can be heard again", "No connection"})
	require.NoError(t, b.Restart())
	eventually(t, c, observable(c))
	publish(t, publisher(t, b), "HEARTBEAT", beatNow("audio_io"))
	require.True(t, holds(func() bool { n, _ := beatsOf(acc, "audio_io"); return n == 1 }))
	requireLines(t, c, []string{"Listening for", "No connection", "can be heard again", "No connection", "can be heard again"})
}

func pick(fields map[string]any, names ...string) []any {
	var values []any
	for _, name := range names {
		values = append(values, fields[name])
	}
	return values
}

func TestPassiveInputPublishesNothing(t *testing.T) {
	t.Parallel()
	for name, configure := range map[string]func(*ChemBus){
		"no endpoint":       func(c *ChemBus) { c.PublishEndpoint = "none" },
		"nothing to say":    func(c *ChemBus) { c.Probe, c.AnnounceAs = false, "" },
		"endpoint but mute": func(c *ChemBus) { c.Probe, c.AnnounceAs, c.PublishEndpoint = false, "", "tcp://127.0.0.1:1" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBus(t)
			c := onBus(b)
			configure(c)
			c.BlindAfter = config.Duration(2 * time.Second)
			acc := start(t, c)
			fields := eventually(t, c, map[string]any{"observable": true, "connected": true, "probing": false})
			require.True(t, holds(func() bool {
				return busReport(t, c)["observed_s"].(float64) > fields["observed_s"].(float64)+0.1
			}), "to be connected passes for evidence")
			fields = busReport(t, c)
			require.Zero(t, fields["messages"])
			require.NotContains(t, fields, "probe_rtt_s")
			publish(t, publisher(t, b), "HEARTBEAT", beatNow("audio_io"))
			require.True(t, holds(func() bool { n, _ := beatsOf(acc, "audio_io"); return n == 1 }))
			require.EqualValues(t, 1, busReport(t, c)["messages"])
			require.NoError(t, b.Kill())
			eventually(t, c, map[string]any{"observable": false, "connected": false})
		})
	}
}

func TestAnnouncementIsHeardOnTheBus(t *testing.T) {
	b := startBus(t)
	ctx, err := zmq.NewContext()
	require.NoError(t, err)
	sub, err := bus.NewSubscriber(ctx, b.XPub(), nil, 1<<20, "HEARTBEAT")
	require.NoError(t, err)
	t.Cleanup(func() {
		sub.Close(0)
		require.NoError(t, ctx.Term())
	})
	// The subscription has come through; the plugin's own would not tell.
	publisher(t, b)

	c := onBus(b)
	acc := start(t, c)
	var heard []string
	require.True(t, holds(func() bool {
		topic, payload, frames, err := sub.Receive()
		if err == nil {
			require.Equal(t, []any{"HEARTBEAT", 2}, []any{string(topic), frames})
			heard = append(heard, string(payload))
		}
		return len(heard) == 2
	}))
	require.Equal(t, heard[0], heard[1], "the copy")
	var message map[string]any
	require.NoError(t, json.Unmarshal([]byte(heard[0]), &message))
	require.Equal(t, "HEARTBEAT", message["signal"])
	facts := message["facts"].(map[string]any)
	require.Equal(t, "heartbeat_monitor", facts["zooid"])
	require.Less(t, facts["uptime_s"], patience.Seconds(), "an uptime, not the time")
	require.InDelta(t, bus.EpochSeconds(time.Now()), message["ts"], patience.Seconds())

	// It is a zooid like every other.
	require.True(t, holds(func() bool {
		_, starts := beatsOf(acc, "heartbeat_monitor")
		return starts == 1
	}))
	beat := acc.named("chembus_heartbeat")[0]
	require.Equal(t, map[string]string{"zooid": "heartbeat_monitor", "niche": "observability", "endpoint": c.subscribeEndpoint}, beat.Tags())
	require.True(t, beat.HasField("uptime_s"))
}

func TestStalledTelegrafOnARealBus(t *testing.T) {
	b := startBus(t)
	c := onBus(b)
	c.AnnounceAs = ""
	acc := start(t, c)
	p := publisher(t, b)
	eventually(t, c, observable(c))
	open := acc.close(t)
	shut := len(acc.GetTelegrafMetrics())
	const zooids, rounds = 20, 50
	for round := range rounds {
		for n := range zooids {
			publish(t, p, "HEARTBEAT", beatNow(fmt.Sprintf("z%d", n)))
		}
		// Receiving goes on. All at once would be more than the bus's queues hold.
		eventually(t, c, map[string]any{"heartbeats": uint64(zooids * (round + 1)), "observable": true})
	}
	// What waits is one entry a zooid.
	stalled := busReport(t, c)["observed_s"].(float64)
	require.True(t, holds(func() bool { return busReport(t, c)["observed_s"].(float64) > stalled+0.1 }))
	c.mu.Lock()
	require.LessOrEqual(t, len(c.collector.ready)+len(c.collector.coalesced), zooids)
	c.mu.Unlock()
	open()

	sum := func(metrics []telegraf.Metric) (sum int64) {
		for _, m := range metrics {
			if m.Name() == "chembus_heartbeat" {
				sum += m.Fields()["beats"].(int64)
			}
		}
		return sum
	}
	require.True(t, holds(func() bool { return sum(acc.GetTelegrafMetrics()) == zooids*rounds }))
	require.True(t, holds(func() bool {
		ticks := acc.named("chembus_tick")
		return ticks[len(ticks)-1].Fields()["observed_s"].(float64) > stalled
	}))
	after := acc.GetTelegrafMetrics()[shut:]
	for i, m := range after {
		if m.Name() == "chembus_tick" && m.Fields()["observed_s"].(float64) >= stalled {
			require.EqualValues(t, zooids*rounds, sum(after[:i]), "beats heard before come before")
			break
		}
	}
}

// Without a probe that comes back all evidence is beats, and each can come so late after the one before that it looks like
// the end of a stall. Ticks come nevertheless: without them the processor finds no gap.
func TestTicksOfABusThatIsHeardRarely(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	c := onBus(b)
	c.PublishEndpoint = "ipc://" + filepath.Join(t.TempDir(), "nobody")
	c.TickInterval, c.BlindAfter = config.Duration(50*time.Millisecond), config.Duration(time.Hour) // a machine that stalls makes no hole
	acc := start(t, c)
	p := publisher(t, b)
	const enough = 5
	require.True(t, holds(func() bool {
		<-time.After(2 * time.Duration(c.TickInterval)) // so rarely
		publish(t, p, "HEARTBEAT", beatNow("z"))
		return len(acc.named("chembus_tick")) >= enough
	}))
	ticks := acc.named("chembus_tick")
	require.Greater(t, ticks[enough-1].Fields()["observed_s"], ticks[enough-2].Fields()["observed_s"])
}

// A tick that is held back after a stall does not come before what has been received since and is not read yet: it may be
// beats that were sent in the stall.
func TestNoTickBeforeWhatIsNotRead(t *testing.T) {
	c := newPlugin()
	c.SubscribeEndpoint, c.PublishEndpoint = "ipc://"+filepath.Join(t.TempDir(), "xpub"), "none"
	require.NoError(t, c.Init())
	require.NoError(t, c.loop.Init())
	c.due, c.collector = sync.NewCond(&c.mu), newCollector(c, "", epoch)
	r := newReceiver(c, "")
	require.NoError(t, r.Open())
	s := c.collector
	s.Evidence(at(1))
	s.Take()
	s.Evidence(at(2.9))
	r.beats.more = true
	require.NoError(t, r.everyInterval(at(4)))
	require.False(t, s.Due())
	r.beats.more = false
	require.NoError(t, r.everyInterval(at(5)))
	require.True(t, s.Due())
	r.Close()
	require.NoError(t, c.loop.Stop(nil))
}

// While a socket cannot be opened the plugin says so and tries again.
func TestSocketsThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	for free := range 6 { // subscriber and publisher, both ends of the monitor of each
		t.Run(fmt.Sprintf("%d free", free), func(t *testing.T) {
			t.Parallel()
			c := onBus(b)
			require.NoError(t, c.Init())
			ctx, err := zmq.NewContext()
			require.NoError(t, err)
			const enough = 6
			require.NoError(t, ctx.SetMaxSockets(enough))
			var held []*zmq.Socket
			for range enough - free {
				socket, err := ctx.NewSocket(zmq.PAIR)
				require.NoError(t, err)
				held = append(held, socket)
			}
			c.loop.Context = ctx
			c.due = sync.NewCond(&c.mu)
			require.NoError(t, c.loop.Init())
			c.collector = newCollector(c, testProbe, time.Now())
			newReceiver(c, testProbe).start()
			t.Cleanup(c.Stop)

			log := c.Log.(*testutil.CaptureLogger)
			require.True(t, holds(func() bool { return len(log.Errors()) > 0 }))
			require.Contains(t, log.Errors()[0], "trying again in 1s")
			require.NotEqual(t, true, busReport(t, c)["connected"])
			for _, socket := range held {
				require.NoError(t, socket.Close())
			}
			eventually(t, c, observable(c))
		})
	}
}

func TestClosedSocketsAreNotConnected(t *testing.T) {
	c := newPlugin()
	c.collector = newCollector(c, "", epoch.Add(-time.Minute))
	c.collector.Evidence(time.Now())
	c.connected = true
	newReceiver(c, "").Close()
	require.Equal(t, []any{false, false}, pick(busReport(t, c), "connected", "observable"))
}

func TestWaitNeitherSpinsNorOversleeps(t *testing.T) {
	c := newPlugin()
	c.collector = newCollector(c, "", epoch)
	r := newReceiver(c, "")
	r.nextInterval = at(1)
	for now, expected := range map[float64]time.Duration{
		0:        time.Second,
		0.999999: time.Microsecond,
		1:        0,
		5:        -4 * time.Second,
	} {
		require.Equal(t, expected, r.wait(at(now)).Round(time.Microsecond), "at %v s", now)
	}
	require.False(t, r.announcing(), "without a publisher")
}
