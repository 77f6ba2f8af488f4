package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/kloros/telegraf-chembus/testutil/process"
)

// plugin is one of our processes with its two pipes, without a Telegraf between.
type plugin struct {
	*process.Process
	stdin *os.File // nil: comes from another plugin
}

// startPlugin runs telegraf-chembus in a role. With a nil stdin the bench writes to it.
func (b *bench) startPlugin(role, options string, stdin *os.File, stdout io.Writer) (*plugin, error) {
	dir, err := os.MkdirTemp(b.dir, role)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "chembus.conf")
	if err := os.WriteFile(file, []byte(options), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(b.plugins, "telegraf-chembus"), role, "-config", file)
	cmd.Env = append(os.Environ(), "STATE_DIRECTORY="+dir)
	p := &plugin{}
	if stdin == nil {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		stdin, p.stdin = r, w
	}
	cmd.Stdin = stdin
	if p.Process, err = process.Start(cmd, stdout); err != nil && p.stdin != nil {
		_ = p.stdin.Close()
	}
	return p, err
}

// ask makes an input gather.
func (p *plugin) ask() error {
	_, err := p.stdin.WriteString("\n")
	return err
}

// stop ends the plugin.
func (p *plugin) stop() error {
	if p.stdin != nil {
		_ = p.stdin.Close()
	}
	if err := p.Stop(); err != nil {
		return fmt.Errorf("%w; it said:\n%s", err, p.Output())
	}
	return nil
}

// pipeline is sensor and judge, the one's stdout being the other's stdin.
type pipeline struct {
	sensor, judge *plugin
}

// startPipeline starts both; each line that the judge writes is given to take.
func (b *bench) startPipeline(options string, take func(line []byte)) (*pipeline, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	defer w.Close()
	p := &pipeline{}
	if p.judge, err = b.startPlugin("processor", options, r, &lines{take: take}); err != nil {
		return nil, err
	}
	if p.sensor, err = b.startPlugin("input", options, nil, w); err != nil {
		w.Close() // so that it ends
		return nil, errors.Join(err, p.judge.stop())
	}
	return p, nil
}

func (p *pipeline) pids() []int {
	return []int{p.sensor.Pid(), p.judge.Pid()}
}

// stop ends the sensor, and with its output the judge.
func (p *pipeline) stop() error {
	return errors.Join(p.sensor.stop(), p.judge.stop())
}
