package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

const tablesAllowed = "[[inputs.chembus]], [[processors.liveness]], [[outputs.chembus]], [[outputs.liveness]]"

func TestBadConfigEndsWithOneLine(t *testing.T) {
	const howToWrite = `; write each option once as NAME = VALUE, with text in "quotes", below a table such as [[inputs.chembus]]`
	for _, test := range []struct {
		name string
		role string
		file string
		want string
	}{
		{"unknown option", "output",
			"[[outputs.chembus]]\n\n  publish_endpiont = \"tcp://bus:5558\"\n",
			`f.conf:3: unknown option "publish_endpiont" in [[outputs.chembus]]; did you mean "publish_endpoint"? telegraf-chembus sample shows all options`},
		{"another spelling of an option", "output",
			"[[outputs.chembus]]\nmaxPending = 5\n",
			`f.conf:2: unknown option "maxPending" in [[outputs.chembus]]; did you mean "max_pending"? telegraf-chembus sample shows all options`},
		{"a field that is no option", "output",
			"[[outputs.chembus]]\nLog = 5\n",
			`f.conf:2: unknown option "Log" in [[outputs.chembus]]; ` +
				`allowed: ` + allowedIn("output")},
		{"table below the plugin", "output",
			"[[outputs.chembus]]\n[outputs.chembus.tags]\na = 1\n",
			`f.conf:2: option "tags" is Telegraf's own; move it from [[outputs.chembus]] to the [[...execd]] block ` +
				`in Telegraf's configuration that runs this plugin`},
		{"another table below the plugin", "output",
			"[[outputs.chembus]]\n[outputs.chembus.topics]\na = 1\n",
			`f.conf:2: unknown option "topics" in [[outputs.chembus]]; allowed: ` + allowedIn("output")},
		{"Telegraf's option in a nested table", "processor",
			"[[processors.liveness]]\n[[processors.liveness.override]]\nzooid = [\"a\"]\nalias = \"b\"\n",
			`f.conf:4: unknown option "alias" in [[processors.liveness.override]]; allowed: zooid, niche, threshold, late_after, severity, actions, unit`},
		{"Telegraf's option", "input", "[[inputs.chembus]]\ninterval = \"5s\"\n",
			`f.conf:2: option "interval" is Telegraf's own; move it from [[inputs.chembus]] to the [[...execd]] block ` +
				`in Telegraf's configuration that runs this plugin`},
		{"option of a nested table", "processor",
			"[[processors.liveness]]\n[[processors.liveness.override]]\nzooid = [\"a\"]\n[[processors.liveness.override]]\nthresold = \"5s\"\n",
			`f.conf:5: unknown option "thresold" in [[processors.liveness.override]]; did you mean "threshold"? telegraf-chembus sample shows all options`},
		{"option of another plugin", "input", "[[inputs.chembus]]\nprobe = true\nthreshold = \"1m\"\n",
			`f.conf:3: option "threshold" belongs in [[processors.liveness]], not in [[inputs.chembus]]; move it there`},
		{"option of two other plugins", "processor", "[[processors.liveness]]\npublish_endpoint = \"tcp://bus:5558\"\n",
			`f.conf:2: option "publish_endpoint" belongs in [[inputs.chembus]] or in [[outputs.chembus]], not in [[processors.liveness]]; move it there`},
		{"option of the nested table", "processor", "[[processors.liveness]]\nunit = \"a.service\"\n",
			`f.conf:2: option "unit" belongs in [[processors.liveness.override]] or in [[processors.liveness.watch.override]], not in [[processors.liveness]]; move it there`},
		{"option of a watch", "processor", watchTable("tresholds = \"5s\""),
			`f.conf:7: unknown option "tresholds" in [[processors.liveness.watch]]; did you mean "threshold"? telegraf-chembus sample shows all options`},
		{"option of an override of a watch", "processor",
			watchTable("[[processors.liveness.watch.override]]\ncomponent = [\"a\"]\nhost = [\"b\"]"),
			`f.conf:9: unknown option "host" in [[processors.liveness.watch.override]]; ` +
				`allowed: component, threshold, late_after, severity, actions, unit`},
		{"value that Init refuses in a watch", "processor", "[[processors.liveness]]\nmass_count = 3\n" +
			strings.TrimPrefix(watchTable("mass_count = 0"), "[[processors.liveness]]\n"),
			`f.conf:8: option "mass_count": is below 1; use at least 1; a large number turns outages off`},
		{"value that Init refuses in an override of a watch", "processor",
			watchTable("[[processors.liveness.watch.override]]\ncomponent = [\"a\"]\nthreshold = \"2d\""),
			`f.conf:7: option "retire_after": "24h0m0s" is not above the threshold of "48h0m0s"; ` +
				`use more, or a gap would be closed as soon as it is opened`},
		{"a watch without a tick", "processor", strings.Replace(watchTable(""), "tick = [\"internal_agent\"]\n", "", 1),
			`f.conf:2: option "tick": is empty; without it silence of all and a pipeline that stands still look the same; ` +
				`name metrics that come the same way, and go on to come if every component is silent, such as ["internal_agent"]`},
		{"option after a nested table", "processor",
			"[[processors.liveness]]\n[[processors.liveness.override]]\nzooid = [\"a\"]\nthreshold = \"1m\"\n\nignore = [\"b\"]\n",
			`f.conf:6: option "ignore" belongs in [[processors.liveness]], not in [[processors.liveness.override]]; ` +
				`move it above the first [[processors.liveness.override]]`},
		{"variable that is not set in an endpoint", "input", "[[inputs.chembus]]\nsubscribe_endpoint = \"${UNSET_BUS}\"\n",
			`f.conf:2: option "subscribe_endpoint": "${UNSET_BUS}" is not a transport that the bus uses; use "tcp://HOST:PORT" or "ipc://PATH"; ` +
				`the environment variable UNSET_BUS is not set`},
		{"variables that are not set in a duration", "processor", "[[processors.liveness]]\nthreshold = \"${UNSET_B}${UNSET_A}$UNSET_B\"\n",
			`f.conf:2: option "threshold": "${UNSET_B}${UNSET_A}$UNSET_B" is not a duration; use a duration such as "500ms", "30s" or "1d"; ` +
				`the environment variables UNSET_A, UNSET_B are not set`},
		{"value in a nested table", "processor",
			"[[processors.liveness]]\n[[processors.liveness.override]]\nzooid = \"a\"\n",
			`f.conf:3: option "zooid": "a" is not an array of strings; use an array of strings such as ["one", "two"]`},
		{"value that Init refuses in a nested table", "processor",
			"[[processors.liveness]]\n[[processors.liveness.override]]\nzooid = [\"a\"]\nlate_after = \"1m\"\n",
			`f.conf:4: option "late_after": "1m0s" is above the threshold of "30s"; ` +
				`use at most the threshold, or leave it out for half of it`},
		{"value that Init refuses in the second of nested tables", "processor",
			"[[processors.liveness]]\nlate_after = \"5s\"\n[[processors.liveness.override]]\nzooid = [\"a\"]\nlate_after = \"6s\"\n" +
				"[[processors.liveness.override]]\nzooid = [\"b\"]\nlate_after = \"1m\"\n",
			`f.conf:8: option "late_after": "1m0s" is above the threshold of "30s"; ` +
				`use at most the threshold, or leave it out for half of it`},
		{"the second of nested tables by itself", "processor",
			"[[processors.liveness]]\n[[processors.liveness.override]]\nzooid = [\"a\"]\n[[processors.liveness.override]]\n\nseverity = \"low\"\n",
			`f.conf:4: option "override": number 2 matches everything, since it names neither zooid nor niche; ` +
				`give it globs such as zooid = ["audio_*"]; for everybody use the options outside of it`},
		{"ticks too far apart for the processor", "processor",
			"[[processors.liveness]]\nblind_after = \"2s\"\n[[inputs.chembus]]\ntick_interval = \"2s\"\nblind_after = \"5s\"\n",
			`f.conf:2: option "blind_after": "2s" is not above tick_interval of [[inputs.chembus]], "2s": the time between any two ticks ` +
				`would not be counted, and no gap would be found; use blind_after of [[inputs.chembus]], "5s"`},
		{"blind_after of the processor above the input's", "processor",
			"[[inputs.chembus]]\n[[processors.liveness]]\n\nblind_after = \"4s\"\n",
			`f.conf:4: option "blind_after": "4s" is above blind_after of [[inputs.chembus]], "3s": after a stall, live components could be ` +
				`reported as silent; use the same value`},
		{"ticks too far apart for the processor's default", "processor",
			"[[inputs.chembus]]\ntick_interval = \"5s\"\nblind_after = \"10s\"\n[[processors.liveness]]\n",
			`f.conf:4: option "blind_after": "3s" is not above tick_interval of [[inputs.chembus]], "5s": the time between any two ticks ` +
				`would not be counted, and no gap would be found; use blind_after of [[inputs.chembus]], "10s"`},
		{"threshold within a tick", "processor",
			"[[inputs.chembus]]\n[[processors.liveness]]\nthreshold = \"1s\"\n",
			`f.conf:3: option "threshold": "1s" is not above tick_interval of [[inputs.chembus]], "1s", in which beats are merged: ` +
				`live components would be reported as silent; use at least three times the heartbeat interval`},
		{"threshold of an override within a tick", "processor",
			"[[inputs.chembus]]\n[[processors.liveness]]\nthreshold = \"9s\"\n[[processors.liveness.override]]\nzooid = [\"a\"]\nthreshold = \"500ms\"\n",
			`f.conf:6: option "threshold": "500ms" is not above tick_interval of [[inputs.chembus]], "1s", in which beats are merged: ` +
				`live components would be reported as silent; use at least three times the heartbeat interval`},
		{"adaptive threshold within a tick", "processor",
			"[[inputs.chembus]]\n[[processors.liveness]]\nadaptive = true\nmin_threshold = \"1s\"\n",
			`f.conf:4: option "min_threshold": "1s" is not above tick_interval of [[inputs.chembus]], "1s", in which beats are merged: ` +
				`live components would be reported as silent; use at least three times the heartbeat interval`},
		{"threshold not above the interval of the input's own heartbeats", "processor",
			"[[inputs.chembus]]\n[[processors.liveness]]\nthreshold = \"10s\"\n",
			`f.conf:3: option "threshold": "10s" is not above 10s, the interval at which [[inputs.chembus]] sends heartbeats as "heartbeat_monitor", ` +
				`which would be reported as silent; use a longer threshold, or set announce_as = "" in [[inputs.chembus]]`},
		{"one state file for two", "output",
			"[[processors.liveness]]\nstate_file = \"/tmp/a/../state\"\n[[outputs.chembus]]\nstate_file = \"/tmp/state\"\n",
			`f.conf:4: option "state_file": "/tmp/state" is also the state_file of [[processors.liveness]]; use a file for each plugin`},
		{"gaps that would end in the processor", "processor",
			"[[processors.liveness]]\nadopt = true\n[[outputs.chembus]]\n",
			`f.conf:2: option "adopt": is set beside [[outputs.chembus]]: gaps of other processors would end in this one and not be published; ` +
				`set it for a central processor only, whose file has no [[outputs.chembus]]`},
		{"gaps on the topic of the kill signal", "output",
			"[[inputs.chembus]]\n[[outputs.chembus]]\nsignal = \"governance.kill\"\n",
			`f.conf:3: option "signal": "governance.kill" is the kill_topic of [[inputs.chembus]]; ` +
				`use another topic in one of the two; consumers of gaps subscribe to one such as "CAPABILITY_GAP"`},
		{"gaps on the topic of the heartbeats", "output",
			"[[inputs.chembus]]\nheartbeat_topic = \"CAPABILITY_GAP\"\n[[outputs.chembus]]\n",
			`f.conf:3: option "signal": "CAPABILITY_GAP" is the heartbeat_topic of [[inputs.chembus]]; ` +
				`use another topic in one of the two; consumers of gaps subscribe to one such as "CAPABILITY_GAP"`},
		{"option of an announced stop", "input",
			"[[inputs.chembus]]\n[[inputs.chembus.stop]]\ntopic = \"A\"\nzooid = \"a\"\n[[inputs.chembus.stop]]\ntopic = \"B\"\nzooids = \"b\"\n",
			`f.conf:7: unknown option "zooids" in [[inputs.chembus.stop]]; did you mean "zooid"? telegraf-chembus sample shows all options`},
		{"value in an announced stop", "input",
			"[[inputs.chembus]]\n[[inputs.chembus.stop]]\ntopic = [\"A\"]\nzooid = \"a\"\n",
			`f.conf:3: option "topic": ["A"] is not a string; use a string in quotes`},
		{"scalar for nested tables", "processor",
			"[[processors.liveness]]\noverride = 5\n",
			`f.conf:2: option "override": 5 is not a list of tables; use [[...]] tables, see telegraf-chembus sample`},
		{"first of several", "input",
			"[[inputs.chembus]]\nprobe = true\nmax_zooids = \"a\"\nblind_after = \"b\"\nprobably = 1\n",
			`f.conf:3: option "max_zooids": "a" is not a 64-bit integer; use a whole number without quotes, such as 1000`},

		{"string for a boolean", "input", "[[inputs.chembus]]\nprobe = \"yes\"\n",
			`f.conf:2: option "probe": "yes" is not a boolean; use true or false, without quotes`},
		{"boolean for a string", "input", "[[inputs.chembus]]\nheartbeat_topic = true\n",
			`f.conf:2: option "heartbeat_topic": true is not a string; use a string in quotes`},
		{"too large an integer", "input", "[[inputs.chembus]]\nmax_zooids = 99999999999999999999\n",
			`f.conf:2: option "max_zooids": 99999999999999999999 is not a 64-bit integer; use a whole number without quotes, such as 1000`},
		{"integer for a float", "output", "[[outputs.chembus]]\nintensity = 1\n",
			`f.conf:2: option "intensity": 1 is not a float; use a number with a decimal point and without quotes, such as 1.0`},
		{"string for an array", "processor", "[[processors.liveness]]\nidentity = \"zooid\"\n",
			`f.conf:2: option "identity": "zooid" is not an array of strings; use an array of strings such as ["one", "two"]`},
		{"array of other things", "processor", "[[processors.liveness]]\nidentity = [1, 2]\n",
			`f.conf:2: option "identity": [1, 2] is not an array of strings; use an array of strings such as ["one", "two"]`},
		{"table for a value", "processor", "[[processors.liveness]]\n[processors.liveness.identity]\na = 1\n",
			`f.conf:2: option "identity": a table is not an array of strings; use an array of strings such as ["one", "two"]`},
		{"malformed duration", "processor", "[[processors.liveness]]\n# half a minute\nthreshold = \"30 s\"\n",
			`f.conf:3: option "threshold": "30 s" is not a duration; use a duration such as "500ms", "30s" or "1d"`},
		{"boolean for a duration", "processor", "[[processors.liveness]]\nthreshold = false\n",
			`f.conf:2: option "threshold": false is not a duration; use a duration such as "500ms", "30s" or "1d"`},
		{"array for a duration", "processor", "[[processors.liveness]]\nthreshold = [30]\n",
			`f.conf:2: option "threshold": [30] is not a duration; use a duration such as "500ms", "30s" or "1d"`},
		{"malformed size", "input", "[[inputs.chembus]]\nmax_message_size = \"64Kib\"\n",
			`f.conf:2: option "max_message_size": "64Kib" is not a size; use a size such as "64KiB", or a number of bytes`},

		{"the plugin refuses an option", "input", "[[inputs.chembus]]\nprobe = true\n\nsubscribe_endpoint = \"bogus\"\n",
			`f.conf:4: option "subscribe_endpoint": "bogus" is not a transport that the bus uses; use "tcp://HOST:PORT" or "ipc://PATH"`},

		{"no value", "input", "[[inputs.chembus]]\nprobe =\nmax_zooids = 5\n", `f.conf:2: invalid TOML syntax` + howToWrite},
		{"no quotes", "input", "[[inputs.chembus]]\n\nheartbeat_topic = HEARTBEAT\n", `f.conf:3: invalid TOML syntax` + howToWrite},
		{"open quotes", "input", "[[inputs.chembus]]\nkill_topic = \"kill # it\nprobe = true\n", `f.conf:2: invalid TOML syntax` + howToWrite},
		{"open array", "processor", "[[processors.liveness]]\nignore = [\"a\",\n\"b\"\nthreshold = \"1s\"\n", `f.conf:2: invalid TOML syntax` + howToWrite},
		{"one bracket missing", "input", "# ours\n[[inputs.chembus]\n", `f.conf:2: invalid TOML syntax` + howToWrite},
		{"a word alone", "input", "[[inputs.chembus]]\n\n\nprobe\n", `f.conf:4: invalid TOML syntax` + howToWrite},
		{"option twice", "input", "[[inputs.chembus]]\nprobe = true\nmax_zooids = 5\nprobe = false\n",
			"f.conf:4: key `probe' is in conflict with line 2" + howToWrite},
		{"Windows line ends", "input", "[[inputs.chembus]]\r\n\r\n\r\nprobe = 1\r\n",
			`f.conf:4: option "probe": 1 is not a boolean; use true or false, without quotes`},
		{"another encoding", "input", "[[inputs.chembus]]\nannounce_as = \"\xe9\"\n",
			`f.conf:2: invalid UTF-8; save the file as UTF-8`},

		{"misspelt table", "input", "[[inputs.chembuss]]\n", `f.conf:1: unknown table [[inputs.chembuss]]; did you mean [[inputs.chembus]]? allowed: ` + tablesAllowed},
		{"section without its plural", "processor", "[[processor.liveness]]\n",
			`f.conf:1: unknown table [processor]; did you mean [[processors.liveness]]? allowed: ` + tablesAllowed},
		{"plugin of another section", "", "\n[[outputs.wavefront]]\n", `f.conf:2: unknown table [[outputs.wavefront]]; allowed: ` + tablesAllowed},
		{"table of no section", "", "[chembus]\n", `f.conf:1: unknown table [chembus]; allowed: ` + tablesAllowed},
		{"array of a section", "", "[[inputs]]\n", `f.conf:1: unknown table [[inputs]]; did you mean [[inputs.chembus]]? allowed: ` + tablesAllowed},
		{"option above the table", "input", "probe = true\n[[inputs.chembus]]\n",
			`f.conf:1: option "probe" is outside of any table; move it below one of ` + tablesAllowed},
		{"option in the section", "input", "[inputs]\nchembus = true\n",
			`f.conf:2: option "inputs.chembus" is outside of any table; move it below one of ` + tablesAllowed},
		{"Telegraf's drop-in", "input", "\n[[inputs.execd]]\n  command = [\"telegraf-chembus\", \"input\"]\n",
			`f.conf:2: [[inputs.execd]] belongs in Telegraf's own configuration; use a file with only ` + tablesAllowed},
		{"Telegraf's configuration", "", "[agent]\n  interval = \"10s\"\n[[outputs.influxdb]]\n",
			`f.conf:1: [agent] belongs in Telegraf's own configuration; use a file with only ` + tablesAllowed},

		{"two tables of one role", "input", "[[inputs.chembus]]\n[[outputs.chembus]]\n\n[[inputs.chembus]]\n",
			`f.conf:4: second table [[inputs.chembus]], the first is in line 1; use one file for each`},
		{"no table of the role", "output", "[[inputs.chembus]]\n",
			`f.conf: table [[outputs.chembus]] is missing; add it, without any option for the defaults`},
		{"two plugins without a role", "", "[[processors.liveness]]\n\n[[inputs.chembus]]\n",
			`f.conf:3: [[inputs.chembus]] is a second plugin, after [[processors.liveness]] in line 1; ` +
				`select one with telegraf-chembus input|processor|output|page -config FILE`},
		{"empty file without a role", "", "# nothing yet\n", `f.conf: no plugin is configured; add at least one of ` + tablesAllowed},
		{"empty file with a role", "input", "", `f.conf: no plugin is configured; add at least one of ` + tablesAllowed},
		{"empty section", "input", "[inputs]\n", `f.conf: no plugin is configured; add at least one of ` + tablesAllowed},

		{"control characters", "input", "[[inputs.chembus]]\n\"a\\nb\" = true\nkill_topic = [\n]\n",
			`f.conf:2: unknown option "a\nb" in [[inputs.chembus]]; allowed: ` + allowedIn("input")},
		{"value of many lines", "input", "[[inputs.chembus]]\nkill_topic = [\n  1, # one\n  2,\n]\nprobe = true\n",
			`f.conf:2: option "kill_topic": [\n  1, \n  2,\n] is not a string; use a string in quotes`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			writeConfig(t, test.file)
			args := []string{"-config", "f.conf"}
			if test.role != "" {
				args = append([]string{test.role}, args...)
			}
			status, stdout, stderr := invoke(t, args...)
			require.Equal(t, "E! "+test.want+"\n", stderr)
			require.Equal(t, 1, status)
			require.Empty(t, stdout)
		})
	}
}

