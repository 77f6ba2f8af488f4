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

// remembering are options with a threshold of 4 s, an incident for every death, and a state file of the processor.
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

// TestProcessorIsKilled kills the processor five times while twenty of two hundred components die. Every death must be
// found once, possibly late.
func TestProcessorIsKilled(t *testing.T) {
	const components, deaths, kills = 200, 20, 5
	state := filepath.Join(t.TempDir(), "liveness.json")
	s := newScene(t, fmt.Sprintf(remembering, state))
	gaps := s.consumer()
	c := s.colony(components)

	names := c.Names()
	s.wait("the state has all components", func() bool {
		saved, err := os.ReadFile(state)
		return err == nil && !slices.ContainsFunc(names, func(name string) bool {
			return !bytes.Contains(saved, []byte(`"`+name+`"`))
		})
	})
	var dead []string
	for i := range deaths {
		name := names[i*components/deaths]
		require.NoError(t, c.Kill(name))
		dead = append(dead, name)
		if i%(deaths/kills) == 1 {
			killPlugin("processor")(s, func() {})
		}
		<-time.After(500 * time.Millisecond) // the deaths are not simultaneous
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

// TestOutage kills 40 components at once.
func TestOutage(t *testing.T) {
	s := newScene(t, quick)
	gaps := s.consumer()
	c := s.colony(50)
	victims := c.Names()[:40]
	for _, name := range victims {
		require.NoError(t, c.Kill(name))
	}
	outages := func() []consumer.Message {
		var found []consumer.Message
		for _, m := range gaps.Received() {
			if m.Facts["gap_type"] == "heartbeat_mass_missing" {
				found = append(found, m)
			}
		}
		return found
	}
	s.wait("the outage arrives", func() bool { return len(outages()) > 0 })
	s.observe(2 * quickThreshold)
	require.Len(t, gaps.Received(), 6, "mass_count single gaps and the outage")
	require.Len(t, outages(), 1)
	require.ElementsMatch(t, victims, reportedIn(gaps.Received()), "each is reported once")

	for _, name := range victims {
		require.NoError(t, c.Revive(name))
	}
	s.wait("every gap is closed", func() bool {
		return s.number(`SELECT count("open") AS value FROM liveness_gap WHERE "open" = false`) >= 6
	})
}

// reportedIn returns the components of gaps, also those that are a member of an outage.
func reportedIn(gaps []consumer.Message) []string {
	var reported []string
	for _, m := range gaps {
		if members, many := m.Facts["members"].([]any); many {
			for _, name := range members {
				reported = append(reported, fmt.Sprint(name))
			}
		} else {
			reported = append(reported, zooidsOf([]consumer.Message{m})...)
		}
	}
	return reported
}

// TestAggregator configures an aggregator, for which Telegraf starts a second copy of the processor.
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
	require.Equal(t, 2, copies, "Telegraf has started no second copy")

	require.NoError(t, c.Kill("audio_io"))
	s.wait("the death is found", func() bool { return len(gaps.Received()) > 0 })
	s.observe(8)
	require.Equal(t, []string{"audio_io"}, zooidsOf(gaps.Received()), "published once")
	require.NoError(t, c.Revive("audio_io"))
	s.wait("it is up again", func() bool { return s.up("audio_io") == 1 })
	require.Len(t, gaps.Received(), 1)
}

// TestRestartOfTelegraf restarts Telegraf while a component is dead. The gap keeps its incident_id, is published once and
// is closed afterwards.
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
	s.requireIncident(incident)
	require.Len(t, gaps.Handled(), 1)
}
