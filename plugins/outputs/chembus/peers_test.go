package chembus

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/testutil"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// known returns notices of n components.
func known(t *testing.T, n int) *notices {
	t.Helper()
	s, err := newNotices(max(n, 1))
	require.NoError(t, err)
	for i := range n {
		s.Add(silenceOf(fmt.Sprint("incident ", i), fmt.Sprint("zooid ", i), 100, 30))
	}
	s.TakeNews()
	return &s
}

// nothing is under way.
func nothing() []notice { return nil }

// hear takes what another monitor said.
func hear(t *testing.T, p *peers, payload string) *peerMessage {
	t.Helper()
	said, own := p.Hear([]byte(payload))
	require.NotNil(t, said)
	require.False(t, own)
	return said
}

func TestPeersSayWhatIsNew(t *testing.T) {
	p, n := newPeers(), known(t, 3)
	messages, _ := p.Say(false, n, nothing, now)
	require.Empty(t, messages, "nobody would hear it")
	messages, next := p.Say(true, n, nothing, now)
	require.Zero(t, next)
	require.Equal(t, []peerMessage{{From: p.name, Ask: true, All: true, Told: n.All()}}, messages, "all, at first")
	messages, _ = p.Say(true, n, nothing, now)
	require.Empty(t, messages)

	g := silenceOf("new", "z", 100, 30)
	n.Add(g)
	messages, _ = p.Say(true, n, nothing, now)
	require.Equal(t, []peerMessage{{From: p.name, Told: g.notices()}}, messages)
	n.End(g)
	messages, _ = p.Say(true, n, nothing, now)
	require.Equal(t, []peerMessage{{From: p.name, Over: g.notices()}}, messages)

	p.Say(false, n, nothing, now)
	messages, _ = p.Say(true, n, nothing, now)
	require.True(t, messages[0].Ask, "others may have spoken meanwhile")
}

func TestPeersAnswer(t *testing.T) {
	p, n := newPeers(), known(t, 3)
	p.Say(true, n, nothing, now)
	ask, err := json.Marshal(peerMessage{From: "other", Ask: true})
	require.NoError(t, err)
	hear(t, &p, string(ask))
	messages, next := p.Say(true, n, nothing, now)
	require.Zero(t, next)
	require.Equal(t, []peerMessage{{From: p.name, All: true, Told: n.All()}}, messages)

	hear(t, &p, string(ask))
	messages, next = p.Say(true, n, nothing, now.Add(peerPause-1))
	require.Empty(t, messages, "who asks all the time is not answered all the time")
	require.Equal(t, now.Add(peerPause), next)
	messages, _ = p.Say(true, n, nothing, next)
	require.Len(t, messages[0].Told, 3)
}

func TestPeersIgnoreWhatIsOfNoUse(t *testing.T) {
	p := newPeers()
	ownQuestion, err := json.Marshal(peerMessage{From: p.name, Ask: true, All: true})
	require.NoError(t, err)
	_, own := p.Hear(ownQuestion)
	require.True(t, own)
	for _, payload := range []string{
		"", "{", "null", "[]", `"x"`, `{"ask":true}`, `{"from":1}`, `{"from":"x","told":{}}`, `{"from":"x","told":[{"until":"x"}]}`,
		`{"from":"x","told":[{"until":1e999}]}`, strings.Repeat("[", 20_000),
	} {
		said, _ := p.Hear([]byte(payload))
		require.Nil(t, said, payload)
	}
	messages, _ := p.Say(true, known(t, 0), nothing, now)
	require.True(t, messages[0].Ask)
	messages, _ = p.Say(true, known(t, 0), nothing, now)
	require.Empty(t, messages)
}

