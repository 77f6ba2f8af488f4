package chembus

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/influxdata/telegraf/config"
	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

func TestMaintenanceLastsFromItsFirstSignToItsLast(t *testing.T) {
	type step struct {
		sign   string
		active bool
	}
	for name, steps := range map[string][]step{
		"signals alone":       {{"suspend", true}, {"suspend", true}, {"resume", false}, {"resume", false}},
		"file alone":          {{"file", true}, {"file", true}, {"no file", false}},
		"as the colony does":  {{"suspend", true}, {"file", true}, {"no file", true}, {"resume", false}},
		"file lasts longer":   {{"suspend", true}, {"file", true}, {"resume", true}, {"no file", false}},
		"file was first":      {{"file", true}, {"suspend", true}, {"no file", true}, {"resume", false}},
		"resume without any":  {{"resume", false}, {"no file", false}, {"suspend", true}},
		"suspended once more": {{"suspend", true}, {"resume", false}, {"suspend", true}, {"no file", true}},
	} {
		t.Run(name, func(t *testing.T) {
			m := maintenance{limit: time.Hour}
			for i, s := range steps {
				switch s.sign {
				case "suspend":
					m.Announce(at(float64(i)))
				case "resume":
					m.Resume()
				default:
					m.Mark(s.sign == "file", at(float64(i)))
				}
				require.Equal(t, s.active, m.Active(), "%d: %s", i, s.sign)
				require.False(t, m.Expire(at(float64(i))))
			}
		})
	}
}

func TestMaintenanceThatIsForgottenEnds(t *testing.T) {
	m := maintenance{limit: 100 * time.Second}
	m.Mark(true, at(0))
	m.Announce(at(90))
	m.Announce(at(95))
	require.False(t, m.Expire(at(99.9)))
	require.True(t, m.Expire(at(100)), "counted from the first sign")
	require.False(t, m.Expire(at(101)), "said once")
	for now := 101.0; now < 300; now++ {
		m.Mark(true, at(now))
		require.False(t, m.Active(), "the same file is no new sign")
	}

	m.Announce(at(300))
	require.True(t, m.Active(), "a signal is")
	m.Mark(true, at(301))
	m.Resume()
	require.False(t, m.Active(), "and ends whatever the old file says")
	m.Announce(at(310))
	require.True(t, m.Expire(at(410)))
	m.Mark(true, at(411))
	require.False(t, m.Active())
	m.Mark(false, at(412))
	m.Mark(true, at(413))
	require.True(t, m.Active(), "a file that was gone is a new sign")
	require.False(t, m.Expire(at(512)))
	require.True(t, m.Expire(at(513)))
}

func sentAt(seconds float64) string {
	return fmt.Sprintf(`{"signal":"X","ecosystem":"governance","facts":{},"ts":%f}`, epochOf(seconds))
}

func TestClockStandsStillBetweenTheSignals(t *testing.T) {
	s := newTestCollector()
	s.Evidence(at(0))
	s.Evidence(at(1))
	require.Empty(t, s.signal(2, "MAINTENANCE_SUSPEND", sentAt(2)))
	require.True(t, s.maintenance.Active())
	for now := 3.0; now < 60; now++ {
		s.Evidence(at(now))
		require.False(t, s.EveryInterval(false, at(now)))
	}
	require.Equal(t, secs(2), s.clock.observed)
	require.Empty(t, s.signal(60, "MAINTENANCE_RESUME", sentAt(60)))
	require.False(t, s.maintenance.Active())
	s.Evidence(at(61))
	require.Equal(t, secs(2), s.clock.observed, "a hole up to the first evidence after it")
	s.Evidence(at(62))
	require.Equal(t, secs(3), s.clock.observed)

	// However short.
	holes := len(s.clock.holes)
	s.signal(62.5, "MAINTENANCE_SUSPEND", sentAt(62.5))
	s.signal(62.5, "MAINTENANCE_RESUME", sentAt(62.5))
	s.Evidence(at(63))
	require.Len(t, s.clock.holes, holes+1)
	require.Equal(t, secs(3.5), s.clock.observed)
}

// TestTicksSayWhenTheLastMaintenanceWasOver has a maintenance by signals, then one by the file that is forgotten.
func TestTicksSayWhenTheLastMaintenanceWasOver(t *testing.T) {
	s := newTestCollector()
	s.maintenance.limit = 100 * time.Second
	s.Evidence(at(0))
	s.Evidence(at(1))
	require.Equal(t, time.Duration(-1), s.Take().resumed)
	s.signal(2, "MAINTENANCE_SUSPEND", sentAt(2))
	s.Evidence(at(30))
	require.Equal(t, time.Duration(-1), s.Take().resumed, "it is not over")
	s.signal(60, "MAINTENANCE_RESUME", sentAt(60))
	s.EveryInterval(false, at(61))
	s.signal(62, "MAINTENANCE_RESUME", sentAt(62))
	r := s.Take()
	require.Equal(t, []time.Duration{secs(2), secs(58)}, []time.Duration{r.resumed, r.suspended}, "not of a second resume signal")

	s.Evidence(at(63))
	require.Equal(t, secs(3), s.clock.observed)
	s.EveryInterval(true, at(63))
	s.EveryInterval(true, at(162))
	require.Equal(t, secs(2), s.Take().resumed)
	require.True(t, s.EveryInterval(true, at(163)))
	r = s.Take()
	require.Equal(t, []time.Duration{secs(3), secs(100)}, []time.Duration{r.resumed, r.suspended})
}

