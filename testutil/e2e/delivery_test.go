package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// TestGapWaitsForAConsumer lets a component die while nobody listens: a consumer that comes 40 s later
// gets the gap, for the component is still silent. Telegraf collects what the output counts meanwhile.
func TestGapWaitsForAConsumer(t *testing.T) {
	state := filepath.Join(t.TempDir(), "output.json")
	s := newSceneWith(t, quick+fmt.Sprintf("  state_file = %q\n", state), fmt.Sprintf(`
[[inputs.file]]
  files = [%q]
  name_override = "chembus_output"
  data_format = "json"
  json_query = "counts"
  json_string_fields = ["publishing"]
`, state))
	c := s.colony(5)
	require.NoError(t, c.Kill("audio_io"))
	s.wait("the death is found", func() bool { return s.up("audio_io") == 0 })
	s.wait("Telegraf knows that a gap is pending", func() bool {
		return s.number(`SELECT last(pending) AS value FROM chembus_output`) == 1
	})
	require.Equal(t, true, s.value(`SELECT last(publishing) AS value FROM chembus_output`))
	s.wait("the log says so", func() bool { return strings.Contains(s.telegraf.Output(), "1 gaps wait: nobody on the bus") })

	gaps := s.consumer()
	subscribed := time.Now()
	s.wait("the gap arrives", func() bool { return len(gaps.Received()) > 0 })
	t.Logf("the gap arrived %.2f s after the consumer had subscribed", time.Since(subscribed).Seconds())
	s.observe(3) // the level is repeated
	require.Equal(t, []string{"audio_io"}, zooidsOf(gaps.Received()))
	s.wait("Telegraf knows that it was acked", func() bool {
		return s.number(`SELECT last(acked) AS value FROM chembus_output`) == 1 &&
			s.number(`SELECT last(pending) AS value FROM chembus_output`) == 0
	})
}

// TestGapOfAnOutageOfTheBus has the bus go while a death is being found: the gap arrives soon after the
// bus is back, once.
func TestGapOfAnOutageOfTheBus(t *testing.T) {
	v := newOutput(t)
	v.start()
	v.level("first")
	v.received("first")
	for i := range 5 {
		// Else it would have to be sent again, for nobody could know that it was received.
		v.acked()
		require.NoError(t, v.bus.Kill())
		incident := fmt.Sprint("outage ", i)
		v.level(incident)
		<-time.After(time.Second)
		require.NoError(t, v.bus.Restart())
		back := time.Now()
		v.received(incident)
		t.Logf("the gap arrived %.2f s after the bus was back", time.Since(back).Seconds())
		v.level(incident)
	}
	v.level("last")
	v.received("last")
	require.Len(t, v.gaps.Received(), 7, "nothing twice")
}

// TestOutputIsKilledBeforeTheAck kills the output a hundred times after it has published a gap and before
// its ack. Each is handled once.
func TestOutputIsKilledBeforeTheAck(t *testing.T) {
	const kills = 100
	v := newOutput(t)
	var all []string
	for i := range kills {
		v.start()
		for _, incident := range all {
			v.level(incident) // as the processor repeats what is open
		}
		before, between := fmt.Sprint("before ", i), fmt.Sprint("between ", i)
		all = append(all, before, between)
		v.level(before)
		v.received(before)
		// The bus takes what comes next, and forwards it when it goes on.
		require.NoError(t, v.bus.Pause())
		v.level(between)
		v.wait("it is published", func() bool { return strings.Contains(v.output.Output(), `incident "`+between+`"`) })
		require.NoError(t, v.output.Signal(syscall.SIGKILL))
		<-v.output.Done()
		require.NoError(t, v.bus.Resume())
	}
	v.start()
	for _, incident := range all {
		v.level(incident)
	}
	for _, incident := range all {
		v.received(incident)
	}
	v.level("last")
	v.received("last")
	var handled []string
	for _, m := range v.gaps.Handled() {
		handled = append(handled, *m.IncidentID)
	}
	require.ElementsMatch(t, append(all, "last"), handled)
	t.Logf("%d incidents, handled once each; %d messages were received", len(handled), len(v.gaps.Received()))
}

// TestRestartAfterTheReplayWindow ends Telegraf during an outage of a component and starts it again 90 s
// later, when consumers no longer know the incident.
func TestRestartAfterTheReplayWindow(t *testing.T) {
	s := newScene(t, strings.Replace(quick, "[[processors.liveness]]", "[[processors.liveness]]\n  mass_count = 1000", 1))
	gaps := s.consumer()
	c := s.colony(5)
	names := c.Names()
	before, between, after := names[0], names[1], names[2]
	require.NoError(t, c.Kill(before))
	s.wait("the death is found", func() bool { return len(gaps.Received()) == 1 })
	s.waitForGap(before, true)
	require.NoError(t, s.telegraf.Stop())
	require.NoError(t, c.Kill(between))
	<-time.After(90 * time.Second)
	s.startAgain()
	s.wait("who died meanwhile is found", func() bool { return len(gaps.Received()) == 2 })
	require.NoError(t, c.Kill(after))
	s.wait("who dies afterwards is found", func() bool { return len(gaps.Received()) == 3 })
	s.observe(2 * quickThreshold)
	require.Equal(t, []string{before, between, after}, zooidsOf(gaps.Received()), "each once, nothing repeated or forgotten")
	for _, zooid := range names[:3] {
		require.NoError(t, c.Revive(zooid))
		s.waitForGap(zooid, false)
	}
	require.Len(t, gaps.Received(), 3)
}

// outputOnBus is the output's process alone on a bus, fed with levels of gaps.
type outputOnBus struct {
	*scene
	gaps   *consumer.Consumer
	config string
	output *pluginProcess
}

func newOutput(t *testing.T) *outputOnBus {
	t.Helper()
	v := &outputOnBus{scene: newBus(t)}
	v.gaps = v.consumer()
	dir := t.TempDir()
	v.config = filepath.Join(dir, "chembus.conf")
	require.NoError(t, os.WriteFile(v.config, []byte("[[outputs.chembus]]\n"), 0o600))
	return v
}

// start starts the output; one that ran before must have ended.
func (v *outputOnBus) start() {
	v.Helper()
	v.output = v.plugin("output", v.config)
}

// level hands the level of an open incident over.
func (v *outputOnBus) level(incident string) {
	v.Helper()
	v.output.write(gapLevel(incident))
}

// acked waits until the output knows that all it was handed so far was forwarded.
func (v *outputOnBus) acked() {
	v.Helper()
	v.wait("nothing is pending", func() bool {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(v.config), "output.json"))
		var state struct {
			Counts struct{ Acked, Pending int }
		}
		return err == nil && json.Unmarshal(content, &state) == nil && state.Counts.Pending == 0 &&
			state.Counts.Acked == len(v.gaps.Received())
	})
}

// received waits until the consumer has received the incident.
func (v *outputOnBus) received(incident string) {
	v.Helper()
	v.wait(incident+" is received", func() bool {
		return slices.ContainsFunc(v.gaps.Received(), func(m consumer.Message) bool { return *m.IncidentID == incident })
	})
}
