package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// binary is the path of the built command.
var binary string

// asFakes is an environment variable that makes the test binary run the command with fake plugins.
const asFakes = "TELEGRAF_CHEMBUS_FAKE_PLUGINS"

func TestMain(m *testing.M) {
	if os.Getenv(asFakes) != "" {
		registerFakes()
		main()
	}
	// The tests use neither the host's bus nor its options.
	for _, variable := range []string{"KLR_CHEM_XPUB", "KLR_CHEM_XSUB", "KLR_UMN_XPUB", "KLR_UMN_XSUB"} {
		os.Unsetenv(variable)
	}
	os.Setenv(configVariable, "")
	// No plugin is started as by Telegraf, from which stdin would be a pipe.
	var err error
	if os.Stdin, err = os.Open(os.DevNull); err != nil {
		panic(err)
	}
	os.Exit(buildAndTest(m))
}

func buildAndTest(m *testing.M) int {
	dir, err := os.MkdirTemp("", "telegraf-chembus-")
	if err == nil {
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "telegraf-chembus")
		var out []byte
		out, err = exec.Command("go", "build", "-ldflags", "-X main.version=v1.2.3-test", "-o", binary, ".").CombinedOutput()
		os.Stderr.Write(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// invoke runs the command inside the test.
func invoke(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = command(args, &out, &err)
	return status, out.String(), err.String()
}

func TestBadUsageIsOneLine(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, `no command given`},
		{[]string{""}, `no command given`},
		{[]string{"inputs"}, `unknown command "inputs"`},
		{[]string{"inputs", "-config", "f.conf"}, `unknown command "inputs"`},
		{[]string{"input", "f.conf"}, `unexpected argument "f.conf"; use -config FILE to name a file`},
		{[]string{"input", "-config"}, `flag needs an argument: -config`},
		{[]string{"input", "-config", ""}, `invalid value "" for flag -config: the file name is empty`},
		{[]string{"output", "-conf", "f.conf"}, `flag provided but not defined: -conf`},
		{[]string{"-config", "f.conf", "input"}, `unexpected argument "input"`},
		{[]string{"--"}, `-config FILE is missing`},
		{[]string{"check"}, `no file to check: use -config FILE, set TELEGRAF_CHEMBUS_CONFIG or create /etc/telegraf-chembus/chembus.conf`},
		{[]string{"sample", "-config", "f.conf"}, `flag provided but not defined: -config`},
		{[]string{"version", "now"}, `unexpected argument "now"`},
		{[]string{"input", "-once"}, `flag provided but not defined: -once`},
		{[]string{"wait"}, `no component to wait for: name at least one, as in telegraf-chembus wait NAME`},
		{[]string{"wait", "-timeout", "5s"}, `no component to wait for: name at least one, as in telegraf-chembus wait NAME`},
		{[]string{"wait", "audio_io", ""}, `"" is no name that a component can have`},
		{[]string{"wait", "audio_io", "a\nb"}, `"a\nb" is no name that a component can have`},
		{[]string{"wait", "audio_io", "-timeout", "0s"}, `the timeout is 0s; use a duration above 0 such as 60s`},
		{[]string{"wait", "audio_io", "-timeout", "60"}, `invalid value "60" for flag -timeout: parse error`},
		{[]string{"wait", "audio_io", "-once"}, `flag provided but not defined: -once`},
		{[]string{"input", "-timeout", "5s"}, `flag provided but not defined: -timeout`},
		{[]string{"watch", "-interval", "10ms"}, "-interval is 10ms; use 100ms or longer"},
		{[]string{"watch", "audio_io"}, `unexpected argument "audio_io"; use -config FILE to name a file`},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			status, stdout, stderr := invoke(t, test.args...)
			require.Equal(t, 2, status)
			require.Empty(t, stdout)
			require.Equal(t, "E! "+test.want+"; see telegraf-chembus -h\n", stderr)
		})
	}
}