// TestPeersSpeakInPieces tells of so much that it takes several messages, of names that JSON makes long.
func TestPeersSpeakInPieces(t *testing.T) {
	s, err := newNotices(1000)
	require.NoError(t, err)
	longest := strings.Repeat("\x01", maxName-3)
	for i := range 50 {
		s.Add(silenceOf(fmt.Sprint("incident ", i), longest+fmt.Sprint(i), 100, 30))
	}
	s.Add(silenceOf("x", longest+"too long", 100, 30))
	p := newPeers()
	messages, _ := p.Say(true, &s, nothing, now)
	var heard []notice
	for i, m := range messages {
		payload, err := json.Marshal(m)
		require.NoError(t, err)
		require.Less(t, len(payload), receiveSize)
		require.Equal(t, i == 0, m.Ask)
		require.Equal(t, i == len(messages)-1, m.All)
		other := newPeers()
		heard = append(heard, hear(t, &other, string(payload)).Told...)
	}
	require.Greater(t, len(messages), 2)
	require.Equal(t, s.All(), heard)
	require.Len(t, heard, 50)
}

// TestTwoVoices has two monitors find the same silences.
func TestTwoVoices(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	first := connect(t, b.XSub())
	first.write(t, gapMetric("first", map[string]any{"zooid": "a"}))
	received(t, c, "first")
	require.Eventually(t, func() bool { return first.pending() == 0 }, patience, time.Millisecond)

	// One that starts later has missed the last beat, and what was told of it.
	second := connect(t, b.XSub())
	second.write(t, gapMetric("other id", map[string]any{"zooid": "a", "last_seen": 1795446800.0}))
	require.Eventually(t, func() bool { return second.counted().Known == 1 }, patience, time.Millisecond)
	// From now on each hears the other at once.
	for i := range 10 {
		speaker, hearer := first, second
		if i%2 == 1 {
			speaker, hearer = second, first
		}
		zooid := fmt.Sprint("z", i)
		speaker.write(t, gapMetric(fmt.Sprint("told ", i), map[string]any{"zooid": zooid}))
		require.Eventually(t, func() bool {
			hearer.mu.Lock()
			defer hearer.mu.Unlock()
			return hearer.outbox.notices.byComponent.Contains(zooid)
		}, patience, time.Millisecond)
		hearer.write(t, gapMetric(fmt.Sprint("again ", i), map[string]any{"zooid": zooid, "last_seen": 1795446800.0}))
		// It was back and is silent again: that is news, whoever says it.
		hearer.write(t, gapMetric(fmt.Sprint("news ", i), map[string]any{"zooid": zooid, "last_seen": 1795446900.0}))
		received(t, c, fmt.Sprint("news ", i))
	}
	require.Len(t, c.Received(), 1+2*10)
	require.Empty(t, first.warnings())
	require.Empty(t, second.warnings())
}

// TestPeersAfterAnOutage has a monitor be deaf while the other tells.
func TestPeersAfterAnOutage(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	s := newStepper(t, b.XSub())
	s.until(t, "the subscriber shows", s.listened)
	first := connect(t, b.XSub())
	for _, zooid := range []string{"a", "b"} {
		require.NoError(t, b.Kill())
		s.until(t, "the bus is seen to be away", func() bool { return !s.listened() })
		require.NoError(t, b.Restart())
		first.write(t, gapMetric("first "+zooid, map[string]any{"zooid": zooid}))
		received(t, c, "first "+zooid)
		require.Eventually(t, func() bool { return first.pending() == 0 }, patience, time.Millisecond)
		require.NoError(t, s.Write([]telegraf.Metric{gapMetric("second "+zooid, map[string]any{"zooid": zooid})}))
		s.until(t, "it is known", func() bool { return s.pending() == 0 })
	}
	require.Len(t, c.Received(), 2)
}

// TestHostilePeer says what no monitor says, in all forms and sizes.
func TestHostilePeer(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	v := connect(t, b.XSub())
	v.write(t, gapMetric("before", nil))
	received(t, c, "before")
	hostile, err := colony.NewPublisher(b.XSub())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, hostile.Close()) })
	topic := []byte(peerTopicPrefix + "CAPABILITY_GAP")
	for _, frames := range [][][]byte{
		{topic}, {topic, nil}, {topic, nil, nil}, {topic, []byte("{")}, {topic, []byte("\xff")},
		{append(topic, 'x'), []byte(`{"from":"x","told":[{"component":"of after","incident":"x","until":9e9}]}`)},
		{topic, []byte(`{"from":"x","told":[{"component":"of after","incident":"x","until":"9e9"}]}`)},
		{topic, []byte(strings.Repeat("[", receiveSize-100))},
		{topic, []byte(strings.Repeat(" ", 1<<20))}, // which costs the connection
	} {
		for range 2 * peerBurst {
			require.NoError(t, hostile.Send(frames...))
		}
	}
	v.write(t, gapMetric("after", nil))
	require.Equal(t, []string{"before", "after"}, received(t, c, "after"))
	require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond)
	require.Zero(t, v.counted().Known)
}

