package colony_test

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// startColony starts a colony on a bus with a consumer that receives its beats from the first one.
func startColony(t *testing.T, config colony.Config) (*colony.Colony, *consumer.Consumer) {
	t.Helper()
	return startColonyOn(t, startBus(t), config)
}

// startColonyOn does the same on a bus of the test's own.
func startColonyOn(t *testing.T, bus *colony.Bus, config colony.Config) (*colony.Colony, *consumer.Consumer) {
	t.Helper()
	c := listen(t, bus, colony.Topic)
	config.XSub = bus.XSub()
	col, err := colony.New(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, col.Close()) })
	require.NoError(t, col.WaitSubscribed(limit(t), colony.Topic))
	return col, c
}

func beatsOf(received []consumer.Message, zooid string) []consumer.Message {
	var found []consumer.Message
	for _, m := range received {
		if m.Facts["zooid"] == zooid {
			found = append(found, m)
		}
	}
	return found
}

func beats(zooid string, n int) func([]consumer.Message) bool {
	return func(received []consumer.Message) bool { return len(beatsOf(received, zooid)) >= n }
}

func TestFirstBeatOfAStreamIsSentTwice(t *testing.T) {
	col, c := startColony(t, colony.Config{})
	require.NoError(t, col.Add(colony.Zooid{Name: "meta_agent", Niche: "consciousness", Streams: 3, DoubleTap: true}))
	require.NoError(t, c.Wait(limit(t), beats("meta_agent", 6)))

	copies := make(map[string]int)
	for _, m := range c.Received() {
		copies[string(m.Payload)]++
	}
	require.Len(t, copies, 3)
	for payload, n := range copies {
		require.Equal(t, 2, n, payload)
	}
}

