package consumer_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

func TestHistorianReadsEverything(t *testing.T) {
	bus, err := colony.NewBus(colony.BusConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, bus.Close()) })
	var mu sync.Mutex
	var topics []string
	var problems []consumer.Problem
	h, err := consumer.NewHistorian(consumer.HistorianConfig{XPub: bus.XPub(), OnMessage: func(r consumer.HistorianRecord) {
		mu.Lock()
		defer mu.Unlock()
		topics, problems = append(topics, r.Topic()), append(problems, r.Problem)
	}})
	require.NoError(t, err)
	p, err := colony.NewPublisher(bus.XSub())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	require.NoError(t, p.WaitSubscribed(limit(t), "anything"))

	heartbeat := colony.Heartbeat{Zooid: "a", Quirks: colony.Quirks{NaN: true}}.Payload()
	sent := []struct {
		frames  [][]byte
		problem consumer.Problem
	}{
		{[][]byte{[]byte("HEARTBEAT"), heartbeat}, ""},
		{[][]byte{[]byte("telegraf-chembus.probe.1"), []byte("12345")}, consumer.Unreadable},
		{[][]byte{[]byte("T"), nil}, consumer.Unreadable},
		{[][]byte{[]byte("T"), []byte("null")}, consumer.Unreadable},
		{[][]byte{[]byte("T"), []byte(`[{"signal":"T"}]`)}, consumer.Unreadable},
		{[][]byte{[]byte("T"), []byte("{\"signal\":\"\xff\"}")}, consumer.Unreadable},
		{[][]byte{[]byte("T"), []byte(`{"signal":"T"}`), nil}, consumer.Unreadable},
		{[][]byte{[]byte("T")}, consumer.Unreadable},
		{[][]byte{[]byte("N"), []byte(`{}`)}, consumer.Nameless},
		{[][]byte{[]byte("N"), []byte(`{"signal":null}`)}, consumer.Nameless},
		{[][]byte{nil, []byte(`{"signal":"of an empty topic"}`)}, ""},
	}
	for _, m := range sent {
		require.NoError(t, p.Send(m.frames...))
	}
	require.Eventually(t, func() bool { return h.Report().Messages == len(sent) }, patience, time.Millisecond)
	require.NoError(t, h.Close())
	require.NoError(t, h.Close())
	for i, m := range sent {
		require.Equal(t, m.problem, problems[i], "%q", m.frames)
		require.Equal(t, string(m.frames[0]), topics[i])
	}
	report := h.Report()
	require.Equal(t, 7, report.Errors)
	require.Equal(t, 2, report.Nameless)
	require.Equal(t, `["telegraf-chembus.probe.1" "12345"]`, report.ErrorExample, "the first")
	require.Equal(t, `["N" "{}"]`, report.NamelessExample)
	require.Contains(t, report.String(), "11 messages, 7 errors, 2 records without a name, such as [")
}
