package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/consumer"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

// monitoring are the quick options with state files for judge and voice.
const monitoring = `
[[inputs.chembus]]
  tick_interval = "200ms"
  blind_after = "1s"
  announce_as = ""

[[processors.liveness]]
  threshold = "3s"
  blind_after = "1s"
  report_interval = "1s"
  state_file = %q

[[outputs.chembus]]
  state_file = %q
`

func monitoringIn(dir string) string {
	return fmt.Sprintf(monitoring, filepath.Join(dir, "liveness.json"), filepath.Join(dir, "voice.json"))
}

// monitor is one of several Telegrafs on the scene's bus.
type monitor struct {
	scene  *scene
	host   string
	config telegraf.Config
	agent  *telegraf.Telegraf
}

// newMonitors returns a scene with a second Telegraf on its bus, and both of them as monitors.
func newMonitors(t *testing.T) (*scene, []*monitor) {
	s := newSceneWith(t, monitoringIn(t.TempDir()), "")
	first := &monitor{scene: s, host: "e2e", config: s.config, agent: s.telegraf}
	second := &monitor{scene: s, host: "m2", config: s.config}
	second.config.Agent = strings.Replace(s.config.Agent, `hostname = "e2e"`, `hostname = "m2"`, 1)
	require.NotEqual(t, first.config.Agent, second.config.Agent)
	second.config.Options = monitoringIn(t.TempDir())
	second.config.Dir = t.TempDir()
	second.start()
	t.Cleanup(func() {
		require.NoError(t, second.agent.Stop())
		if t.Failed() {
			t.Logf("the second telegraf said:\n%s", second.agent.Output())
		}
	})
	return s, []*monitor{first, second}
}

func (m *monitor) start() {
	var err error
	m.agent, err = telegraf.Start(m.config)
	require.NoError(m.scene, err)
	if m.host == "e2e" {
		m.scene.telegraf = m.agent
	}
}

func (m *monitor) kill() {
	require.NoError(m.scene, m.agent.Signal(syscall.SIGKILL))
	<-m.agent.Done()
}

// knows waits until the monitor has reported a zooid as up.
func (m *monitor) knows(zooid string) {
	m.scene.Helper()
	m.scene.wait(m.host+" knows "+zooid, func() bool {
		return m.scene.number(`SELECT last("up") AS value FROM liveness WHERE zooid = '%s' AND host = '%s'`, zooid, m.host) == 1
	})
}

// repeats waits until the monitor has repeated the level of a zooid's gap, and so its voice has got it.
func (m *monitor) repeats(zooid string) {
	m.scene.Helper()
	levels := func() float64 {
		return max(m.scene.number(`SELECT count("open") AS value FROM liveness_gap WHERE zooid = '%s' AND host = '%s'`, zooid, m.host), 0)
	}
	before := levels()
	m.scene.wait(m.host+" repeats the gap of "+zooid, func() bool { return levels() >= before+3 })
}

// handledOf returns what the consumer acted on because of a zooid.
func handledOf(gaps *consumer.Consumer, zooid string) []consumer.Message {
	var of []consumer.Message
	for _, m := range gaps.Handled() {
		if m.Facts["zooid"] == zooid {
			of = append(of, m)
		}
	}
	return of
}

// TestTwoMonitors lets two Telegrafs watch one colony, and kills one of them around each death: the
// incident is handled, and once, also when the killed one is back while it is still open.
func TestTwoMonitors(t *testing.T) {
	s, monitors := newMonitors(t)
	gaps := s.consumer()
	c := s.colony(12)
	names := c.Names()
	for _, m := range monitors {
		for _, name := range names {
			m.knows(name)
		}
	}

	const threshold = time.Duration(quickThreshold * float64(time.Second))
	// When a monitor is killed, after the death of a component; below zero: before it.
	moments := []time.Duration{-time.Second, 0, threshold / 2, threshold - 100*time.Millisecond, threshold + 100*time.Millisecond, threshold + 2*time.Second}
	for i, moment := range moments {
		zooid, victim, other := names[i], monitors[i%2], monitors[(i+1)%2]
		t.Logf("%s dies, %s is killed %v later", zooid, victim.host, moment)
		if moment < 0 {
			victim.kill()
			<-time.After(-moment)
		}
		require.NoError(t, c.Kill(zooid))
		if moment >= 0 {
			<-time.After(moment)
			victim.kill()
		}
		s.wait("the death is found", func() bool { return len(handledOf(gaps, zooid)) > 0 })
		other.repeats(zooid)
		victim.start()
		victim.repeats(zooid)
		require.NoError(t, c.Revive(zooid))
		for _, m := range monitors {
			m.knows(zooid)
		}
		for _, m := range handledOf(gaps, zooid) {
			t.Logf("handled: incident %s, %v", *m.IncidentID, m.Facts["gap_reason"])
		}
		require.Len(t, handledOf(gaps, zooid), 1)
	}
	require.Len(t, gaps.Handled(), len(moments))
}

// TestMonitorComesBackLate kills a monitor before a death, and starts it again when the consumers have
// forgotten what the other one told them.
func TestMonitorComesBackLate(t *testing.T) {
	s, monitors := newMonitors(t)
	gaps := s.consumer()
	c := s.colony(5)
	for _, m := range monitors {
		m.knows("audio_io")
	}
	monitors[0].kill()
	require.NoError(t, c.Kill("audio_io"))
	s.wait("the death is found", func() bool { return len(gaps.Handled()) > 0 })
	<-time.After(time.Until(gaps.Handled()[0].Received.Add(65 * time.Second))) // the consumers know it for 60 s
	monitors[0].start()
	monitors[0].repeats("audio_io")
	for _, m := range gaps.Handled() {
		t.Logf("handled: incident %s, %v", *m.IncidentID, m.Facts["gap_reason"])
	}
	require.Len(t, gaps.Handled(), 1)
}
