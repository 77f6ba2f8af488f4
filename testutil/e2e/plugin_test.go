package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/process"
)

// pluginProcess is a plugin's process without Telegraf.
type pluginProcess struct {
	*process.Process
	scene *scene
	stdin *os.File
}

// plugin starts a plugin with a configuration file.
func (s *scene) plugin(role, config string) *pluginProcess {
	s.Helper()
	cmd := exec.Command(filepath.Join(plugins, "telegraf-chembus"), role, "-config", config)
	cmd.Env = append(os.Environ(), "STATE_DIRECTORY="+filepath.Dir(config))
	if s.bus != nil {
		cmd.Env = append(cmd.Env, s.env()...)
	}
	reader, writer, err := os.Pipe()
	require.NoError(s, err)
	cmd.Stdin = reader
	started, err := process.Start(cmd, nil)
	require.NoError(s, err)
	require.NoError(s, reader.Close())
	p := &pluginProcess{Process: started, scene: s, stdin: writer}
	s.Cleanup(func() {
		_ = writer.Close()
		_ = p.Stop()
		if s.Failed() {
			s.Logf("the log of the %s:\n%s", role, p.Output())
		}
	})
	return p
}

// write writes to the plugin's stdin as Telegraf does.
func (p *pluginProcess) write(lines string) {
	p.scene.Helper()
	_, err := p.stdin.WriteString(lines)
	require.NoError(p.scene, err)
}

// gapLevel returns the metric of an open gap in line protocol. Each incident is of a component of its own.
func gapLevel(incident string) string {
	return fmt.Sprintf("liveness_gap,zooid=of\\ %s,gap_type=heartbeat_missing "+
		"incident_id=%q,open=true,last_seen=1795446803.5,missing_seconds=31.5,reason=\"test\" 1795446835000000000\n",
		strings.ReplaceAll(incident, " ", `\ `), incident)
}
