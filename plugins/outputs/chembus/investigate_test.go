package chembus

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/testutil"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
	"github.com/kloros/telegraf-chembus/plugins/common/livenessgap"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

// investigator is a consumer of investigations. It handles each message, as the real one does.
func investigator(t *testing.T, b *colony.Bus) *consumer.Consumer {
	t.Helper()
	c, err := consumer.New(consumer.Config{XPub: b.XPub(), Topic: investigationTopic})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// questions waits for so many questions and returns the incidents that they are about.
func questions(t *testing.T, c *consumer.Consumer, count int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, c.Wait(ctx, func(received []consumer.Message) bool { return len(received) >= count }))
	var incidents []string
	for _, m := range c.Received() {
		incidents = append(incidents, m.Facts["context"].(map[string]any)["incident_id"].(string))
	}
	return incidents
}

func (c *ChemBus) investigated() investigationCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outbox.investigations.Counts()
}

func investigating(c *ChemBus) { c.Investigate = true }

func TestInvestigationOfAGap(t *testing.T) {
	b := startBus(t)
	gaps, c := listen(t, b), investigator(t, b)
	v := connect(t, b.XSub(), investigating)
	v.write(t, gapMetric("i", map[string]any{"zooid": "audio_io", "actions": `["Restart it"]`, "unit": "audio.service"}))
	require.Equal(t, []string{"i"}, questions(t, c, 1))
	received(t, gaps, "i")
	gap, m := gaps.Received()[0], c.Received()[0]
	require.Equal(t, "liveness.i", *m.IncidentID)
	facts := m.Facts
	require.Equal(t, gap.Facts, without(facts["context"].(map[string]any), "incident_id"))
	delete(facts, "context")
	require.Equal(t, map[string]any{
		"question_id": "liveness.i",
		"question":    `Why does "audio_io" send no heartbeats any more?`,
		"hypothesis":  `The process of "audio_io", or only its heartbeat thread, has ended.`,
		"evidence": []any{
			`no heartbeat from "audio_io" for 31.2 s, threshold 30 s`,
			"heartbeat_silence: no heartbeat for more than 30 s of the time in which the bus could be heard",
			"last heartbeat at 2026-11-23T15:13:23.878Z",
		},
		"capability_key": "heartbeat_audio_io",
		"priority":       "emergency",
		"source":         "telegraf-chembus",
	}, facts)
	require.Empty(t, v.warnings())
}

func without(facts map[string]any, name string) map[string]any {
	delete(facts, name)
	return facts
}

func TestQuestions(t *testing.T) {
	for _, test := range []struct {
		changes map[string]any
		want    string
	}{
		{nil, `Why does "of i" send no heartbeats any more?`},
		{map[string]any{"component": "host, of i"}, `Why does "host, of i" send no heartbeats any more?`},
		{map[string]any{"gap_type": gaptype.NeverSeen, "last_seen": 0.0}, `Why has "of i" never sent a heartbeat?`},
		{map[string]any{"gap_type": gaptype.Flapping}, `Why does "of i" fall silent again and again?`},
		{map[string]any{"gap_type": gaptype.Outage, "members": `["a"]`, "member_count": int64(7)}, "Why did 7 components fall silent at once?"},
	} {
		g, problem := gapOf(gapMetric("i", test.changes))
		require.Empty(t, problem)
		question, hypothesis := g.question()
		require.Equal(t, test.want, question)
		require.NotEmpty(t, hypothesis)
	}
}