func allowedIn(roleName string) string {
	r, _ := roleNamed(roleName)
	var names []string
	for _, field := range options(r.create()) {
		names = append(names, key(field))
	}
	return strings.Join(names, ", ")
}

func TestUnreadableFile(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("dir\n.conf", 0o700))
	for file, want := range map[string]string{
		"none.conf":  `none.conf: cannot read the file: no such file or directory; name one that exists, or create it with telegraf-chembus sample`,
		"dir\n.conf": `dir\n.conf: cannot read the file: is a directory; use a file that this user may read`,
	} {
		for _, args := range [][]string{{"input"}, {"check"}, nil} {
			status, stdout, stderr := invoke(t, append(args, "-config", file)...)
			require.Equal(t, 1, status)
			require.Empty(t, stdout)
			require.Equal(t, "E! "+want+"\n", stderr)
		}
	}
}

func TestCheckReportsEveryTable(t *testing.T) {
	t.Chdir(t.TempDir())
	writeConfig(t, `[[outputs.chembus]]
  intensity = 1
  max_pending = "many"

[[processors.liveness]]
  threshold = "1m"

[[inputs.chembus]]
  subscribe_endpoint = "bogus"

[[inputs.cpu]]
`)
	status, stdout, stderr := invoke(t, "check", "-config", "f.conf")
	require.Equal(t, 1, status)
	require.Equal(t, "processors.liveness: ok\n", stdout)
	require.Equal(t, `E! f.conf:2: option "intensity": 1 is not a float; use a number with a decimal point and without quotes, such as 1.0
E! f.conf:3: option "max_pending": "many" is not a 64-bit integer; use a whole number without quotes, such as 1000
E! f.conf:9: option "subscribe_endpoint": "bogus" is not a transport that the bus uses; use "tcp://HOST:PORT" or "ipc://PATH"
E! f.conf:11: unknown table [[inputs.cpu]]; allowed: `+tablesAllowed+"\n", stderr)
}

