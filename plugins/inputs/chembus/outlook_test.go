package chembus

import (
	"testing"

	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"
)

func TestOutlookSaysEachChangeOnce(t *testing.T) {
	const up, down = true, false
	var log testutil.CaptureLogger
	o := outlook{endpoint: "tcp://bus:1", patience: secs(3), log: &log}
	said := 0
	lines := func(now float64, v view) []string {
		o.Update(v, at(now))
		var texts []string
		for _, entry := range log.Messages()[said:] {
			texts = append(texts, entry.String())
		}
		said += len(texts)
		return texts
	}
	heard := func(now float64) view { return view{observable: up, connected: up, evidence: at(now)} }
	deaf := func(connected bool) view { return view{connected: connected, evidence: at(10)} }

	require.Empty(t, lines(0, view{evidence: at(0)}), "patient at the start")
	require.Empty(t, lines(2.9, view{evidence: at(0)}))
	first := lines(3, view{evidence: at(0)})
	require.Len(t, first, 1)
	require.Contains(t, first[0], `W! [] No connection to the bus at "tcp://bus:1"`)
	require.Empty(t, lines(4, view{evidence: at(0)}))
	require.Empty(t, lines(5, view{connected: up, evidence: at(0)}), "still blind")
	require.Equal(t, []string{`I! [] The bus at "tcp://bus:1" can be heard again, after 6s; that time counts as silence of nobody`},
		lines(6, heard(6)))
	require.Empty(t, lines(10, heard(10)))

	second := lines(14, deaf(up))
	require.Len(t, second, 1)
	require.Contains(t, second[0], "connected but forwards nothing")
	require.Empty(t, lines(15, deaf(down)))
	require.Contains(t, lines(70, heard(70))[0], "after 1m0s", "since the last evidence, not since it was noticed")

	require.Contains(t, lines(71, view{connected: up, maintenance: true, evidence: at(70)})[0], "W! [] The bus at \"tcp://bus:1\" is in maintenance")
	require.Empty(t, lines(80, view{connected: up, maintenance: true, evidence: at(70)}))
	require.Contains(t, lines(90, heard(90))[0], "after 20s")
	require.Contains(t, lines(91, view{connected: up, behind: true, evidence: at(90)})[0], "forwards more than can be taken in")
}

func TestOutlookOfABusThatIsThere(t *testing.T) {
	var log testutil.CaptureLogger
	o := outlook{endpoint: "tcp://bus:1", patience: secs(3), log: &log}
	o.Update(view{evidence: at(0)}, at(0))
	o.Update(view{observable: true, connected: true, evidence: at(1)}, at(1))
	o.Update(view{observable: true, connected: true, evidence: at(2)}, at(2))
	require.Len(t, log.Messages(), 1)
	require.Equal(t, `The bus at "tcp://bus:1" can be heard`, log.Messages()[0].Text)
}
