package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/inputs"
	"github.com/influxdata/telegraf/plugins/outputs"
	"github.com/influxdata/telegraf/plugins/processors"
	"github.com/stretchr/testify/require"
)

// registerFakes replaces the plugins by fakes that print to stdout, log and need no bus.
func registerFakes() {
	inputs.Add("chembus", func() telegraf.Input { return &fakeInput{} })
	processors.AddStreaming("liveness", func() telegraf.StreamingProcessor { return &fakeProcessor{} })
	outputs.Add("chembus", func() telegraf.Output { return &fakeOutput{} })
}

type fakePlugin struct {
	Log telegraf.Logger `toml:"-"`
}

func (*fakePlugin) SampleConfig() string { return "" }

// onlyLog is the mode in which the input prints nothing but log lines to stderr.
const onlyLog = "only log"

type fakeInput struct{ fakePlugin }

func (f *fakeInput) Gather(acc telegraf.Accumulator) error {
	if os.Getenv(asFakes) != onlyLog {
		fmt.Println("a stray line")
	}
	f.Log.Info("gathering\nnow")
	acc.AddFields("gathered", map[string]any{"value": 1}, nil, time.Unix(1, 0))
	acc.AddError(errors.New("an error of the input"))
	return nil
}

type fakeProcessor struct{ fakePlugin }

func (*fakeProcessor) Start(telegraf.Accumulator) error { return nil }
func (f *fakeProcessor) Stop()                          { f.Log.Info("stopped") }

func (f *fakeProcessor) Add(m telegraf.Metric, acc telegraf.Accumulator) error {
	fmt.Println("a stray line")
	acc.AddMetric(m)
	return nil
}

type fakeOutput struct{ fakePlugin }

func (f *fakeOutput) Connect() error {
	if mode := os.Getenv(asFakes); mode != "yes" {
		f.Log.Warn("looking for the bus")
		attempts, err := os.OpenFile(mode+".attempts", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, _ = attempts.WriteString("x")
		_ = attempts.Close()
		if _, err := os.Stat(mode); err != nil {
			return errors.New("no bus")
		}
	}
	return nil
}

func (f *fakeOutput) Close() error {
	f.Log.Info("closed")
	return nil
}

func (f *fakeOutput) Write(metrics []telegraf.Metric) error {
	f.Log.Infof("wrote %s", metrics[0].Name())
	f.Log.Warn("a warning")
	return nil
}

// A process is a running command.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdin          io.WriteCloser
	stdout, stderr *bufio.Reader
}

// start runs the command with a state directory of its own. It is killed after a time that no test needs.
func start(t *testing.T, path string, environment []string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	p := &process{t: t, cmd: exec.CommandContext(ctx, path, args...)}
	p.cmd.Env = append(os.Environ(), append(environment, "STATE_DIRECTORY="+t.TempDir())...)
	stdin, err := p.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	stderr, err := p.cmd.StderrPipe()
	require.NoError(t, err)
	p.stdin, p.stdout, p.stderr = stdin, bufio.NewReader(stdout), bufio.NewReader(stderr)
	require.NoError(t, p.cmd.Start())
	return p
}

// startFakes runs the command with the fake plugins in a mode: "yes", or for an output that can connect as soon as there
// is a file, that file.
func startFakes(t *testing.T, mode string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return start(t, self, []string{asFakes + "=" + mode}, args...)
}

func (p *process) send(line string) {
	p.t.Helper()
	_, err := io.WriteString(p.stdin, line+"\n")
	require.NoError(p.t, err)
}

// receive reads the next line of stdout.
func (p *process) receive() string {
	p.t.Helper()
	line, err := p.stdout.ReadString('\n')
	require.NoError(p.t, err)
	return line
}