// watchTable is a file with a watch, whose last lines are some more.
func watchTable(more string) string {
	return "[[processors.liveness]]\n[[processors.liveness.watch]]\nname = \"hosts\"\nmeasurement = [\"cpu\"]\n" +
		"identity = [\"host\"]\ntick = [\"internal_agent\"]\n" + more + "\n"
}

func TestCheckPrintsWatches(t *testing.T) {
	t.Chdir(t.TempDir())
	writeConfig(t, watchTable("threshold = \"1m\"")+"[[inputs.chembus]]\n[[outputs.chembus]]\n")
	_, stdout, _ := invoke(t, "check", "-config", "f.conf")
	require.Contains(t, stdout, "processors.liveness: ok\n  watch \"hosts\": cpu by host, tick internal_agent, threshold 1m0s\n")
}

// TestCheckWarnsOfSeverities has a file as it was valid before there was a list of severities.
func TestCheckWarnsOfSeverities(t *testing.T) {
	t.Setenv("WORD", "urgent")
	t.Chdir(t.TempDir())
	var file strings.Builder
	file.WriteString("[[processors.liveness]]\nseverity = \"Bad\"\n")
	for i, line := range []string{`severity = "low"`, `severity = "Critical"`, `threshold = "1m"`, `severity = "high"`, `severity = "${WORD}"`,
		`severity = "medium"`, `severity = "critical"`} {
		fmt.Fprintf(&file, "[[processors.liveness.override]]\nzooid = [\"z%d\"]\n%s\n", i, line)
	}
	file.WriteString("[[inputs.chembus]]\n[[outputs.chembus]]\n")
	writeConfig(t, file.String())
	status, stdout, stderr := invoke(t, "check", "-config", "f.conf")
	require.Zero(t, status)
	require.Equal(t, "processors.liveness: ok\ninputs.chembus: ok\noutputs.chembus: ok\n", stdout)
	require.Equal(t, `W! f.conf:2: option "severity": "Bad" is a word that consumers of gaps do not know; use "low", "medium", "high" or "critical"
W! f.conf:8: option "severity": "Critical" is a word that consumers of gaps do not know; use "low", "medium", "high" or "critical"
W! f.conf:17: option "severity": "urgent" is a word that consumers of gaps do not know; use "low", "medium", "high" or "critical"
`, stderr)
}