func TestKillAndRevive(t *testing.T) {
	col, c := startColony(t, colony.Config{})
	require.NoError(t, col.Add(
		colony.Zooid{Name: "mortal", Interval: time.Millisecond, DoubleTap: true},
		colony.Zooid{Name: "other", Interval: time.Millisecond}))
	require.NoError(t, c.Wait(limit(t), beats("mortal", 10)))

	require.NoError(t, col.Kill("mortal"))
	died := seconds(time.Now())
	require.Equal(t, []string{"other"}, col.Names())
	require.NoError(t, c.Wait(limit(t), func(received []consumer.Message) bool {
		others := beatsOf(received, "other")
		return len(others) > 0 && others[len(others)-1].TS > died+0.2
	}))
	require.ErrorContains(t, col.Kill("mortal"), "already dead")
	require.ErrorContains(t, col.Revive("other"), "alive")
	require.ErrorContains(t, col.Kill("unknown"), `"unknown"`)

	revived := seconds(time.Now())
	require.NoError(t, col.Revive("mortal"))
	require.Equal(t, []string{"mortal", "other"}, col.Names())
	var before, after []consumer.Message
	require.NoError(t, c.Wait(limit(t), func(received []consumer.Message) bool {
		all := beatsOf(received, "mortal")
		first := slices.IndexFunc(all, func(m consumer.Message) bool { return m.TS > died })
		if first < 0 {
			return false
		}
		before, after = all[:first], all[first:]
		return len(after) >= 3
	}))
	for _, m := range before {
		require.LessOrEqual(t, m.TS, died)
	}
	require.GreaterOrEqual(t, after[0].TS, revived)
	require.GreaterOrEqual(t, seconds(col.LastBeat("mortal")), revived)
	require.Zero(t, col.LastBeat("unknown"))
	require.Equal(t, string(after[0].Payload), string(after[1].Payload), "the first beat of a new life is sent twice")
	require.NotEqual(t, string(after[1].Payload), string(after[2].Payload))
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

func TestSendersClock(t *testing.T) {
	var mu sync.Mutex
	now := time.Unix(1_795_446_803, 0)
	col, c := startColony(t, colony.Config{Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	require.NoError(t, col.Add(colony.Zooid{Name: "a", Niche: "n", Interval: time.Millisecond}))
	require.NoError(t, c.Wait(limit(t), atLeast(1)))
	require.Equal(t, `{"signal":"HEARTBEAT","ecosystem":"colony","intensity":1.0,`+
		`"facts":{"zooid":"a","niche":"n","uptime_s":1795446803.0,"processed_count":0},`+
		`"incident_id":null,"trace":null,"ts":1795446803.0,"schema_version":1,"channel":"legacy"}`,
		string(c.Received()[0].Payload))

	mu.Lock()
	now = now.Add(-time.Hour)
	mu.Unlock()
	require.NoError(t, c.Wait(limit(t), func(received []consumer.Message) bool {
		return received[len(received)-1].TS == 1_795_443_203
	}))
}

func TestProcessedCountRisesAndFalls(t *testing.T) {
	col, c := startColony(t, colony.Config{Seed: 7})
	require.NoError(t, col.Add(colony.Zooid{Name: "a", Interval: time.Millisecond, Jitter: 0.5}))
	require.NoError(t, c.Wait(limit(t), func(received []consumer.Message) bool {
		rose, fell := false, false
		for i := 1; i < len(received); i++ {
			step := received[i].Facts["processed_count"].(float64) - received[i-1].Facts["processed_count"].(float64)
			rose, fell = rose || step > 0, fell || step < 0
		}
		return rose && fell
	}))
}

func TestInvalidZooids(t *testing.T) {
	col, _ := startColony(t, colony.Config{})
	for _, bad := range []colony.Zooid{
		{}, {Name: "a", Interval: -1}, {Name: "a", Jitter: 1}, {Name: "a", Jitter: math.NaN()}, {Name: "a", Streams: -1},
	} {
		require.Error(t, col.Add(bad))
	}
	require.NoError(t, col.Add(colony.Field(1000)...))
	require.Len(t, col.Names(), 1000)
	require.ErrorContains(t, col.Add(colony.Zooid{Name: "meta_agent"}), "meta_agent")
	require.NoError(t, col.Close())
	require.NoError(t, col.Close())
}

func TestHeartbeatIsThatOfPython(t *testing.T) {
	beat := colony.Heartbeat{
		Zooid:          "meta_agent",
		Niche:          "consciousness",
		Uptime:         1795446803.157825,
		ProcessedCount: 12,
		TS:             1795446803.157842,
	}
	require.Equal(t, `{"signal":"HEARTBEAT","ecosystem":"colony","intensity":1.0,"facts":{"zooid":"meta_agent",`+
		`"niche":"consciousness","uptime_s":1795446803.157825,"processed_count":12},"incident_id":null,"trace":null,`+
		`"ts":1795446803.157842,"schema_version":1,"channel":"legacy"}`, string(beat.Payload()))

	beat.Zooid, beat.Quirks = "é日🧪\"\\\n\x7f", colony.Quirks{Integers: true, MissingKeys: true}
	require.Equal(t, `{"signal":"HEARTBEAT","ecosystem":"colony","intensity":1,`+
		`"facts":{"zooid":"\u00e9\u65e5\ud83e\uddea\"\\\n\u007f"},"ts":1795446803}`, string(beat.Payload()))

	beat.Zooid, beat.Niche, beat.Quirks = "a", "b", colony.Quirks{NaN: true}
	require.Equal(t, `{"signal":"HEARTBEAT","ecosystem":"colony","intensity":NaN,"facts":{"zooid":"a",`+
		`"niche":"b","uptime_s":Infinity,"processed_count":12},"incident_id":null,"trace":null,"ts":NaN,`+
		`"schema_version":1,"channel":"legacy"}`, string(beat.Payload()))
}

func TestReplay(t *testing.T) {
	bus := startBus(t)
	c := listen(t, bus, colony.Topic)
	p := connect(t, bus)
	require.NoError(t, p.WaitSubscribed(limit(t), colony.Topic))
	first := string(colony.Heartbeat{Zooid: "é", TS: 1.5}.Payload())
	recording := `{"t": 0.0, "event": "spawn", "zooid": "x"}
{"t": 0.2, "frames": ["HEARTBEAT", "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(first) + `"]}
{"t": 0.4, "frames": ["HEARTBEAT", "{ \"signal\" : 1 }"]}
`
	start := time.Now()
	sent, err := p.Replay(limit(t), strings.NewReader(recording), 2)
	require.NoError(t, err)
	require.Equal(t, 2, sent)
	require.GreaterOrEqual(t, time.Since(start), 200*time.Millisecond)
	require.NoError(t, c.Wait(limit(t), atLeast(2)))
	require.Equal(t, first, string(c.Received()[0].Payload))
	require.Equal(t, `{ "signal" : 1 }`, string(c.Received()[1].Payload))

	sent, err = p.Replay(limit(t), strings.NewReader(recording), math.Inf(1))
	require.NoError(t, err)
	require.Equal(t, 2, sent)
	_, err = p.Replay(limit(t), strings.NewReader("{}\nnot JSON"), 1)
	require.ErrorContains(t, err, "line 2")
	_, err = p.Replay(limit(t), strings.NewReader(""), 0)
	require.ErrorContains(t, err, "above 0")
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = p.Replay(canceled, strings.NewReader(`{"t":1e9,"frames":["a"]}`), 1)
	require.ErrorIs(t, err, context.Canceled)
}

func TestFloodKeepsItsRate(t *testing.T) {
	bus := startBus(t)
	c := listen(t, bus, colony.Topic)
	p := connect(t, bus)
	require.NoError(t, p.WaitSubscribed(limit(t), colony.Topic))
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	sent, err := colony.Flood(ctx, p, colony.FloodConfig{Names: 3, Rate: 1000})
	require.NoError(t, err)
	require.LessOrEqual(t, float64(sent), 1000*time.Since(start).Seconds())
	for _, name := range []string{"flood_0", "flood_1", "flood_2"} {
		require.NoError(t, c.Wait(limit(t), beats(name, 1)))
	}
	require.True(t, bytes.HasPrefix(c.Received()[0].Payload, []byte(`{"signal":"HEARTBEAT"`)))

	again, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = colony.Flood(again, p, colony.FloodConfig{Name: "loud", Rate: 1000})
	require.NoError(t, err)
	require.NoError(t, c.Wait(limit(t), beats("loud", 1)))
}