func TestPeersAreAwaited(t *testing.T) {
	p, n := newPeers(), known(t, 1)
	require.Zero(t, p.Awaited(0, now), "nobody is there")
	require.NotZero(t, p.Awaited(1, now), "they have not been asked yet")
	p.Say(true, n, nothing, now)
	require.Equal(t, now.Add(peerPatience), p.Awaited(1, now))
	require.Equal(t, now.Add(peerPatience), p.Awaited(1, now.Add(peerPatience-1)))
	require.Zero(t, p.Awaited(1, now.Add(peerPatience)), "it does not answer")
	require.Zero(t, p.Awaited(0, now), "it is gone")
	hear(t, &p, `{"from":"other","told":[{"component":"a","incident":"1","until":1}]}`)
	require.NotZero(t, p.Awaited(1, now), "that is news, and not all that it knows")
	hear(t, &p, `{"from":"other","all":true}`)
	require.Zero(t, p.Awaited(1, now))
	hear(t, &p, `{"from":"other","all":true}`)
	require.NotZero(t, p.Awaited(2, now), "the third has not answered")
	hear(t, &p, `{"from":"third","all":true}`)
	require.Zero(t, p.Awaited(2, now))
	p.Say(false, n, nothing, now)
	require.NotZero(t, p.Awaited(1, now), "it may have told something meanwhile")
}

// TestPeersAreBounded has somebody answer under more names than there can be monitors.
func TestPeersAreBounded(t *testing.T) {
	p := newPeers()
	for i := range 2 * maxPeers {
		p.Hear(fmt.Appendf(nil, `{"from":"%d","all":true}`, i))
	}
	require.Len(t, p.heard, maxPeers)
}

func TestStatusLog(t *testing.T) {
	log := &testutil.CaptureLogger{}
	s := statusLog{log: log}
	said := func() int { return len(log.Messages()) }
	require.Zero(t, s.Update(standing{}, now))
	require.Zero(t, said(), "nothing has happened")
	require.Zero(t, s.Update(standing{Pending: 1}, now))
	require.Contains(t, log.Messages()[0].Text, "pending 1")
	require.Equal(t, now.Add(statusInterval), s.Update(standing{Pending: 2}, now.Add(1)))
	require.Equal(t, 1, said(), "not more often than the judge reports")
	require.Zero(t, s.Update(standing{counts: counts{Published: 7}}, now.Add(statusInterval)))
	require.Equal(t, 2, said())
}

// TestFloodOfAnotherMonitor keeps the topic of the monitors full: gaps go out, and are confirmed.
func TestFloodOfAnotherMonitor(t *testing.T) {
	b := startBus(t)
	c := listen(t, b)
	v := connect(t, b.XSub())
	hostile, err := colony.NewPublisher(b.XSub())
	require.NoError(t, err)
	stop, stopped := make(chan struct{}), make(chan struct{})
	payloads := [][]byte{
		[]byte(`{"from":"x","ask":true,"told":[` + strings.Repeat("{},", 15_000) + "{}]}"),
		[]byte(strings.Repeat(" ", receiveSize+1)), // which costs the connection
	}
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				_ = hostile.Send([]byte(peerTopicPrefix+"CAPABILITY_GAP"), payloads[i%len(payloads)])
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped; require.NoError(t, hostile.Close()) })
	for i := range 3 {
		incident := fmt.Sprint(i)
		v.write(t, gapMetric(incident, nil))
		received(t, c, incident)
		require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond, "it is confirmed")
	}
}