func TestUsageOnRequest(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"--help"}, {"help"}, {"input", "-h"}, {"sample", "-help"}, {"watch", "-h"}, {"wait", "a", "-h"}} {
		status, stdout, stderr := invoke(t, args...)
		require.Equal(t, 0, status, args)
		require.Equal(t, usage, stdout, args)
		require.Empty(t, stderr, args)
	}
}

func TestVersion(t *testing.T) {
	out, err := exec.Command(binary, "version").Output()
	require.NoError(t, err)
	require.Regexp(t, `^telegraf-chembus v1\.2\.3-test \(libzmq 4\.\d+\.\d+, `+regexp.QuoteMeta(runtime.Version())+`\)\n$`, string(out))

	for _, argument := range []string{"version", "--version", "-version"} {
		status, stdout, _ := invoke(t, argument)
		require.Equal(t, 0, status, argument)
		require.Regexp(t, `^telegraf-chembus \S+ \(libzmq `, stdout, argument)
	}
}

func TestSamplePassesCheck(t *testing.T) {
	t.Chdir(t.TempDir())
	status, sample, stderr := invoke(t, "sample")
	sample = strings.ReplaceAll(sample, `"/var/lib/telegraf-chembus/`, `"./`) // which need not be on this machine
	require.Equal(t, 0, status)
	require.Empty(t, stderr)

	// As printed, with every commented option enabled, and with the announced stops of the colony enabled.
	option := regexp.MustCompile(`(?m)^(\s*)# (\w+ = )`)
	require.Regexp(t, option, sample)
	stops := regexp.MustCompile(`(?m)^  # (\[\[inputs\.chembus\.stop\]\]|  (topic|zooid|zooid_fact) = ".*")$`)
	require.Len(t, stops.FindAllString(sample, -1), 3*8)
	for _, content := range []string{sample, option.ReplaceAllString(sample, "$1$2"), stops.ReplaceAllString(sample, "$1")} {
		writeConfig(t, content)
		status, stdout, stderr := invoke(t, "check", "-config", "f.conf")
		require.Empty(t, stderr)
		require.Equal(t, 0, status)
		require.Equal(t, "inputs.chembus: ok\nprocessors.liveness: ok\noutputs.chembus: ok\noutputs.liveness: ok\n", stdout)
	}
}

// TestFileFromTheEnvironment tests that -config takes precedence over the environment.
func TestFileFromTheEnvironment(t *testing.T) {
	t.Setenv(configVariable, "environment.conf")
	for _, test := range []struct {
		args []string
		file string
	}{
		{[]string{"input"}, "environment.conf"},
		{[]string{"output", "-config", "f.conf"}, "f.conf"},
		{[]string{"watch", "-once"}, "environment.conf"},
		{[]string{"watch", "-config", "f.conf"}, "f.conf"},
		{[]string{"wait", "a"}, "environment.conf"},
		{[]string{"wait", "a", "-config", "f.conf"}, "f.conf"},
		{[]string{"check"}, "environment.conf"},
		{[]string{"check", "-config", "f.conf"}, "f.conf"},
		{[]string{"sample"}, ""},
	} {
		a, err := parseArguments(test.args)
		require.NoError(t, err)
		require.Equal(t, test.file, a.file, "%v", test.args)
	}
}

// TestStandardFile tests which file is used without -config.
func TestStandardFile(t *testing.T) {
	standard := filepath.Join(t.TempDir(), "chembus.conf")
	t.Setenv(configVariable, "") // restores it after the test
	os.Unsetenv(configVariable)
	require.Empty(t, unnamedFile(standard), "there is no such file")
	require.NoError(t, os.WriteFile(standard, nil, 0o600))
	require.Equal(t, standard, unnamedFile(standard))
	for _, named := range []string{"environment.conf", ""} {
		t.Setenv(configVariable, named)
		require.Equal(t, named, unnamedFile(standard))
	}
}

func writeConfig(t *testing.T, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile("f.conf", []byte(content), 0o600))
}
