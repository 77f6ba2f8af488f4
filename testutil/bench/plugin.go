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

// plugin is a plugin's process with its pipes, without Telegraf.
type plugin struct {
	*process.Process
	stdin *os.File // nil if stdin comes from another plugin
}

// startPlugin starts telegraf-chembus in a role. If stdin is nil, the bench writes to the plugin's stdin.
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

// gather makes an input gather.
func (p *plugin) gather() error {
	_, err := p.stdin.WriteString("\n")
	return err
}

// stop stops the plugin.
func (p *plugin) stop() error {
	if p.stdin != nil {
		_ = p.stdin.Close()
	}
	if err := p.Stop(); err != nil {
		return fmt.Errorf("%w; its log:\n%s", err, p.Output())
	}
	return nil
}

// pipeline is an input and a processor, connected by a pipe.
type pipeline struct {
	input, processor *plugin
}

// startPipeline starts both and calls take for each line that the processor writes.
func (b *bench) startPipeline(options string, take func(line []byte)) (*pipeline, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	defer w.Close()
	p := &pipeline{}
	if p.processor, err = b.startPlugin("processor", options, r, &lines{take: take}); err != nil {
		return nil, err
	}
	if p.input, err = b.startPlugin("input", options, nil, w); err != nil {
		w.Close() // so that the processor exits
		return nil, errors.Join(err, p.processor.stop())
	}
	return p, nil
}

func (p *pipeline) pids() []int {
	return []int{p.input.Pid(), p.processor.Pid()}
}

// stop stops the input, which closes the processor's stdin, and the processor.
func (p *pipeline) stop() error {
	return errors.Join(p.input.stop(), p.processor.stop())
}
