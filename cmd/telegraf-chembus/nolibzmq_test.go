package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// buildWithoutLibzmq builds the command as make build-liveness does.
func buildWithoutLibzmq(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped under -short: a build of all dependencies takes a minute")
	}
	path := filepath.Join(t.TempDir(), "telegraf-chembus")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// TestBuildWithoutLibzmq runs the processor in the static build: a component falls silent, and its gap opens.
func TestBuildWithoutLibzmq(t *testing.T) {
	program := buildWithoutLibzmq(t)
	file, err := elf.Open(program)
	require.NoError(t, err)
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, libraries, "it is to be static")

	t.Chdir(t.TempDir())
	writeConfig(t, "[[processors.liveness]]\n  threshold = \"3s\"\n  state_file = \"./liveness.json\"\n")
	lines := []string{
		"chembus_tick,endpoint=e,host=h observed_s=0,run=7i,holes=0i 1000000000",
		"chembus_heartbeat,endpoint=e,host=h,zooid=dead beats=1i,starts=0i,observed_s=0.5,run=7i,sent=1.5 1500000000",
		"chembus_tick,endpoint=e,host=h observed_s=2,run=7i,holes=0i 3000000000",
		"chembus_tick,endpoint=e,host=h observed_s=4,run=7i,holes=0i 5000000000",
	}
	run := exec.Command(program, "processor", "-config", "f.conf")
	run.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	out, err := run.Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "liveness_gap,endpoint=e,gap_type=heartbeat_missing,host=h,zooid=dead ")
}

// TestWithoutLibzmqSaysSo tests what the static build answers to what it cannot do.
func TestWithoutLibzmqSaysSo(t *testing.T) {
	program := buildWithoutLibzmq(t)
	t.Chdir(t.TempDir())
	writeConfig(t, "[[inputs.chembus]]\n[[processors.liveness]]\n  state_file = \"./liveness.json\"\n[[outputs.chembus]]\n  identity = [\"no option\"]\n")
	const because = " cannot run, because this build has no libzmq; use the one that make build makes, or the package\n"
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"input"}, "E! the defaults of inputs.chembus: inputs.chembus" + because},
		{[]string{"output", "-config", "f.conf"}, "E! f.conf:4: outputs.chembus" + because},
		{[]string{"watch", "-once"}, "E! watch" + because},
		{[]string{"wait", "audio_io"}, "E! wait" + because},
		{[]string{"check", "-config", "f.conf"}, "processors.liveness: ok\nE! f.conf:1: inputs.chembus" + because + "E! f.conf:4: outputs.chembus" + because},
	} {
		out, err := exec.Command(program, test.args...).CombinedOutput()
		require.Error(t, err, test.args)
		require.Equal(t, test.want, string(out), test.args)
	}

	sample, err := exec.Command(program, "sample").Output()
	require.NoError(t, err)
	require.Contains(t, string(sample), "[[processors.liveness]]")
	require.NotContains(t, string(sample), "chembus]]", "tables that check refuses")
	version, err := exec.Command(program, "version").Output()
	require.NoError(t, err)
	require.Contains(t, string(version), "(without libzmq, ")
}

// TestStateFileOnMacOS builds for macOS what depends on the system. CI also runs make build-liveness, which compiles all
// dependencies once more for each system.
func TestStateFileOnMacOS(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped under -short: a build of all dependencies takes some seconds")
	}
	build := exec.Command("go", "build", "../../plugins/common/statefile")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=darwin", "GOARCH=arm64")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
}