func TestGoodFiles(t *testing.T) {
	for name, content := range map[string]string{
		"a plain table":         "[outputs.chembus]\nmax_pending = 7\n",
		"an inline table":       "[outputs]\nchembus = { max_pending = 7 }\n",
		"byte order mark":       "\xef\xbb\xbf[[outputs.chembus]]\nmax_pending = 7\n",
		"Windows line ends":     "[[outputs.chembus]]\r\nmax_pending = 7\r\n",
		"no line end":           "[[outputs.chembus]]\nmax_pending = 7",
		"comment with a quote":  "# don't\n[[outputs.chembus]] # it's\nmax_pending = 7 # isn't\n",
		"hash in strings":       "[[outputs.chembus]]\nsignal = \"a#\\\"#b\"\necosystem = '#'\nmax_pending = 7\n",
		"hash in long strings":  "[[outputs.chembus]]\nsignal = \"\"\"a # \\\"b\nc\"\"\"\necosystem = '''#\n#'''\nmax_pending = 7\n",
		"the others conflict":   "[[inputs.chembus]]\ntick_interval = \"2s\"\nblind_after = \"5s\"\n[[processors.liveness]]\nblind_after = \"1s\"\n[[outputs.chembus]]\nmax_pending = 7\n",
		"the others are faulty": "[[inputs.chembus]]\nprobe = 1\n[[outputs.chembus]]\nmax_pending = 7\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			writeConfig(t, content)
			r, _ := roleNamed("output")
			table, err := tableFor(r, "f.conf")
			require.NoError(t, err)
			plugin, problems := table.load()
			require.Empty(t, problems)
			require.EqualValues(t, 7, field(plugin, "MaxPending"))
		})
	}
}

