package e2e

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/consumer"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

// monitor is one Telegraf of several on a bus.
type monitor struct {
	config telegraf.Config
	*telegraf.Telegraf
}

// kill ends a monitor without warning, as the loss of its host would. Its plugins see the end of their input.
func (m *monitor) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, m.Signal(syscall.SIGKILL))
	<-m.Done()
	killed := m.Telegraf
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("a telegraf that was killed logged:\n%s", killed.Output())
		}
	})
}

func (m *monitor) start(t *testing.T) {
	t.Helper()
	var err error
	m.Telegraf, err = telegraf.Start(m.config)
	require.NoError(t, err)
}

// TestTwoMonitors runs two Telegrafs on one bus and kills one of them, or both in turn, at any moment while
// components die. Each death is handled once, by consumers that remember an incident for much less time
// than a monitor may be away.
func TestTwoMonitors(t *testing.T) {
	const rounds = 8
	s := newScene(t, fmt.Sprintf(remembering, ""))
	c := s.colony(2 * rounds)
	monitors := [2]*monitor{{config: s.config, Telegraf: s.telegraf}}
	other := s.config
	other.Dir = t.TempDir()
	monitors[1] = &monitor{config: other}
	monitors[1].start(t)
	t.Cleanup(func() {
		s.telegraf = monitors[0].Telegraf // which the scene ends
		require.NoError(t, monitors[1].Stop())
		if t.Failed() {
			t.Logf("the other telegraf logged:\n%s", monitors[1].Output())
		}
	})
	gaps := s.consumer()
	forgetful := s.forgetfulConsumer(10)
	// The pids of the plugins show that the second one is at work; what it finds goes to the same database.
	s.wait("the second monitor is at work", func() bool {
		_, err := monitors[1].Plugin("output")
		return err == nil
	})
	s.observe(2)

	random := rand.New(rand.NewPCG(1, 2))
	names := c.Names()
	var dead []string
	for i := range rounds {
		m := monitors[i%2]
		require.NoError(t, c.Kill(names[i]))
		dead = append(dead, names[i])
		// Before the death is found (4 s), while it is being published, or after that.
		<-time.After(time.Duration(2000+random.IntN(3000)) * time.Millisecond)
		m.kill(t)
		require.NoError(t, c.Kill(names[rounds+i]))
		dead = append(dead, names[rounds+i])
		<-time.After(time.Duration(random.IntN(6000)) * time.Millisecond)
		m.start(t)
		s.wait("the deaths are found", func() bool { return len(gaps.Handled()) >= len(dead) })
	}
	s.observe(12)
	for _, m := range gaps.Received() {
		t.Logf("%v handled %v: %s", m.Received.Format(time.StampMilli), m.Handled, m.Payload)
	}
	require.ElementsMatch(t, dead, zooidsOf(gaps.Handled()))
	require.ElementsMatch(t, dead, zooidsOf(forgetful.Handled()))
	for _, zooid := range dead {
		require.NoError(t, c.Revive(zooid))
	}
	for _, zooid := range dead {
		s.wait(zooid+" is up again", func() bool { return s.up(zooid) == 1 })
	}
	require.Len(t, gaps.Handled(), len(dead))
	require.Len(t, forgetful.Handled(), len(dead))
}

// forgetfulConsumer remembers an incident for so many times less than 60 s.
func (s *scene) forgetfulConsumer(times int) *consumer.Consumer {
	s.Helper()
	start := time.Now()
	c, err := consumer.New(consumer.Config{
		XPub: s.bus.XPub(), Topic: "CAPABILITY_GAP",
		Now: func() time.Time { return start.Add(time.Duration(times) * time.Since(start)) },
	})
	require.NoError(s, err)
	s.Cleanup(func() { require.NoError(s, c.Close()) })
	return c
}