// TestCopiesOfMaintenanceSignals has the second copy of each signal come after the other signal, since publishers
// repeat the first message of a topic.
func TestCopiesOfMaintenanceSignals(t *testing.T) {
	s := newTestCollector()
	s.signal(1, "MAINTENANCE_SUSPEND", sentAt(1))
	s.signal(1.1, "MAINTENANCE_RESUME", sentAt(1.1))
	s.signal(1.15, "MAINTENANCE_SUSPEND", sentAt(1))
	require.False(t, s.maintenance.Active())
	s.signal(1.2, "MAINTENANCE_SUSPEND", sentAt(1.2))
	s.signal(1.25, "MAINTENANCE_RESUME", sentAt(1.1))
	require.True(t, s.maintenance.Active())
	require.EqualValues(t, 2, s.counts.duplicates)
}

func TestMaintenanceSignalsThatAreNone(t *testing.T) {
	for payload, expected := range map[string]bus.Reject{
		"": bus.RejectJSON, "[]": bus.RejectJSON, `"x"`: bus.RejectJSON, "null": bus.RejectJSON,
		`{"x":"` + string(make([]byte, 64<<10)) + `"}`: bus.RejectOversize,
		"{}": "", `{"facts":[],"ecosystem":5}`: "",
	} {
		s := newTestCollector()
		require.Equal(t, expected, s.signal(1, "MAINTENANCE_SUSPEND", payload))
		require.Equal(t, expected == "", s.maintenance.Active())
		s.maintenance.Announce(at(1))
		require.Equal(t, expected, s.signal(2, "MAINTENANCE_RESUME", payload))
		require.Equal(t, expected != "", s.maintenance.Active())
	}
}

func TestMaintenanceSignalsThatAreOff(t *testing.T) {
	c := newPlugin()
	c.SuspendTopic, c.ResumeTopic = "", ""
	s := testCollector{newCollector(c, testProbe, epoch)}
	for _, topic := range []string{"MAINTENANCE_SUSPEND", "MAINTENANCE_RESUME", ""} {
		require.Equal(t, bus.RejectTopic, s.signal(1, topic, "{}"))
	}
	require.False(t, s.maintenance.Active())
}

func TestMaintenanceOfARealBus(t *testing.T) {
	b := startBus(t)
	c := onBus(b)
	c.SuspendTopic, c.ResumeTopic = "PAUSE", "GO_ON" // the options count
	c.MaintenanceFile = filepath.Join(t.TempDir(), "maintenance_mode")
	acc := start(t, c)
	p := publisher(t, b, "PAUSE", "GO_ON")
	eventually(t, c, observable(c))
	require.True(t, holds(func() bool { return says(c, "can be heard") }))

	publish(t, p, "PAUSE", "{}")
	before := eventually(t, c, map[string]any{"suspended": true, "observable": false})
	require.NoError(t, os.WriteFile(c.MaintenanceFile, nil, 0o600))
	require.True(t, holds(func() bool {
		during := busReport(t, c)
		return during["blind_s"].(float64) > before["blind_s"].(float64)+0.2
	}))
	publish(t, p, "GO_ON", "{}")
	require.True(t, holds(func() bool { return !announced(c) }), "the signal was heard")
	require.Equal(t, true, busReport(t, c)["suspended"], "the file is still there")
	require.Equal(t, before["observed_s"], busReport(t, c)["observed_s"])
	require.NoError(t, os.Remove(c.MaintenanceFile))
	eventually(t, c, map[string]any{"suspended": false, "observable": true})
	requireLines(t, c, []string{"Listening for", "can be heard", "is in maintenance", "can be heard again"})
	require.True(t, holds(func() bool {
		ticks := acc.named("chembus_tick")
		resumed, found := ticks[len(ticks)-1].GetField("resumed_s")
		lasted, _ := ticks[len(ticks)-1].GetField("suspended_s")
		return found && resumed == before["observed_s"] && lasted.(float64) > 0.2
	}), "each tick says when it was over")
}

func announced(c *ChemBus) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.collector.maintenance.announced
}

func TestMaintenanceThatIsForgottenOnARealBus(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	c := onBus(b)
	c.MaxSuspension = config.Duration(10 * time.Second) // a machine that stalls for longer shows no maintenance
	start(t, c)
	p := publisher(t, b, "MAINTENANCE_SUSPEND")
	require.True(t, holds(func() bool { return says(c, "can be heard") }))
	publish(t, p, "MAINTENANCE_SUSPEND", "{}")
	eventually(t, c, map[string]any{"suspended": true, "observable": false})
	eventually(t, c, map[string]any{"suspended": false, "observable": true})
	requireLines(t, c, []string{
		"Listening for", "can be heard", "is in maintenance",
		`W! [] Maintenance of the bus at "` + c.subscribeEndpoint + `" has lasted for max_suspension (10s), so missing heartbeats are reported again`,
		"can be heard again",
	})
	publish(t, p, "MAINTENANCE_SUSPEND", `{"again":1}`)
	eventually(t, c, map[string]any{"suspended": true, "observable": false})
}