// TestShortThreshold uses thresholds below the interval of the input's own heartbeats that do not apply to them.
func TestShortThreshold(t *testing.T) {
	const short = "[[processors.liveness]]\nthreshold = \"5s\"\n"
	for name, content := range map[string]string{
		"nothing announced":   "[[inputs.chembus]]\nannounce_as = \"\"\n" + short,
		"nothing published":   "[[inputs.chembus]]\npublish_endpoint = \"none\"\n" + short,
		"ignored":             "[[inputs.chembus]]\n" + short + "ignore = [\"heartbeat_*\"]\n",
		"overridden":          "[[inputs.chembus]]\n" + short + "[[processors.liveness.override]]\nniche = [\"observability\"]\nthreshold = \"30s\"\n",
		"of another identity": "[[inputs.chembus]]\n" + short + "identity = [\"zooid\", \"host\"]\n",
		"without an input":    short,
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			writeConfig(t, content)
			status, _, stderr := invoke(t, "check", "-config", "f.conf")
			require.Zero(t, status, stderr)
		})
	}
}

func TestArrayOverManyLines(t *testing.T) {
	plugin, problems := loadOnly(t, "[[processors.liveness]]\nignore = [\n  # these two\n  \"a#1\", # one\n  # and\n  'b',\n]\n")
	require.Empty(t, problems)
	require.Equal(t, []string{"a#1", "b"}, field(plugin, "Ignore"))
}

