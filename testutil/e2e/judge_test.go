package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// remembering are options with which a component that beats every second is silent after four, every
// single death is an incident of its own, and the judge keeps its state in a file.
const remembering = `
[[inputs.chembus]]
  tick_interval = "200ms"
  blind_after = "1s"
  announce_as = ""

[[processors.liveness]]
  threshold = "4s"
  blind_after = "1s"
  report_interval = "2s"
  mass_count = 1000
  state_file = %q

[[outputs.chembus]]
`

// TestJudgeIsKilled kills the judge five times while twenty of two hundred components die. Every death
// must be one incident, found late at the worst, and no other.
func TestJudgeIsKilled(t *testing.T) {
	const crowd, deaths, kills = 200, 20, 5
	state := filepath.Join(t.TempDir(), "liveness.json")
	s := newScene(t, fmt.Sprintf(remembering, state))
	gaps := s.consumer()
	c := s.colony(crowd)

	names := c.Names()
	s.wait("the judge has saved all of them", func() bool {
		saved, err := os.ReadFile(state)
		return err == nil && !slices.ContainsFunc(names, func(name string) bool {
			return !bytes.Contains(saved, []byte(`"key":"`+name+`"`))
		})
	})
	var dead []string
	for i := range deaths {
		name := names[i*crowd/deaths]
		require.NoError(t, c.Kill(name))
		dead = append(dead, name)
		if i%(deaths/kills) == 1 {
			killPlugin("processor")(s, func() {})
		}
		<-time.After(500 * time.Millisecond) // the deaths are spread, as they would be
	}
	s.wait("every death is found", func() bool { return len(gaps.Handled()) >= deaths })
	s.observe(8)
	require.ElementsMatch(t, dead, zooidsOf(gaps.Handled()))
	for _, zooid := range dead {
		require.NoError(t, c.Revive(zooid))
	}
	for _, zooid := range dead {
		s.wait(zooid+" is up again", func() bool { return s.up(zooid) == 1 })
		s.waitForGap(zooid, false)
	}
	require.Len(t, gaps.Handled(), deaths)
}

// TestMassSilence kills 40 components at once.
func TestMassSilence(t *testing.T) {
	s := newScene(t, quick)
	gaps := s.consumer()
	c := s.colony(50)
	doomed := c.Names()[:40]
	for _, name := range doomed {
		require.NoError(t, c.Kill(name))
	}
	mass := func() []consumer.Message {
		var found []consumer.Message
		for _, m := range gaps.Received() {
			if m.Facts["gap_type"] == "heartbeat_mass_missing" {
				found = append(found, m)
			}
		}
		return found
	}
	s.wait("the mass incident arrives", func() bool { return len(mass()) > 0 })
	s.observe(2 * quickThreshold)
	require.Len(t, gaps.Received(), 6, "mass_count and one for the rest")
	require.Len(t, mass(), 1)
	var told []string
	for _, m := range gaps.Received() {
		if members, many := m.Facts["members"].([]any); many {
			for _, name := range members {
				told = append(told, name.(string))
			}
		} else {
			told = append(told, zooidsOf([]consumer.Message{m})...)
		}
	}
	require.ElementsMatch(t, doomed, told, "each is told of once")

	for _, name := range doomed {
		require.NoError(t, c.Revive(name))
	}
	s.wait("every gap is closed", func() bool {
		return s.number(`SELECT count("open") AS value FROM liveness_gap WHERE "open" = false`) == 6
	})
}

// TestAggregator gives Telegraf an aggregator, and so a second copy of the judge, behind it.
func TestAggregator(t *testing.T) {
	state := filepath.Join(t.TempDir(), "liveness.json")
	s := newSceneWith(t, fmt.Sprintf(remembering, state), `
[[aggregators.final]]
  period = "1s"
  keep_original_field_names = true
`)
	gaps := s.consumer()
	c := s.colony(10)
	copies := strings.Count(s.telegraf.Output(), "[processors.execd] Starting process")
	require.Equal(t, 2, copies, "Telegraf has not started a second copy; the test tests nothing")

	require.NoError(t, c.Kill("audio_io"))
	s.wait("the death is found", func() bool { return len(gaps.Received()) > 0 })
	s.observe(8)
	require.Equal(t, []string{"audio_io"}, zooidsOf(gaps.Received()), "told once, by one judge")
	require.NoError(t, c.Revive("audio_io"))
	s.wait("it is up again", func() bool { return s.up("audio_io") == 1 })
	require.Len(t, gaps.Received(), 1)
}

// TestRestartOfTelegraf stops Telegraf during an outage of a component and starts it again: the judge
// knows the incident, which is neither told twice nor left open.
func TestRestartOfTelegraf(t *testing.T) {
	s := newScene(t, fmt.Sprintf(remembering, filepath.Join(t.TempDir(), "liveness.json")))
	gaps := s.consumer()
	c := s.colony(5)
	require.NoError(t, c.Kill("audio_io"))
	s.wait("the death is found", func() bool { return len(gaps.Received()) > 0 })
	s.waitForGap("audio_io", true)
	incident := *gaps.Received()[0].IncidentID

	s.restart()
	require.NoError(t, c.Revive("audio_io"))
	s.waitForGap("audio_io", false)
	rows, err := s.influx.Query(database, `SELECT incident_id FROM liveness_gap`)
	require.NoError(t, err)
	for _, row := range rows {
		require.Equal(t, incident, row["incident_id"])
	}
	require.Len(t, gaps.Handled(), 1)
}