// TestSeverityOfInvestigations publishes gaps of all severities, and of some that are none.
func TestSeverityOfInvestigations(t *testing.T) {
	t.Parallel()
	written := append([]string{"odd", ""}, severities...)
	for lowest, want := range map[string][]string{"": {"high", "critical"}, "low": severities, "critical": {"critical"}} {
		b := startBus(t)
		gaps, c := listen(t, b), investigator(t, b)
		v := connect(t, b.XSub(), func(c *ChemBus) {
			if c.Investigate = true; lowest != "" {
				c.InvestigateSeverity = lowest
			}
		})
		for _, severity := range written {
			v.write(t, gapMetric("of severity "+severity, map[string]any{"severity": severity}))
			received(t, gaps, "of severity "+severity)
			require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond)
		}
		questions(t, c, len(want))
		var asked []string
		for _, m := range c.Received() {
			asked = append(asked, m.Facts["context"].(map[string]any)["severity"].(string))
			require.Equal(t, priorities[asked[len(asked)-1]], m.Facts["priority"])
		}
		require.Equal(t, want, asked)
	}
}

// TestNoInvestigationWithoutTheOption has a consumer of investigations wait in vain.
func TestNoInvestigationWithoutTheOption(t *testing.T) {
	b := startBus(t)
	gaps, c := listen(t, b), investigator(t, b)
	v := connect(t, b.XSub(), func(c *ChemBus) { c.closeTimeout = forever })
	v.write(t, gapMetric("i", nil))
	received(t, gaps, "i")
	require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond)
	require.Zero(t, v.investigated(), "none is asked for, and none waits")
	v.close(t)
	p, err := colony.NewPublisher(b.XSub())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, p.WaitSubscribed(ctx, investigationTopic))
	require.NoError(t, p.Publish(colony.Signal{
		Name: investigationTopic, Facts: map[string]any{"context": map[string]any{"incident_id": "of somebody else"}},
	}))
	require.Equal(t, []string{"of somebody else"}, questions(t, c, 1))
}

// TestInvestigationLimit has more gaps in an hour than are investigated.
func TestInvestigationLimit(t *testing.T) {
	b := startBus(t)
	gaps, c := listen(t, b), investigator(t, b)
	v := connect(t, b.XSub(), func(c *ChemBus) { c.Investigate, c.InvestigateLimit, c.closeTimeout = true, 2, forever })
	for i := range 4 {
		v.write(t, gapMetric(fmt.Sprint(i), nil))
		received(t, gaps, fmt.Sprint(i))
		require.Eventually(t, func() bool { return v.pending() == 0 }, patience, time.Millisecond)
	}
	require.Equal(t, []string{"0", "1"}, questions(t, c, 2))
	require.EqualValues(t, 2, v.investigated().HeldBack)
	require.Equal(t, []string{
		`1 gaps are not investigated, the last that of "of 2": there are more than investigate_limit = 2 in an hour. ` +
			"Ask for an investigation by hand where one is needed",
	}, v.warnings(), "once a minute")

	// A restart does not begin a new hour.
	v.close(t)
	again := connect(t, b.XSub(), func(c *ChemBus) { c.Investigate, c.InvestigateLimit, c.StateFile = true, 2, v.StateFile })
	again.write(t, gapMetric("4", nil))
	received(t, gaps, "4")
	require.Eventually(t, func() bool { return again.pending() == 0 }, patience, time.Millisecond)
	require.EqualValues(t, 3, again.investigated().HeldBack)

	i := &again.outbox.investigations
	at := time.Now().Add(limitPeriod)
	again.mu.Lock()
	defer again.mu.Unlock()
	i.Acked(&gap{Level: livenessgap.Level{Severity: "high"}}, at)
	require.Equal(t, 1, i.Counts().Waiting, "an hour later")
	for range 3 {
		i.Acked(&gap{Level: livenessgap.Level{Severity: "high"}}, at)
	}
	require.Equal(t, 2, i.Counts().Waiting, "when nobody listened, no more are asked for at once later")
}

