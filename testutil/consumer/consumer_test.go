package consumer_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

const (
	topic    = "CAPABILITY_GAP"
	patience = 2 * time.Minute
)

// clock is a clock that a test advances.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// start returns a consumer and a publisher whose messages reach it.
func start(t *testing.T, config consumer.Config) (*consumer.Consumer, *colony.Publisher) {
	t.Helper()
	bus, err := colony.NewBus(colony.BusConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, bus.Close()) })
	config.XPub, config.Topic = bus.XPub(), topic
	c, err := consumer.New(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	p, err := colony.NewPublisher(bus.XSub())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	require.NoError(t, p.WaitSubscribed(limit(t), topic))
	return c, p
}

func atLeast(n int) func([]consumer.Message) bool {
	return func(received []consumer.Message) bool { return len(received) >= n }
}

func TestDuplicatesAreDropped(t *testing.T) {
	clk := &clock{now: time.Unix(0, 0)}
	c, p := start(t, consumer.Config{Now: clk.Now})
	sent := 0
	handled := func(incident string) bool {
		require.NoError(t, p.Send([]byte(topic), []byte(`{"incident_id":`+incident+`}`)))
		sent++
		require.NoError(t, c.Wait(limit(t), atLeast(sent)))
		return c.Received()[sent-1].Handled
	}
	require.True(t, handled(`"a"`))
	require.False(t, handled(`"a"`))
	require.True(t, handled(`"b"`))
	require.True(t, handled(`null`))
	require.True(t, handled(`null`))
	require.True(t, handled(`7`))
	require.True(t, handled(`7`))
	clk.step(60*time.Second - 1)
	require.False(t, handled(`"a"`))
	clk.step(1)
	require.True(t, handled(`"a"`))
	require.False(t, handled(`"a"`))
	require.Len(t, c.Handled(), 7)
	require.Equal(t, "a", *c.Handled()[0].IncidentID)
	require.Nil(t, c.Handled()[2].IncidentID)
}

func TestMessageIsDecoded(t *testing.T) {
	called := make(chan consumer.Message, 2)
	c, p := start(t, consumer.Config{OnMessage: func(m consumer.Message) { called <- m }})
	before := time.Now()
	payload := `{"signal":"CAPABILITY_GAP","ecosystem":"monitoring","intensity":1.5,` +
		`"facts":{"zooid":"NaN \"Infinity","last_seen":1.25,"odd":-Infinity},"incident_id":"i","trace":{"a":NaN},` +
		`"ts":2.5,"schema_version":1,"channel":"legacy","more":true}`
	require.NoError(t, p.Send([]byte(topic), []byte(payload)))
	require.NoError(t, p.Send([]byte(topic), []byte(`{"intensity":"high","facts":null}`)))
	require.NoError(t, c.Wait(limit(t), atLeast(2)))

	m := c.Received()[0]
	require.False(t, m.Received.Before(before))
	incident := "i"
	want := consumer.Message{
		Signal:        "CAPABILITY_GAP",
		Ecosystem:     "monitoring",
		Intensity:     1.5,
		Facts:         map[string]any{"zooid": `NaN "Infinity`, "last_seen": 1.25, "odd": nil},
		IncidentID:    &incident,
		Trace:         map[string]any{"a": nil},
		TS:            2.5,
		SchemaVersion: 1,
		Channel:       "legacy",
		Payload:       []byte(payload),
		Received:      m.Received,
		Handled:       true,
	}
	require.Equal(t, want, m)
	require.Equal(t, want, <-called)
	require.Zero(t, c.Received()[1].Intensity)
}

func TestInvalidMessagesAreDropped(t *testing.T) {
	var topics []string
	c, p := start(t, consumer.Config{OnDropped: func(frames [][]byte) { topics = append(topics, string(frames[0])) }})
	for _, frames := range [][][]byte{
		{[]byte(topic + "_X"), []byte(`{}`)},
		{[]byte(topic)},
		{[]byte(topic), []byte(`{}`), {}},
		{[]byte(topic), []byte(`not JSON`)},
		{[]byte(topic), []byte(`[]`)},
		{[]byte(topic), []byte(`null`)},
	} {
		require.NoError(t, p.Send(frames...))
	}
	require.NoError(t, p.Send([]byte(topic), []byte(`{}`)))
	require.NoError(t, c.Wait(limit(t), atLeast(1)))
	require.Equal(t, 6, c.Dropped())
	require.Len(t, c.Received(), 1)
	require.Len(t, c.Handled(), 1)
	require.NoError(t, c.Close())
	require.Equal(t, []string{topic + "_X", topic, topic, topic, topic, topic}, topics)
}

func TestWaitEnds(t *testing.T) {
	c, _ := start(t, consumer.Config{})
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, c.Wait(canceled, atLeast(1)), context.Canceled)
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	require.ErrorContains(t, c.Wait(limit(t), atLeast(1)), "closed")
}