// FuzzConfig requires that any file results in plugins or in printable problems.
func FuzzConfig(f *testing.F) {
	for _, r := range roles {
		sample := r.create().SampleConfig()
		f.Add(sample)
		f.Add(strings.ReplaceAll(sample, "\n  # ", "\n  "))
	}
	for _, content := range []string{
		"[[inputs.chembus]]\rprobw = true\r", "\xef\xbb\xbf[[inputs.chembus]]\r\nprobe = true\r\n", "[processors.liveness]\nexpected = [\n\"a\", # \"b\"\n'c']\n",
		"[[processors.liveness]]\n[[processors.liveness.override]]\nzooid = [\"a\"]\n[[processors.liveness.override]]\n",
		"[[outputs.chembus]]\nsignal = \"${HOME:-x}$$\"\nintensity = 1e400", "[[outputs.chembus]]\nmax_pending = 9223372036854775808\n",
		"a = 1\n[b]\n[[inputs]]\n[[inputs.chembus.x]]\n", "x = \"\"\"\n", "[[processors.liveness]]\nignore = [\"{a,b\"]\n",
	} {
		f.Add(content)
	}
	f.Add("[[inputs.chembus]]\nx = [{a = 1}, [2]]\ny = 1979-05-27\n[a.b]\n\"c\" = '''\n'''")
	f.Fuzz(func(t *testing.T, content string) {
		t.Chdir(t.TempDir())
		writeConfig(t, content)
		tables, problems := readTables("f.conf")
		require.NotZero(t, len(tables)+len(problems))
		for _, table := range tables {
			_, bad := table.load()
			problems = append(problems, bad...)
		}
		for _, p := range problems {
			require.LessOrEqual(t, p.line, strings.Count(content, "\n")+strings.Count(content, "\r")+1)
			line := logLine(1, "", p.Error())
			require.NotContains(t, strings.TrimSuffix(line, "\n"), "\n")
			require.False(t, strings.ContainsFunc(strings.TrimSuffix(line, "\n"), unicode.IsControl))
		}
	})
}
