package main

import (
	"bytes"
	"log"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/logger"
	"github.com/stretchr/testify/require"
)

func TestLogLine(t *testing.T) {
	for _, test := range []struct {
		message, want string
	}{
		{"plain", "plain"},
		{"Grüße, 世界 🐝", "Grüße, 世界 🐝"},
		{`C:\dir "quoted" it's`, `C:\dir "quoted" it's`},
		{"ends its line\r\n", "ends its line"},
		{"a\nE! [agent] forged", `a\nE! [agent] forged`},
		{"tab\tnul\x00esc\x1b[31m", `tab\tnul\x00esc\x1b[31m`},
		{"next\u2028line, \u202eturned, \u0085", `next\u2028line, \u202eturned, \u0085`},
		{"broken \xff\xc3 text", `broken \xff\xc3 text`},
		{"", ""},
	} {
		require.Equal(t, "I! [inputs.chembus] "+test.want+"\n", logLine(telegraf.Info, "inputs.chembus", test.message))
	}
	require.Equal(t, "E! f.conf: bad\n", logLine(telegraf.Error, "", "f.conf: bad"))
}

func TestLongLinesAreCut(t *testing.T) {
	for _, unit := range []string{"x", "é", "🐝", "\n", "\xff"} {
		line := logLine(telegraf.Warn, "inputs.chembus", strings.Repeat(unit, 100_000)+"end")
		require.LessOrEqual(t, len(line), 8<<10)
		require.Greater(t, len(line), 8<<10-10)
		require.True(t, strings.HasSuffix(line, "… (cut)\n"))
		require.Equal(t, 1, strings.Count(line, "\n"))
	}
	short := strings.Repeat("x", 8000)
	require.Equal(t, "W! "+short+"\n", logLine(telegraf.Warn, "", short))
}

func TestLevelsGoToTheirWriters(t *testing.T) {
	var info, warn bytes.Buffer
	l := &lineLog{source: "outputs.chembus", info: &info, warn: &warn}
	uninstall, err := l.install()
	require.NoError(t, err)

	plugin := logger.New("outputs", "chembus", "")
	plugin.AddAttribute("key", "a value (with=all, that) confuses")
	plugin.Error("an error")
	plugin.Warnf("a %s", "warning")
	plugin.Info("some", " ", "info")
	plugin.Debug("detail")
	logger.New("", "", "").Info("from the shim") // this logger has no name
	log.Print("from the standard logger")
	log.Print("W! from a library of Telegraf's")
	uninstall()
	plugin.Error("too late")

	require.Equal(t, `I! [outputs.chembus] some info
D! [outputs.chembus] detail
I! [outputs.chembus] from the shim
I! [outputs.chembus] from the standard logger
`, info.String())
	require.Equal(t, `E! [outputs.chembus] an error
W! [outputs.chembus] a warning
W! [outputs.chembus] from a library of Telegraf's
`, warn.String())
}

func TestConcurrentLinesAreNotMixed(t *testing.T) {
	var out bytes.Buffer // not synchronized: the race detector checks it
	l := &lineLog{info: &out, warn: &out}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				l.print(telegraf.Info, time.Time{}, "inputs.chembus", nil, "whole line")
				l.print(telegraf.Error, time.Time{}, "inputs.chembus", nil, "whole line")
			}
		})
	}
	group.Wait()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	require.Len(t, lines, 3200)
	for _, line := range lines {
		require.Equal(t, "! [inputs.chembus] whole line", line[1:])
	}
}
