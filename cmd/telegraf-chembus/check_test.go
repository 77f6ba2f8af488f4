package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireChecked checks a file and compares what is said, and whether it is an error.
func requireChecked(t *testing.T, content string, complaints ...string) {
	t.Helper()
	writeConfig(t, content)
	want, failed := "", false
	for _, line := range complaints {
		want += line + "\n"
		failed = failed || strings.HasPrefix(line, "E!")
	}
	status, _, stderr := invoke(t, "check", "-config", "f.conf")
	require.Equal(t, want, stderr, content)
	require.Equal(t, failed, status != 0, content)
}

func TestCheckComparesEndpoints(t *testing.T) {
	t.Chdir(t.TempDir())
	const rest = "[[processors.liveness]]\n[[outputs.chembus]]\n"
	both := func(options string) string {
		return "[[inputs.chembus]]\n" + options + "[[processors.liveness]]\n[[outputs.chembus]]\n" + options
	}
	for _, good := range []string{
		both(""),
		both("subscribe_endpoint = \"tcp://bus:5559\"\npublish_endpoint = \"tcp://BUS:5558\"\n"),
		both("subscribe_endpoint = \"tcp://localhost:5557\"\npublish_endpoint = \"tcp://[::1]:5556\"\n"),
		both("subscribe_endpoint = \"ipc:///run/sub\"\npublish_endpoint = \"ipc:///run/pub\"\n"),
		"[[inputs.chembus]]\nsubscribe_endpoint = \"tcp://127.0.0.1:5559\"\npublish_endpoint = \"none\"\n" + rest,
	} {
		requireChecked(t, good)
	}

	requireChecked(t, "[[inputs.chembus]]\n\npublish_endpoint = \"tcp://localhost:5559\"\n"+rest,
		`W! f.conf:5: option "publish_endpoint": "tcp://127.0.0.1:5558" is not that of [[inputs.chembus]], "tcp://localhost:5559", `+
			`so gaps go to another bus than the one that is monitored; use the same in both tables, unless that is meant`,
		`E! f.conf:3: option "publish_endpoint": "tcp://localhost:5559" is also the subscribe_endpoint, and a bus has one socket for each; `+
			`use the endpoint of its XSUB socket, by default port 5558`)
	for _, ports := range [][2]string{{"5558", "5559"}, {"5556", "5557"}} {
		line := `option "subscribe_endpoint": "tcp://bus:` + ports[0] + `" has the port for publishers, and publish_endpoint, "tcp://bus:` + ports[1] +
			`", the one for subscribers; exchange them`
		requireChecked(t, both("subscribe_endpoint = \"tcp://bus:"+ports[0]+"\"\npublish_endpoint = \"tcp://bus:"+ports[1]+"\"\n"),
			"E! f.conf:2: "+line, "E! f.conf:6: "+line)
	}
	requireChecked(t, "[[inputs.chembus]]\nsubscribe_endpoint = \"tcp://bus:5559\"\n"+rest,
		`W! f.conf:1: option "publish_endpoint": "tcp://127.0.0.1:5558" is on another host than subscribe_endpoint, "tcp://bus:5559", `+
			`and a bus has both on one; name the same host in both, unless it has two names`,
		`W! f.conf:4: option "subscribe_endpoint": "tcp://127.0.0.1:5559" is not that of [[inputs.chembus]], "tcp://bus:5559", `+
			`so gaps go to another bus than the one that is monitored; use the same in both tables, unless that is meant`)
}

func TestCheckComparesFiles(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("STATE_DIRECTORY", "")
	require.NoError(t, os.Symlink(dir, "link"))
	file := func(processor, output string) string {
		content := "[[inputs.chembus]]\n[[processors.liveness]]\n"
		if processor != "" {
			content += "state_file = \"" + processor + "\"\n"
		}
		content += "[[outputs.chembus]]\n"
		if output != "" {
			content += "state_file = \"" + output + "\"\n"
		}
		return content
	}
	requireChecked(t, file(dir+"/a", dir+"/b"))
	for _, same := range []string{dir + "/a", "a", dir + "/link/a", dir + "/../" + filepath.Base(dir) + "/a"} {
		requireChecked(t, file(dir+"/a", same), `E! f.conf:5: option "state_file": "`+same+`" is also the state_file of [[processors.liveness]]; `+
			`use a file for each plugin`)
	}
	t.Setenv("STATE_DIRECTORY", dir)
	requireChecked(t, file(dir+"/output.json", ""),
		`E! f.conf:4: option "state_file": "`+dir+`/output.json" is also the state_file of [[processors.liveness]]; use a file for each plugin`)
	page := "[[inputs.chembus]]\n[[processors.liveness]]\n[[outputs.chembus]]\n[[outputs.liveness]]\nlisten = \"127.0.0.1:0\"\n"
	requireChecked(t, page)
	for name, plugin := range map[string]string{"liveness": "processors.liveness", "output": "outputs.chembus"} {
		own := dir + "/" + name + ".json"
		requireChecked(t, page+"state_file = \""+own+"\"\n",
			`E! f.conf:6: option "state_file": "`+own+`" is also the state_file of [[`+plugin+`]]; use a file for each plugin`)
	}
	missing := dir + "/missing"
	line := `option "state_file": "` + missing + `/a" is in a folder that does not exist; ` +
		`create "` + missing + `" for the user that runs Telegraf, or name a file in another folder`
	requireChecked(t, file(missing+"/a", dir+"/b"), "E! f.conf:3: "+line)
	requireChecked(t, file("", missing+"/a"), "E! f.conf:4: "+line)

	t.Setenv("STATE_DIRECTORY", missing)
	requireChecked(t, file(dir+"/a", ""),
		`E! f.conf:4: option "state_file": "`+missing+`/output.json" is in a folder that does not exist; `+
			`create "`+missing+`" for the user that runs Telegraf, or name a file in another folder`)
}

// TestCheckNamesMissingTables checks a file that may be for one plugin, and one that is for all.
func TestCheckNamesMissingTables(t *testing.T) {
	t.Chdir(t.TempDir())
	const content = "[[outputs.chembus]]\n[[inputs.chembus]]\n"
	const line = "f.conf: table [[processors.liveness]] is missing, so telegraf-chembus processor does not start with this file; " +
		"add it, without any option for the defaults"
	requireChecked(t, content, "W! "+line+", unless the file is for other plugins only")
	t.Setenv(configVariable, "f.conf")
	requireChecked(t, content, "E! "+line)
	requireChecked(t, "[[processors.liveness]]\nadopt = true\n")
}

func TestCheckNamesUnsetVariables(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("WORD", "colony")
	requireChecked(t, "[[inputs.chembus]]\n[[processors.liveness]]\nignore = [\"$WORD\", \"${UNSET_A}\"]\n"+
		"[[processors.liveness.override]]\nzooid = [\"a\"]\nunit = \"${UNSET_B}.service\"\n"+
		"[[outputs.chembus]]\necosystem = \"${UNSET_C:-none} $$WORD\"\n",
		`W! f.conf:3: option "ignore": the environment variable UNSET_A is not set, and the value stays as it is written; `+
			`set it in Telegraf's environment, give a default: ${NAME:-VALUE}, or write $$ for a $`,
		`W! f.conf:6: option "unit": the environment variable UNSET_B is not set, and the value stays as it is written; `+
			`set it in Telegraf's environment, give a default: ${NAME:-VALUE}, or write $$ for a $`)
}
