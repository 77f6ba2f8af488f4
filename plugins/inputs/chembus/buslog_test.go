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
	require.Empty(t, lines(11, deaf(down)), "a connection that is back soon")
	require.Empty(t, lines(12, heard(10)))

	second := lines(14, deaf(up))
	require.Len(t, second, 1)
	require.Contains(t, second[0], "connected but forwards nothing")
	require.Empty(t, lines(15, deaf(down)))
	require.Contains(t, lines(70, heard(70))[0], "after 1m0s", "since the last evidence, not since it was noticed")

	require.Contains(t, lines(71, busView{connected: up, maintenance: true, evidence: at(70)})[0], "W! [] The bus at \"tcp://bus:1\" is in maintenance")
	require.Empty(t, lines(80, busView{connected: up, maintenance: true, evidence: at(70)}))
	require.Contains(t, lines(90, heard(90))[0], "after 20s")
	require.Contains(t, lines(93, busView{connected: up, behind: true, evidence: at(90)})[0], "forwards more than can be received")
}

func TestDefaultEndpointsWithoutAConnection(t *testing.T) {
	for name, test := range map[string]struct {
		subscribe, publish     bool // default
		subscribed, published  float64
		expected, notMentioned string
	}{
		"nothing there":        {true, true, 99, 99, `subscribe_endpoint "tcp://127.0.0.1:5559" for 30s`, "default publish_endpoint"},
		"publisher only":       {true, true, 1, 99, `publish_endpoint "tcp://127.0.0.1:5558" for 30s`, "default subscribe_endpoint"},
		"configured":           {false, false, 99, 99, "", ""},
		"in time":              {true, true, 29, 29, "", ""},
		"subscriber by itself": {true, false, 99, 0, `subscribe_endpoint "tcp://127.0.0.1:5559"`, "default publish_endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			var log testutil.CaptureLogger
			h := portHint{subscribe: test.subscribe, publish: test.publish, started: at(0), log: &log}
			for now := 0.0; now < 90; now++ {
				// Once it was there the endpoint is the right one.
				h.Update(now == test.subscribed, now == test.published, at(now))
				if now < 30 {
					require.Empty(t, log.Messages())
				}
			}
			if test.expected == "" {
				require.Empty(t, log.Messages())
				return
			}
			require.Len(t, log.Messages(), 1)
			line := log.Messages()[0].String()
			require.Contains(t, line, test.expected)
			require.Contains(t, line, "the ports 5557 (subscribers) and 5556 (publishers)")
			require.Contains(t, line, "KLR_CHEM_XSUB")
			require.NotContains(t, line, test.notMentioned)
		})
	}
}

func TestWhichEndpointIsDefault(t *testing.T) {
	for _, variable := range []string{"KLR_CHEM_XPUB", "KLR_UMN_XPUB", "KLR_CHEM_XSUB", "KLR_UMN_XSUB"} {
		t.Setenv(variable, "")
	}
	isDefault := func(configure func(*ChemBus)) []bool {
		c := newPlugin()
		configure(c)
		require.NoError(t, c.Init())
		return []bool{c.defaultSubscribe, c.defaultPublish}
	}
	require.Equal(t, []bool{true, true}, isDefault(func(*ChemBus) {}))
	require.Equal(t, []bool{true, false}, isDefault(func(c *ChemBus) { c.PublishEndpoint = "none" }))
	require.Equal(t, []bool{false, true}, isDefault(func(c *ChemBus) { c.SubscribeEndpoint = "tcp://127.0.0.1:5559" }))
	t.Setenv("KLR_UMN_XSUB", "tcp://127.0.0.1:5558")
	require.Equal(t, []bool{true, false}, isDefault(func(*ChemBus) {}))
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
