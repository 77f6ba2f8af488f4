package watch

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/clipperhouse/displaywidth"
	"github.com/stretchr/testify/require"
)

// hostileNames would affect a terminal or the text beside them. The input rejects those with control characters.
var hostileNames = []string{
	"evil\u202egnp.exe", "\u2066isolated", "zero\u200bwidth", "he\u05d0\u05d1\u05d2", "ar\u0627\u0661", "z" + strings.Repeat("\u0301", 100),
	"\x1b[31mred", "c1\u009b31m", "del\x7f", "line\u2028break", "two\nlines", "private\ue000", "soft\u00adhyphen", "tag\U000e0041",
}

func TestNamesAreHarmless(t *testing.T) {
	for _, name := range hostileNames {
		shown := named(name)
		for _, r := range shown {
			require.True(t, r < unicode.MaxASCII && unicode.IsPrint(r), "%q is shown as %q", name, shown)
		}
		require.Contains(t, shown, `\`)
	}
	require.Equal(t, `evil\u202egnp.exe`, named("evil\u202egnp.exe"))
	require.Equal(t, "\ufffd", printable("\xff"))
	require.Equal(t, "zoóid_日本_🧪", named("zoóid_日本_🧪"))
	require.NotEqual(t, named("\u202e"), named(`\u202e`), "different names stay different")
}

func TestSpans(t *testing.T) {
	for want, seconds := range map[string]float64{
		"0.0s": 0.0004, "3.1s": 3.14, "59.9s": 59.9, "1m00s": 60, "1m05s": 65.9, "2h03m": 7380, "3d04h": 3*86400 + 4*3600, ">999d": 1e300, "-5.0s": -5,
	} {
		require.Equal(t, want, span(seconds))
	}
	for want, seconds := range map[string]float64{"0.4ms": 0.0004, "99.9ms": 0.0999, "0.1s": 0.1, "-2.0ms": -0.002, "1m05s": 65} {
		require.Equal(t, want, latency(&seconds))
	}
	require.Equal(t, "-", latency(nil))
	require.Equal(t, "-", optionalSpan(nil))
}

// sample returns a snapshot with three components.
func sample() Snapshot {
	lag, mean, since := 0.0021, 10.0, 3.4
	saved := at.UTC().Add(-3 * time.Second)
	return Snapshot{
		Time:   at,
		Bus:    Bus{Endpoint: "tcp://127.0.0.1:5559", Known: true, Observable: true, Connected: true, Probing: true, Messages: 12, LagS: &lag, ProbeRTTS: &lag},
		Memory: Memory{File: "/var/lib/telegraf-chembus/liveness.json", Saved: &saved, Fresh: true},
		Gaps:   []Gap{{Zooid: "audio_io", Type: "heartbeat_missing", Severity: "high", MissingS: 33.4, Reason: "no heartbeat from \"audio_io\"\u202e"}},
		Notes:  []string{},
		Zooids: []Zooid{
			{Name: "audio_io", Niche: "audio", State: "silent", SilenceS: 33.4, ThresholdS: 30, SinceS: &since, Beats: 100, IntervalS: &mean},
			{Name: "meta_agent", Niche: "consciousness", State: "up", SilenceS: 2, Beats: 1234, IntervalS: &mean, LagS: &lag, Heard: true},
			{Name: "new", State: "up", Beats: 1, LagS: &lag, Heard: true},
		},
	}
}

func TestTable(t *testing.T) {
	s := sample()
	var out bytes.Buffer
	require.NoError(t, s.WriteTable(&out))
	require.Equal(t, `Bus     tcp://127.0.0.1:5559  observable
        12 messages, 0 rejected, lag 2.1ms, probe 2.1ms, blind 0.0s
Zooids  1 silent, 2 up
Gap     no heartbeat from "audio_io"\u202e (high)
State   /var/lib/telegraf-chembus/liveness.json  saved 3.0s ago

ZOOID       NICHE          STATE   SILENCE  THRESHOLD  SINCE  INTERVAL  BEATS    LAG
audio_io    audio          silent    33.4s      30.0s   3.4s     10.0s    100      -
meta_agent  consciousness  up         2.0s       0.0s      -     10.0s   1234  2.1ms
new                        up         0.0s       0.0s      -         -      1  2.1ms
`, out.String())
}

func TestHeaderShowsTheBus(t *testing.T) {
	for want, b := range map[string]Bus{
		"NOT OBSERVABLE: connected, but nothing is received":                 {Known: true, Connected: true, Probing: true},
		"not known yet: nothing was heard so far":                            {Connected: true, Probing: true},
		"NOT OBSERVABLE: not connected":                                      {Known: true, Probing: true},
		"connected (without a probe it is unknown whether the bus forwards)": {Known: true, Connected: true, Observable: true},
	} {
		s := Snapshot{Bus: b, Notes: []string{"A note."}}
		header := textOf(s.header())
		require.Contains(t, header, want)
		require.Contains(t, header, "Zooids  none\nNote    A note.")
	}
}

func textOf(lines []line) string {
	var text []string
	for _, l := range lines {
		text = append(text, l.text)
	}
	return strings.Join(text, "\n")
}

// TestHeaderShowsThePlugins shows gaps and the plugins in Telegraf, with their age.
func TestHeaderShowsThePlugins(t *testing.T) {
	s := sample()
	s.Output = &Output{File: "output.json", Saved: s.Time.Add(-time.Minute), Publishing: true, Pending: 2}
	require.Contains(t, textOf(s.header()), "Output  output.json  saved 1m00s ago, publishing, 2 pending")
	s.Output.Publishing, s.Memory.Fresh = false, false
	s.Gaps = slices.Repeat(s.Gaps, 7)
	header := textOf(s.header())
	require.Contains(t, header, "NOT PUBLISHING, 2 pending")
	require.Contains(t, header, "saved 3.0s ago: the processor in Telegraf does not run, or does not hear the bus")
	require.Equal(t, 5, strings.Count(header, "Gap     "))
	require.Contains(t, header, "and 2 more")
}

func TestStatus(t *testing.T) {
	s := sample()
	require.Equal(t, SomeSilent, s.Status())
	s.Zooids = s.Zooids[1:]
	require.Equal(t, AllUp, s.Status())
	s.Zooids[0].State = "stopped"
	require.Equal(t, AllUp, s.Status(), "on purpose")
	s.Zooids[0].State = "unseen"
	require.Equal(t, SomeSilent, s.Status())
	for _, change := range []func(){
		func() { s.Zooids = nil }, func() { s.Bus.Observable = false }, func() { s.Bus.Observable, s.Bus.Known = true, false },
	} {
		change()
		require.Equal(t, NotKnown, s.Status())
	}
}

// TestTableFits requires that lines fit into a terminal, that name, state and silence are always shown, and that long
// names drop no column.
func TestTableFits(t *testing.T) {
	s := sample()
	titles := func(width int) string {
		return strings.Join(strings.Fields(layOut(s.Zooids, width).head()), " ")
	}
	require.Equal(t, "ZOOID NICHE STATE SILENCE THRESHOLD SINCE INTERVAL BEATS LAG", titles(100))
	require.Equal(t, "ZOOID NICHE STATE SILENCE THRESHOLD SINCE INTERVAL BEATS", titles(80))
	require.Equal(t, "ZOOID STATE SILENCE THRESHOLD SINCE", titles(50))
	require.Equal(t, "ZOOID STATE SILENCE", titles(28))
	require.Equal(t, "ZOOID STATE SILENCE", titles(5))

	s.Zooids = append(s.Zooids, Zooid{Name: strings.Repeat("界", 85), Niche: strings.Repeat("n", 256), State: "up"})
	require.Equal(t, "ZOOID NICHE STATE SILENCE THRESHOLD SINCE INTERVAL BEATS LAG", titles(100))
	for width := 35; width < 200; width++ {
		table := layOut(s.Zooids, width)
		for i := range s.Zooids {
			row := table.row(&s.Zooids[i])
			require.LessOrEqual(t, displaywidth.String(row), width, row)
			require.Contains(t, row, s.Zooids[i].State)
		}
	}
}

func TestWrap(t *testing.T) {
	require.Equal(t, []string{"short"}, wrap("short", 40))
	require.Equal(t, []string{"Note    one two three", "        four five six", "        seven"}, wrap("Note    one two three four five six seven", 23))
	require.Equal(t, []string{"Note    " + strings.Repeat("x", 12), "        " + strings.Repeat("x", 12), "        x"}, wrap("Note    "+strings.Repeat("x", 25), 20))
	require.Equal(t, []string{"Note    one two three"}, wrap("Note    one two three", 10), "the terminal cuts it off")
}
