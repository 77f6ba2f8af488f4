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

// pluginProcess is one of the plugins as Telegraf runs it, without Telegraf.
type pluginProcess struct {
	*process.Process
	scene *scene
	stdin *os.File
}

// plugin starts a plugin in a role with an options' file.
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
			s.Logf("the %s said:\n%s", role, p.Output())
		}
	})
	return p
}

// write hands something over as Telegraf does.
func (p *pluginProcess) write(lines string) {
	p.scene.Helper()
	_, err := p.stdin.WriteString(lines)
	require.NoError(p.scene, err)
}

// gapLevel is the level of an open incident in line protocol, each of a component of its own.
func gapLevel(incident string) string {
	return fmt.Sprintf("liveness_gap,zooid=of\\ %s,gap_type=heartbeat_missing "+
		"incident_id=%q,open=true,last_seen=1795446803.5,missing_seconds=31.5,reason=\"test\" 1795446835000000000\n",
		strings.ReplaceAll(incident, " ", `\ `), incident)
}
