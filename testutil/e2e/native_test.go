package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/process"
)

// outputOptions are the options of the output in the drop-in.
const outputOptions = `
  metric_batch_size = 1
  namepass = ["liveness_gap"]
`

// TestCompiledIn is TestKilledComponent with a Telegraf that contains the plugins.
func TestCompiledIn(t *testing.T) {
	killedComponent(newNativeScene(t, quick+outputOptions), "1", quickThreshold, "meta_agent", "heal_executor")
}

// TestCompiledInConfiguration requires that the custom Telegraf accepts the configuration in the README and rejects an
// unknown option.
func TestCompiledInConfiguration(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "telegraf.conf")
	gather := func(configuration string) (string, error) {
		require.NoError(t, os.WriteFile(file, []byte(configuration), 0o600))
		cmd := exec.Command(nativeTelegraf(t), "--config", file, "--test")
		// Nothing listens on this port.
		cmd.Env = append(os.Environ(), "KLR_CHEM_XPUB=tcp://127.0.0.1:1", "KLR_CHEM_XSUB=tcp://127.0.0.1:1")
		output, err := cmd.CombinedOutput()
		return string(output), err
	}
	configuration := readmeBlocks(t, "toml")[0]
	output, err := gather(configuration)
	require.NoError(t, err, output)
	require.Contains(t, output, "> chembus_bus,endpoint=tcp://127.0.0.1:1,")

	nested := "\n[[processors.liveness]]\n  [[processors.liveness.override]]\n  zooid = [\"a\"]\n  %s = \"5s\"\n"
	output, err = gather(configuration + fmt.Sprintf(nested, "threshold"))
	require.NoError(t, err, output)
	output, err = gather(configuration + fmt.Sprintf(nested, "thresold"))
	require.Error(t, err)
	require.Contains(t, output, `["thresold"]`)
}

// TestCompiledInRestarts reloads and restarts Telegraf while a component is dead. The processor keeps its state in
// Telegraf's statefile, the output in a file of its own.
func TestCompiledInRestarts(t *testing.T) {
	dir := t.TempDir()
	s := newNativeScene(t, fmt.Sprintf(`
  statefile = %q
  skip_processors_after_aggregators = true
`, filepath.Join(dir, "telegraf.state"))+quick+fmt.Sprintf("state_file = %q\n", filepath.Join(dir, "output.json"))+outputOptions)
	gaps := s.consumer()
	c := s.colony(5)
	require.NoError(t, c.Kill("audio_io"))
	s.wait("the death is found", func() bool { return len(gaps.Received()) > 0 })
	s.waitForGap("audio_io", true)
	incident := *gaps.Received()[0].IncidentID

	starts := func() int { return strings.Count(s.telegraf.Output(), "[inputs.chembus] Listening") }
	require.Equal(t, 1, starts())
	require.NoError(t, s.telegraf.Signal(syscall.SIGHUP))
	s.wait("Telegraf has reloaded its configuration", func() bool { return starts() == 2 })
	s.observe(quickThreshold)
	s.restart()
	s.observe(quickThreshold)
	require.NoError(t, c.Revive("audio_io"))
	s.waitForGap("audio_io", false)
	s.requireIncident(incident)
	require.Len(t, gaps.Received(), 1, "published once")

	require.NoError(t, c.Kill("meta_agent"))
	s.wait("the next death is found", func() bool { return len(gaps.Received()) > 1 })
	require.Equal(t, []string{"audio_io", "meta_agent"}, zooidsOf(gaps.Received()))
}

// newNativeScene is a scene with a Telegraf that contains the plugins. The options are part of its configuration, beginning
// with those of [agent].
func newNativeScene(t *testing.T, options string) *scene {
	t.Helper()
	binary := nativeTelegraf(t)
	s := newStoppedScene(t)
	s.config.Binary = binary
	s.config.Agent += options
	t.Cleanup(func() { // runs after Telegraf was stopped
		if s.telegraf != nil {
			require.NotRegexp(t, ` E! \[(inputs\.chembus|processors\.liveness|outputs\.chembus|telegraf)\]`, s.telegraf.Output())
		}
	})
	s.start()
	return s
}

// nativeTelegraf returns the path of a Telegraf built as described in the README.
func nativeTelegraf(t *testing.T) string {
	t.Helper()
	process.SkipIfShort(t, "a custom Telegraf")
	build.Do(func() {
		err := errors.New("the build has failed in another test")
		defer func() { errBuild = err }() // also when it ends this test
		err = buildNativeTelegraf(t, filepath.Join(plugins, "native"))
	})
	require.NoError(t, errBuild)
	return filepath.Join(plugins, "native", "telegraf", "telegraf")
}

var (
	build    sync.Once
	errBuild error
)

// buildNativeTelegraf runs the commands of the README in a folder with the source of both projects. That of Telegraf is
// copied from Go's module cache.
func buildNativeTelegraf(t *testing.T, dir string) error {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Version}} {{.Dir}}", "github.com/influxdata/telegraf").Output()
	require.NoError(t, err)
	version, source, _ := strings.Cut(strings.TrimSpace(string(module)), " ")
	shell := readmeBlocks(t, "shell")
	require.Contains(t, shell[0], " --branch "+version+" ", "the README must clone the version of Telegraf in go.mod")

	checkout := filepath.Join(dir, "telegraf")
	require.NoError(t, os.CopyFS(checkout, os.DirFS(source)))
	absolute, err := filepath.Abs(root)
	require.NoError(t, err)
	require.NoError(t, os.Symlink(absolute, filepath.Join(dir, "telegraf-chembus")))
	require.NoError(t, os.WriteFile(filepath.Join(checkout, "cmd", "telegraf", "chembus.go"), []byte(readmeBlocks(t, "go")[0]), 0o600))
	cmd := exec.Command("sh", "-e", "-c", shell[1])
	cmd.Dir = checkout
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building a custom Telegraf: %w\n%s", err, output)
	}
	return nil
}

// readmeBlocks returns the code blocks of a language in the section about compiling the plugins in.
func readmeBlocks(t *testing.T, language string) []string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "cmd", "telegraf-chembus", "README.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## Compiled into Telegraf\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var blocks []string
	for _, block := range regexp.MustCompile("(?s)\n```"+language+"\n(.*?)```\n").FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, block[1])
	}
	require.NotEmpty(t, blocks, language)
	return blocks
}
