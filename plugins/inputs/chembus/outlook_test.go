package chembus

import (
	"testing"

	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"
)

func TestOutlookSaysEachChangeOnce(t *testing.T) {
	const up, down = true, false
	type state struct {
		observable, connected, maintenance, behind bool
		evidence                                   float64
	}
	var log testutil.CaptureLogger
	o := outlook{endpoint: "tcp://bus:1", patience: secs(3), log: &log}
	said := 0
	lines := func(now float64, s state) []string {
		o.Update(s.observable, s.connected, s.maintenance, s.behind, at(s.evidence), at(now))
		var texts []string
		for _, entry := range log.Messages()[said:] {
			texts = append(texts, entry.String())
		}
		said += len(texts)
		return texts
	}
	heard := func(now float64) state { return state{observable: up, connected: up, evidence: now} }
	deaf := func(connected bool) state { return state{connected: connected, evidence: 10} }

	require.Empty(t, lines(0, state{}), "patient at the start")
	require.Empty(t, lines(2.9, state{}))
	first := lines(3, state{})
	require.Len(t, first, 1)
	require.Contains(t, first[0], `W! [] No connection to the bus at "tcp://bus:1"`)
	require.Empty(t, lines(4, state{}))
	require.Empty(t, lines(5, state{connected: up}), "still blind")
	require.Equal(t, []string{`I! [] The bus at "tcp://bus:1" can be heard again, after 6s; that time counts as silence of nobody`},
		lines(6, heard(6)))
	require.Empty(t, lines(10, heard(10)))

	second := lines(14, deaf(up))
	require.Len(t, second, 1)
	require.Contains(t, second[0], "connected but forwards nothing")
	require.Empty(t, lines(15, deaf(down)))
	require.Contains(t, lines(70, heard(70))[0], "after 1m0s", "since the last evidence, not since it was noticed")

	require.Contains(t, lines(71, state{connected: up, maintenance: true, evidence: 70})[0], "W! [] The bus at \"tcp://bus:1\" is in maintenance")
	require.Empty(t, lines(80, state{connected: up, maintenance: true, evidence: 70}))
	require.Contains(t, lines(90, heard(90))[0], "after 20s")
	require.Contains(t, lines(91, state{connected: up, behind: true, evidence: 90})[0], "forwards more than can be taken in")
}

func TestOutlookOfABusThatIsThere(t *testing.T) {
	var log testutil.CaptureLogger
	o := outlook{endpoint: "tcp://bus:1", patience: secs(3), log: &log}
	o.Update(false, false, false, false, at(0), at(0))
	o.Update(true, true, false, false, at(1), at(1))
	o.Update(true, true, false, false, at(2), at(2))
	require.Len(t, log.Messages(), 1)
	require.Equal(t, `The bus at "tcp://bus:1" can be heard`, log.Messages()[0].Text)
}
