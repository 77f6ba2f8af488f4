package chembus

import (
	"testing"

	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"
)

func TestEachChangeOfTheBusIsLoggedOnce(t *testing.T) {
	const up, down = true, false
	var log testutil.CaptureLogger
	o := busLog{endpoint: "tcp://bus:1", blindAfter: secs(3), log: &log}
	said := 0
	lines := func(now float64, v busView) []string {
		o.Update(v, at(now))
		var texts []string
		for _, entry := range log.Messages()[said:] {
			texts = append(texts, entry.String())
		}
		said += len(texts)
		return texts
	}
	heard := func(now float64) busView { return busView{observable: up, connected: up, evidence: at(now)} }
	deaf := func(connected bool) busView { return busView{connected: connected, evidence: at(10)} }

	require.Empty(t, lines(0, busView{evidence: at(0)}), "not at once at the start")
	require.Empty(t, lines(2.9, busView{evidence: at(0)}))
	first := lines(3, busView{evidence: at(0)})
	require.Len(t, first, 1)
	require.Contains(t, first[0], `W! [] No connection to the bus at "tcp://bus:1"`)
	require.Empty(t, lines(4, busView{evidence: at(0)}))
	require.Empty(t, lines(5, busView{connected: up, evidence: at(0)}), "still blind")
	require.Equal(t, []string{`I! [] The bus at "tcp://bus:1" can be heard again after 6s; that time is not counted as silence`},
		lines(6, heard(6)))
	require.Empty(t, lines(10, heard(10)))

	second := lines(14, deaf(up))
	require.Len(t, second, 1)
	require.Contains(t, second[0], "connected but forwards nothing")
	require.Empty(t, lines(15, deaf(down)))
	require.Contains(t, lines(70, heard(70))[0], "after 1m0s", "since the last evidence, not since it was noticed")

	require.Contains(t, lines(71, busView{connected: up, maintenance: true, evidence: at(70)})[0], "W! [] The bus at \"tcp://bus:1\" is in maintenance")
	require.Empty(t, lines(80, busView{connected: up, maintenance: true, evidence: at(70)}))
	require.Contains(t, lines(90, heard(90))[0], "after 20s")
	require.Contains(t, lines(91, busView{connected: up, behind: true, evidence: at(90)})[0], "forwards more than can be received")
}

func TestBusThatIsThereFromTheStart(t *testing.T) {
	var log testutil.CaptureLogger
	o := busLog{endpoint: "tcp://bus:1", blindAfter: secs(3), log: &log}
	o.Update(busView{evidence: at(0)}, at(0))
	o.Update(busView{observable: true, connected: true, evidence: at(1)}, at(1))
	o.Update(busView{observable: true, connected: true, evidence: at(2)}, at(2))
	require.Len(t, log.Messages(), 1)
	require.Equal(t, `The bus at "tcp://bus:1" can be heard`, log.Messages()[0].Text)
}