// awaitStart waits until the command handles signals.
func (p *process) awaitStart() {
	p.t.Helper()
	log := p.stderr
	if slices.Contains([]string{"output", "page"}, p.cmd.Args[1]) {
		log = p.stdout
	}
	for line := ""; !strings.Contains(line, "] Starting telegraf-chembus "); {
		var err error
		line, err = log.ReadString('\n')
		require.NoError(p.t, err)
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// wait waits until the process exits and returns the rest of stdout and stderr.
func (p *process) wait(status int) (stdout, stderr string) {
	p.t.Helper()
	out, err := io.ReadAll(p.stdout)
	require.NoError(p.t, err)
	log, err := io.ReadAll(p.stderr)
	require.NoError(p.t, err)
	_ = p.cmd.Wait() // the status is checked below
	require.Equal(p.t, status, p.cmd.ProcessState.ExitCode(), "%v: %s", p.cmd.ProcessState, log)
	return string(out), string(log)
}

func TestInputEndsWithStdinOrSignal(t *testing.T) {
	for name, end := range map[string]func(*process){
		"stdin":   func(p *process) { require.NoError(p.t, p.stdin.Close()) },
		"SIGTERM": func(p *process) { p.signal(syscall.SIGTERM) },
		"SIGINT":  func(p *process) { p.signal(os.Interrupt) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startFakes(t, "yes", "input")
			p.awaitStart()
			p.send("")
			require.Equal(t, "gathered value=1i 1000000000\n", p.receive())
			end(p)
			stdout, stderr := p.wait(0)
			require.Empty(t, stdout)
			require.Equal(t, "a stray line\nI! [inputs.chembus] gathering\\nnow\n"+
				"E! [inputs.chembus] Error in plugin: an error of the input\n", stderr)
		})
	}
}

// TestFullLogDoesNotBlock has plugins log much more than a pipe holds, while nobody reads their log.
func TestFullLogDoesNotBlock(t *testing.T) {
	t.Run("input", func(t *testing.T) {
		t.Parallel()
		const times = 1000 // 100 KB
		p := startFakes(t, onlyLog, "input")
		p.awaitStart()
		for range times {
			p.send("")
			require.Equal(t, "gathered value=1i 1000000000\n", p.receive())
		}
		for range times {
			line := ""
			for !strings.HasPrefix(line, "E! [inputs.chembus] Error in plugin") {
				var err error
				line, err = p.stderr.ReadString('\n')
				require.NoError(t, err, "nothing of it is lost")
			}
		}
		require.NoError(t, p.stdin.Close())
		p.wait(0)
	})
	t.Run("output", func(t *testing.T) {
		t.Parallel()
		const times = 20_000 // more than its stdin holds, too
		p := startFakes(t, "yes", "output")
		p.awaitStart()
		for n := range times {
			p.send(fmt.Sprintf("metric_%d value=1i", n))
		}
		for n := range times {
			require.Equal(t, fmt.Sprintf("I! [outputs.chembus] wrote metric_%d\n", n), p.receive())
		}
		require.NoError(t, p.stdin.Close())
		p.wait(0)
	})
}

// TestSignalsAtTheEnd has signals come until the process has exited, which takes as long as its log is not read.
func TestSignalsAtTheEnd(t *testing.T) {
	t.Parallel()
	p := startFakes(t, onlyLog, "input")
	p.awaitStart()
	for range 1000 { // more than the pipe of the log holds
		p.send("")
		require.Equal(t, "gathered value=1i 1000000000\n", p.receive())
	}
	require.NoError(t, p.stdin.Close())
	go func() {
		for p.cmd.Process.Signal(syscall.SIGTERM) == nil { // until it was waited for
			time.Sleep(time.Millisecond)
		}
	}()
	p.wait(0) // it reads the log last
}

func TestProcessorOutlivesSignals(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			p := startFakes(t, "yes", "processor")
			p.awaitStart()
			p.signal(s)
			line, err := p.stderr.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf(
				"I! [processors.liveness] Received signal %q; stopping at the end of stdin, or in 6s\n", s), line)
			p.send("first value=1i 1000000000")
			require.Equal(t, "first value=1i 1000000000\n", p.receive())
			p.signal(s)
			p.send("second value=1i 1000000000")
			require.NoError(t, p.stdin.Close())
			stdout, stderr := p.wait(0)
			require.Equal(t, "second value=1i 1000000000\n", stdout)
			require.Equal(t, "a stray line\na stray line\nI! [processors.liveness] stopped\n", stderr)
		})
	}
}

func TestOutputOutlivesSignals(t *testing.T) {
	t.Parallel()
	p := startFakes(t, "yes", "output")
	p.awaitStart()
	p.signal(syscall.SIGTERM)
	require.Equal(t, "I! [outputs.chembus] Received signal \"terminated\"; stopping at the end of stdin, or in 6s\n", p.receive())
	p.send("after value=1i")
	require.NoError(t, p.stdin.Close())
	stdout, stderr := p.wait(0)
	require.Equal(t, "I! [outputs.chembus] wrote after\nI! [outputs.chembus] closed\n", stdout)
	require.Equal(t, "W! [outputs.chembus] a warning\n", stderr)
}

func TestSignalWithoutEndOfStdin(t *testing.T) {
	for name, args := range map[string][]string{
		"processor": {"processor"},
		"output":    {"output", "-config", quietConfig(t)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, binary, nil, args...)
			p.awaitStart()
			p.signal(syscall.SIGTERM)
			_, stderr := p.wait(0)
			require.Contains(t, stderr, "] Stopping: stdin did not end within 6s of the signal; metrics sent from now on are lost\n")
		})
	}
}

// TestBinary starts and stops the built command with the real plugins and without a bus.
func TestBinary(t *testing.T) {
	config := quietConfig(t)
	for _, role := range []string{"input", "processor", "output", "page"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			p := start(t, binary, nil, role, "-config", config)
			p.awaitStart()
			if role != "input" {
				p.signal(syscall.SIGTERM)
				p.send("after value=1i 1000000000")
			}
			require.NoError(t, p.stdin.Close())
			stdout, _ := p.wait(0)
			if role == "processor" {
				require.Contains(t, stdout, "after value=1i 1000000000\n")
			}
		})
	}
}

// quietConfig configures all plugins for a bus that does not exist.
func quietConfig(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "f.conf")
	bus := "ipc://" + filepath.Join(dir, "bus")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "[[inputs.chembus]]\nsubscribe_endpoint = %q\npublish_endpoint = %q\n"+
		"[[processors.liveness]]\n[[outputs.chembus]]\npublish_endpoint = %q\n"+
		"[[outputs.liveness]]\nlisten = \"127.0.0.1:0\"\n", bus, bus, bus), 0o600))
	return file
}