// TestInvestigationWaitsForItsConsumer has only a recorder of everything on the bus at first. The plugin is restarted
// meanwhile.
func TestInvestigationWaitsForItsConsumer(t *testing.T) {
	b := startBus(t)
	recorder, err := consumer.New(consumer.Config{XPub: b.XPub()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, recorder.Close()) })
	gaps := listen(t, b)
	keep := func(c *ChemBus) { c.Investigate, c.closeTimeout = true, forever }
	v := connect(t, b.XSub(), keep)
	v.write(t, gapMetric("i", nil))
	received(t, gaps, "i")
	require.Eventually(t, func() bool { return v.investigated().Waiting == 1 }, patience, time.Millisecond)
	v.close(t)
	again := connect(t, b.XSub(), keep, func(c *ChemBus) { c.StateFile = v.StateFile })
	require.Equal(t, investigationCounts{Waiting: 1}, again.investigated())
	c := investigator(t, b)
	require.Equal(t, []string{"i"}, questions(t, c, 1))
	again.write(t, gapMetric("i", nil), gapMetric("end", nil))
	require.Equal(t, []string{"i", "end"}, questions(t, c, 2))
	require.Equal(t, investigationCounts{Investigated: 2}, again.investigated())
	require.Empty(t, append(v.warnings(), again.warnings()...))
}

// TestWaitingInvestigationIsLogged asks at a time when nobody has listened for long.
func TestWaitingInvestigationIsLogged(t *testing.T) {
	c, log := standard()
	c.Investigate = true
	require.NoError(t, c.Init())
	s := publisher{plugin: c}
	c.outbox.investigations.Acked(&gap{Level: livenessgap.Level{Severity: "critical"}}, now)
	require.NoError(t, s.Investigate(false, now))
	require.Empty(t, log.Warnings())
	require.NoError(t, s.Investigate(false, now.Add(waitTolerance)))
	require.Len(t, log.Warnings(), 1)
	require.Contains(t, log.Warnings()[0], `1 investigations wait: nobody on the bus`)
}

// TestKilledBeforeAnInvestigationIsSent ends the process when the state file says that an investigation is begun. Nobody
// knows whether it was sent, so it is not sent again.
func TestKilledBeforeAnInvestigationIsSent(t *testing.T) {
	b := startBus(t)
	listen(t, b)
	c := investigator(t, b)
	s := newStepperOf(t, b.XSub(), investigating)
	require.NoError(t, s.openState())
	s.until(t, "the consumers show", func() bool { return s.listened() && s.publisher.out.Listeners.Has(investigationTopic) })
	require.NoError(t, s.Write([]telegraf.Metric{gapMetric("i", nil)}))
	recorded := func() bool {
		i := &s.outbox.investigations
		return len(i.waiting) == 1 && i.waiting[0].recorded
	}
	s.until(t, "the investigation is recorded", recorded)
	s.state.Close() // nothing is saved any more
	s.state = nil

	v := connect(t, b.XSub(), investigating, func(c *ChemBus) { c.StateFile = s.StateFile })
	require.Equal(t, investigationCounts{Lost: 1}, v.investigated())
	require.Len(t, v.warnings(), 1)
	require.Contains(t, v.warnings()[0], "1 investigations were about to be asked for when the plugin was killed")
	require.True(t, strings.HasSuffix(v.warnings()[0], ": i"))
	v.write(t, gapMetric("i", nil), gapMetric("end", nil))
	require.Equal(t, []string{"end"}, questions(t, c, 1))
}

// TestStoppedBeforeAnInvestigationIsSent stops the plugin at the same moment. It is known that nothing was sent.
func TestStoppedBeforeAnInvestigationIsSent(t *testing.T) {
	c, _ := standard()
	investigating(c)
	require.NoError(t, c.Init())
	i := &c.outbox.investigations
	i.Acked(&gap{Level: livenessgap.Level{Incident: "i", Severity: "critical"}}, now)
	i.waiting[0].Begun = now
	i.Interrupt()
	again, _ := standard()
	investigating(again)
	require.NoError(t, again.Init())
	require.NoError(t, again.outbox.Restore(saved(t, c.outbox)))
	require.Equal(t, investigationCounts{Waiting: 1}, again.investigated())
}

