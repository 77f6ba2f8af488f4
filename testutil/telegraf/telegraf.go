// Package telegraf runs a Telegraf with the project's drop-in, for tests, the demo, the bench and the soak test.
package telegraf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/kloros/telegraf-chembus/testutil/process"
)

// Config is the configuration of a Telegraf. All paths are absolute.
type Config struct {
	Binary  string    // the telegraf program
	Plugins string    // folder of telegraf-chembus, added to the front of PATH; empty: PATH is unchanged
	DropIn  string    // the drop-in, copied to telegraf.d; empty: none
	Agent   string    // content of telegraf.conf: [agent], outputs and other plugins
	Options string    // content of the configuration file of telegraf-chembus; empty: defaults
	Dir     string    // folder for configuration and state
	Env     []string  // added to the environment
	Args    []string  // further arguments
	Stdout  io.Writer // Telegraf's stdout; nil: kept with the log
}

// Telegraf is a running agent.
type Telegraf struct {
	*process.Process
}

// Start starts Telegraf as its service does, with a configuration file and a folder of drop-ins.
func Start(c Config) (*Telegraf, error) {
	dropIns := filepath.Join(c.Dir, "telegraf.d")
	agent := filepath.Join(c.Dir, "telegraf.conf")
	if err := errors.Join(
		os.MkdirAll(dropIns, 0o700),
		os.WriteFile(agent, []byte(c.Agent), 0o600),
	); err != nil {
		return nil, err
	}
	if c.DropIn != "" {
		dropIn, err := os.ReadFile(c.DropIn)
		if err == nil {
			err = os.WriteFile(filepath.Join(dropIns, "chembus.conf"), dropIn, 0o600)
		}
		if err != nil {
			return nil, err
		}
	}
	// Options and state of a telegraf-chembus installed on this machine must not be used.
	options, state := "", filepath.Join(c.Dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	if c.Options != "" {
		options = filepath.Join(c.Dir, "chembus.conf")
		if err := os.WriteFile(options, []byte(c.Options), 0o600); err != nil {
			return nil, err
		}
	}
	env := slices.Concat(os.Environ(), []string{"TELEGRAF_CHEMBUS_CONFIG=" + options, "STATE_DIRECTORY=" + state})
	if c.Plugins != "" {
		env = append(env, "PATH="+c.Plugins+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	cmd := exec.Command(c.Binary, append([]string{"--config", agent, "--config-directory", dropIns}, c.Args...)...)
	cmd.Env = slices.Concat(env, c.Env)
	p, err := process.Start(cmd, c.Stdout)
	if err != nil {
		return nil, err
	}
	return &Telegraf{Process: p}, nil
}

// Plugin returns the process id of the plugin in a role (input, processor or output).
func (t *Telegraf) Plugin(role string) (int, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", t.Pid()))
	if err != nil {
		return 0, err
	}
	for _, task := range tasks {
		children, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has exited
		}
		for _, child := range strings.Fields(string(children)) {
			command, _ := os.ReadFile("/proc/" + child + "/cmdline") // an exited process has none
			if args := strings.Split(string(command), "\x00"); len(args) > 1 && args[1] == role {
				return strconv.Atoi(child)
			}
		}
	}
	return 0, fmt.Errorf("telegraf is not running the %s plugin", role)
}
