package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// badFile returns a file with a bad option for each plugin.
func badFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "f.conf")
	require.NoError(t, os.WriteFile(file, []byte(
		"[[inputs.chembus]]\nprobe = 1\n[[processors.liveness]]\nprobe = 1\n[[outputs.chembus]]\nintensity = 1\n"), 0o600))
	return file
}

// complaints are what each plugin says about badFile.
var complaints = map[string]string{
	"input": `%[1]s:2: option "probe": 1 is not a boolean; use true or false, without quotes. ` +
		`Nothing is received from the bus until that is corrected; it is tried again every 2s`,
	"processor": `%[1]s:4: option "probe" belongs in [[inputs.chembus]], not in [[processors.liveness]]; move it there. ` +
		`Metrics pass unchanged, and no component is judged, until that is corrected; it is tried again every 2s`,
	"output": `%[1]s:6: option "intensity": 1 is not a float; use a number with a decimal point and without quotes, such as 1.0. ` +
		`No gap is published until that is corrected; it is tried again every 2s`,
}

var ids = map[string]string{"input": "inputs.chembus", "processor": "processors.liveness", "output": "outputs.chembus"}

// TestBadOptionDrainsStdin requires one line, a process that stays, and stdin that is read: much more than a pipe holds.
func TestBadOptionDrainsStdin(t *testing.T) {
	file := badFile(t)
	for role, complaint := range complaints {
		for name, end := range map[string]func(*process){
			"end of stdin": func(p *process) { require.NoError(p.t, p.stdin.Close()) },
			"SIGTERM": func(p *process) {
				p.signal(syscall.SIGTERM)
				if role != "input" { // which ends at once
					require.NoError(p.t, p.stdin.Close())
				}
			},
		} {
			t.Run(role+", "+name, func(t *testing.T) {
				t.Parallel()
				p := start(t, binary, nil, role, "-config", file)
				line, err := p.stderr.ReadString('\n')
				require.NoError(t, err)
				require.Equal(t, "E! ["+ids[role]+"] "+fmt.Sprintf(complaint, file)+"\n", line)
				const metrics = 20_000
				const form = "other,tag=a\\ b value=%di 1000000000\n"
				if role == "processor" {
					go func() {
						for i := range metrics {
							p.send(fmt.Sprintf(form[:len(form)-1], i))
						}
					}()
					for i := range metrics {
						require.Equal(t, fmt.Sprintf(form, i), p.receive())
					}
				} else {
					for i := range metrics {
						p.send(fmt.Sprintf(form[:len(form)-1], i))
					}
				}
				end(p)
				stdout, stderr := p.wait(1)
				if !strings.HasPrefix(stdout, "I! [outputs.chembus] Received signal") {
					require.Empty(t, stdout)
				}
				require.NotContains(t, stderr, "E!")
			})
		}
	}
}

// TestBadOptionWithoutTelegraf starts plugins as an operator does in a terminal, and from a file.
func TestBadOptionWithoutTelegraf(t *testing.T) {
	file := badFile(t)
	metrics, err := os.Open(file)
	require.NoError(t, err)
	defer metrics.Close()
	for _, stdin := range []*os.File{nil, metrics} {
		cmd := exec.Command(binary, "processor", "-config", file)
		if stdin != nil {
			cmd.Stdin = stdin
		}
		output, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Equal(t, 1, cmd.ProcessState.ExitCode())
		require.Equal(t, "E! "+file+":4: option \"probe\" belongs in [[inputs.chembus]], not in [[processors.liveness]]; move it there\n", string(output))
	}
}

// TestErrorDoesNotWaitForTheLog has a plugin end with an error while the pipe of its log is full, and nobody reads it.
func TestErrorDoesNotWaitForTheLog(t *testing.T) {
	t.Parallel()
	log, full, err := os.Pipe()
	require.NoError(t, err)
	defer log.Close()
	defer full.Close()
	pipe, err := full.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, pipe.Write(func(fd uintptr) bool {
		for err == nil { // until there is no room
			_, err = syscall.Write(int(fd), []byte{0})
		}
		return true
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "processor", "-config", badFile(t))
	cmd.Stderr = full
	require.Error(t, cmd.Run())
	require.Equal(t, 1, cmd.ProcessState.ExitCode(), "it was killed, since it waited")
}

// TestRunsOnceTheProblemIsGone corrects the file of a processor, and lets an output start, whose log while it tried is
// written once.
func TestRunsOnceTheProblemIsGone(t *testing.T) {
	t.Run("processor", func(t *testing.T) {
		t.Parallel()
		file := badFile(t)
		p := start(t, binary, nil, "processor", "-config", file)
		p.send("before value=1i 1")
		require.Equal(t, "before value=1i 1\n", p.receive())
		require.NoError(t, os.WriteFile(file, []byte("[[processors.liveness]]\n"), 0o600))
		p.awaitStart()
		p.send("after value=1i 1")
		require.Equal(t, "after value=1i 1\n", p.receive())
		require.NoError(t, p.stdin.Close())
		_, stderr := p.wait(0)
		require.Contains(t, stderr, "I! [processors.liveness] Running, since what kept it from that is gone\n")
	})
	t.Run("output", func(t *testing.T) {
		t.Parallel()
		bus := filepath.Join(t.TempDir(), "bus")
		p := startFakes(t, bus, "output")
		p.awaitStart()
		for _, want := range []string{"W! [outputs.chembus] looking for the bus\n",
			"E! [outputs.chembus] starting: no bus. No gap is published until that is corrected; it is tried again every 2s\n"} {
			line, err := p.stderr.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, want, line)
		}
		p.send("lost value=1i")
		require.Eventually(t, func() bool {
			attempts, _ := os.ReadFile(bus + ".attempts")
			return len(attempts) >= 3
		}, time.Minute, 100*time.Millisecond, "it tries again, and says nothing of that")
		require.NoError(t, os.WriteFile(bus, nil, 0o600))
		p.awaitStart()
		require.Equal(t, "I! [outputs.chembus] Running, since what kept it from that is gone\n", p.receive())
		p.send("sent value=1i")
		require.Equal(t, "I! [outputs.chembus] wrote sent\n", p.receive())
		require.NoError(t, p.stdin.Close())
		_, stderr := p.wait(0)
		require.Equal(t, "W! [outputs.chembus] looking for the bus\nW! [outputs.chembus] a warning\n", stderr)
	})
}

func TestComplaintIsRepeatedOnceAMinute(t *testing.T) {
	var c complaint
	now := time.Unix(0, 0)
	logged := map[string]int{}
	for range 300 / 2 { // five minutes
		if c.Due("one", now) {
			logged["one"]++
		}
		now = now.Add(retryInterval)
	}
	require.Equal(t, map[string]int{"one": 5}, logged)
	require.True(t, c.Due("another", now), "what is new is said at once")
	require.False(t, c.Due("another", now.Add(retryInterval)))
}