// TestUnsavedInvestigationIsNotSent has the state file fail.
func TestUnsavedInvestigationIsNotSent(t *testing.T) {
	c, _ := standard()
	investigating(c)
	require.NoError(t, c.Init())
	sent := 0
	s := publisher{plugin: c, send: func(bus.Message) error { sent++; return nil }}
	i := &c.outbox.investigations
	i.Acked(&gap{Level: livenessgap.Level{Incident: "i", Severity: "critical"}}, now)
	before := c.outbox.State()
	for range 3 {
		require.NoError(t, s.Investigate(true, now))
		i.Recorded(before.Investigations) // before it was begun
	}
	require.Zero(t, sent)
	i.Recorded(c.outbox.State().Investigations)
	require.NoError(t, s.Investigate(true, now))
	require.Equal(t, 1, sent)
}

func TestInvestigationNeedsAState(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "")
	if _, ok := statefile.Path("", stateName, testutil.Logger{}); ok {
		t.Skip("this machine has the default directory")
	}
	c, _ := standard()
	investigating(c)
	require.NoError(t, c.Init())
	require.ErrorContains(t, c.Connect(), "set state_file")
}

func TestInvestigationOptions(t *testing.T) {
	for name, set := range map[string]func(*ChemBus){
		"investigate_severity": func(c *ChemBus) { c.InvestigateSeverity = "urgent" },
		"investigate_limit":    func(c *ChemBus) { c.InvestigateLimit = 0 },
	} {
		c, _ := standard()
		set(c)
		var problem *option.Error
		require.ErrorAs(t, c.Init(), &problem)
		require.Equal(t, name, problem.Name)
		require.NotEmpty(t, problem.Allowed)
	}
	c, _ := standard()
	c.InvestigateLimit = 61
	require.ErrorContains(t, c.Init(), "use 1 to 60")
}

// TestTwoOutputsAskOnce has two outputs on a real bus find silences at the same moment.
func TestTwoOutputsAskOnce(t *testing.T) {
	t.Parallel()
	b := startBus(t)
	listen(t, b)
	c := investigator(t, b)
	of60 := func(c *ChemBus) { c.Investigate, c.InvestigateLimit = true, 60 }
	outputs := []*connected{connect(t, b.XSub(), of60), connect(t, b.XSub(), of60)}
	const rounds = 20
	for i := range rounds {
		findAll(t, outputs, fmt.Sprint("z", i))
	}
	questions(t, c, rounds)
	outputs[0].write(t, gapMetric("end", map[string]any{"zooid": "end"}))
	questions(t, c, rounds+1)
	asked := make(map[string]int)
	for _, m := range c.Received() {
		asked[m.Facts["capability_key"].(string)]++
	}
	require.Len(t, asked, rounds+1)
	require.Len(t, c.Received(), rounds+1, "%v", asked)
}

// TestOtherMonitor has the colony's own monitor publish its gaps, each twice.
func TestOtherMonitor(t *testing.T) {
	b := startBus(t)
	v := connect(t, b.XSub())
	p, err := colony.NewPublisher(b.XSub())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, p.WaitSubscribed(ctx, topic))
	publish := func(gapType, zooid string) {
		require.NoError(t, p.Publish(colony.Signal{
			Name: topic, Ecosystem: "interoception", Facts: map[string]any{"gap_type": gapType, "zooid": zooid},
		}))
	}
	publish("tool_missing", "screwdriver")
	for _, zooid := range []string{"a", "a", "b"} {
		publish("component_silent", zooid)
	}
	require.Eventually(t, func() bool { return len(v.warnings()) > 0 }, patience, time.Millisecond)
	c := listen(t, b)
	v.write(t, gapMetric("end", nil))
	received(t, c, "end")
	require.Len(t, v.warnings(), 1)
	require.Contains(t, v.warnings()[0],
		`Another monitor publishes gaps on "CAPABILITY_GAP", "component_silent" of "a" in ecosystem "interoception"`)
	require.Contains(t, v.warnings()[0], "Stop one of the two: InteroceptionDaemon, or [[outputs.chembus]]")
}
