package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// privatePrefix begins the topics on which monitors publish to themselves and to each other.
const privatePrefix = "telegraf-chembus."

// recording is a historian of the bus, and what it keeps of its messages.
type recording struct {
	*consumer.Historian

	mu      sync.Mutex
	private []consumer.HistorianRecord
	beat    time.Time // of the last heartbeat
	stalled time.Time // when heartbeats had been missing for longer than half a second
}

// historian starts a historian and waits until the bus has forwarded its subscription.
func (s *scene) historian() *recording {
	s.Helper()
	r := &recording{}
	var err error
	r.Historian, err = consumer.NewHistorian(consumer.HistorianConfig{XPub: s.bus.XPub(), OnMessage: r.record})
	require.NoError(s, err)
	s.Cleanup(func() { require.NoError(s, r.Close()) })
	p := s.publisher()
	require.NoError(s, p.WaitSubscribed(s.Context(), ""))
	return r
}

func (r *recording) record(m consumer.HistorianRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case strings.HasPrefix(m.Topic(), privatePrefix):
		r.private = append(r.private, m)
	case m.Topic() == colony.Topic:
		if m.Received.Sub(r.beat) > 500*time.Millisecond {
			r.stalled = m.Received
		}
		r.beat = m.Received
	}
}

// Private returns the private messages so far.
func (r *recording) Private() []consumer.HistorianRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.private)
}

// Topics returns the topics of the private messages so far.
func (r *recording) Topics() []string {
	topics := make(map[string]bool)
	for _, m := range r.Private() {
		topics[m.Topic()] = true
	}
	return slices.Sorted(maps.Keys(topics))
}

// Busy returns since when heartbeats have come without a break.
func (r *recording) Busy() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stalled
}

// requireReadable requires that the historian could read all messages, and that the private ones have all keys of ChemBus.
func (r *recording) requireReadable(t *testing.T) {
	t.Helper()
	report := r.Report()
	require.Zero(t, report.Errors, report)
	require.Zero(t, report.Nameless, report)
	require.NotZero(t, report.Messages)
	for _, m := range r.Private() {
		for _, key := range []string{
			"signal", "ecosystem", "intensity", "facts", "incident_id", "trace", "ts", "schema_version",
		} {
			require.Contains(t, m.Keys, key, "%q", m.Frames)
		}
		var signal string
		var facts map[string]any
		require.NoError(t, json.Unmarshal(m.Keys["signal"], &signal))
		require.Equal(t, m.Topic(), signal)
		require.NoError(t, json.Unmarshal(m.Keys["facts"], &facts), "%q", m.Frames)
	}
}

// otherMonitor starts a second Telegraf on the bus, with a state of its own.
func (s *scene) otherMonitor() *monitor {
	s.Helper()
	m := &monitor{config: s.config}
	m.config.Dir = s.TempDir()
	m.start(s.T)
	s.Cleanup(func() {
		require.NoError(s, m.Stop())
		if s.Failed() {
			s.Logf("the other telegraf said:\n%s", m.Output())
		}
	})
	s.wait("the second monitor is at work", func() bool {
		_, err := m.Plugin("output")
		return err == nil
	})
	return m
}

// TestHistorianReadsAll has two of our monitors, and one that is not ours, on a bus with a historian. A component dies and
// comes back.
func TestHistorianReadsAll(t *testing.T) {
	s := newScene(t, quick)
	r := s.historian()
	s.otherMonitor()
	other, err := colony.NewInteroception(s.bus.XSub(), s.bus.XPub(), quickThreshold*time.Second)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Close()) })
	gaps := s.consumer()
	c := s.colony(5)
	s.observe(quickThreshold)

	require.NoError(t, c.Kill("audio_io"))
	ours := func() (found []consumer.Message) {
		for _, m := range gaps.Received() {
			if m.Facts["gap_type"] == "heartbeat_missing" {
				found = append(found, m)
			}
		}
		return found
	}
	s.wait("the gap arrives", func() bool { return len(ours()) > 0 })
	s.wait("the gap of the other monitor arrives", func() bool { return len(gaps.Received()) > len(ours()) })
	s.observe(quickThreshold)
	require.NoError(t, c.Revive("audio_io"))
	s.waitForGap("audio_io", false)
	require.Equal(t, []string{"audio_io"}, zooidsOf(ours()), "once, by two monitors")

	t.Logf("the historian: %v; the private topics: %q", r.Report(), r.Topics())
	require.GreaterOrEqual(t, len(r.Topics()), 3, "the probes of two inputs and of an output")
	r.requireReadable(t)
}

// TestFewPrivateMessages counts the private messages of one monitor and of two, with the default options, on a bus with ten
// heartbeats a second and no gap.
func TestFewPrivateMessages(t *testing.T) {
	const window, perMonitor = 30 * time.Second, 6
	for monitors := 1; monitors <= 2; monitors++ {
		t.Run(fmt.Sprintf("%d monitors", monitors), func(t *testing.T) {
			s := newScene(t, "")
			r := s.historian()
			for range monitors - 1 {
				s.otherMonitor()
			}
			s.consumer()
			s.colonyOf(colony.Zooid{Name: "ten", Streams: 10})
			s.wait("every input has probed the bus", func() bool { return len(r.Topics()) >= monitors })
			s.observe(5) // what a monitor says when it joins the others is said by now

			start := time.Now()
			busy := func() time.Time { // since when the machine kept pace
				if stalled := r.Busy(); stalled.After(start) {
					return stalled
				}
				return start
			}
			require.Eventually(t, func() bool { return time.Since(busy()) >= window }, 10*window, poll,
				"ten heartbeats a second for %v", window)
			since := busy()
			topics := make(map[string]int)
			count := 0
			for _, m := range r.Private() {
				if age := m.Received.Sub(since); age >= 0 && age < window {
					topics[m.Topic()]++
					count++
				}
			}
			t.Logf("%d private messages in %v: %v", count, window, topics)
			require.LessOrEqual(t, count, perMonitor*monitors)
			require.GreaterOrEqual(t, count, 2*monitors, "a probe every 10 s, for the round trip")
			r.requireReadable(t)
		})
	}
}
