package main

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
)

const patience = 2 * time.Minute

// output collects what the command writes, and can be read meanwhile.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start runs the command on free ports until the test ends. It returns its stdout and the endpoints of its bus.
func start(t *testing.T, args ...string) (stdout *output, xsub, xpub string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stdout = &output{}
	var stderr output
	status := make(chan int, 1)
	go func() {
		status <- command(ctx, append([]string{"-xsub", colony.AnyPort, "-xpub", colony.AnyPort}, args...), stdout, &stderr)
	}()
	t.Cleanup(func() {
		cancel()
		require.Equal(t, exitOK, <-status)
		require.Empty(t, stderr.String())
	})
	up := regexp.MustCompile(`publishers connect to (\S+), subscribers to (\S+)\n`)
	require.Eventually(t, func() bool { return up.MatchString(stdout.String()) }, patience, time.Millisecond)
	endpoints := up.FindStringSubmatch(stdout.String())
	return stdout, endpoints[1], endpoints[2]
}

func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestColonyBeats(t *testing.T) {
	stdout, _, xpub := start(t, "-zooids", "13", "-interval", "10ms", "-jitter", "0.1", "-streams", "2", "-quirks",
		"-kill", "meta_agent@100ms", "-revive", "meta_agent@200ms", "-pause", "10ms+10ms")
	c, err := consumer.New(consumer.Config{XPub: xpub, Topic: colony.Topic})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.Wait(limit(t), func(received []consumer.Message) bool {
		names := make(map[any]bool)
		for _, m := range received {
			names[m.Facts["zooid"]] = true
		}
		return len(names) == 18
	}))
	for _, line := range []string{"pause the bus", "resume the bus", `kill "meta_agent"`, `revive "meta_agent"`} {
		require.Eventually(t, func() bool { return strings.Contains(stdout.String(), line) }, patience, time.Millisecond)
	}
}

// TestMaintenance has a maintenance that the duration cuts short, and requires that it is ended.
func TestMaintenance(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "maintenance_mode")
	t.Cleanup(func() { require.NoFileExists(t, marker) }) // after the end of the command
	stdout, _, _ := start(t, "-zooids", "11", "-interval", "10ms", "-maintenance", "1s+1s", "-maintenance", "3s+1h",
		"-maintenance-file", marker, "-revive", "meta_agent@3500ms")
	require.Eventually(t, func() bool {
		return strings.Contains(stdout.String(), `end the maintenance of 9 zooids: ["meta_agent"`)
	},
		patience, time.Millisecond)
	require.Eventually(t, func() bool { return strings.Contains(stdout.String(), `revive "meta_agent"`) }, patience, time.Millisecond)
	require.FileExists(t, marker)
}

func TestColonyWithGuests(t *testing.T) {
	stdout, xsub, xpub := start(t, "-zooids", "1", "-voice", "-runtime", "-interval", "10ms", "-listen", "-historian",
		"-interoception", "100ms", "-stop", "voice_tts@1s", "-kill-signal", "1500ms")
	p, err := colony.NewPublisher(xsub)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	require.NoError(t, p.WaitSubscribed(limit(t), "anything"))
	require.NoError(t, p.Send([]byte("telegraf-chembus.\x1b"), []byte("1")))
	c, err := consumer.New(consumer.Config{XPub: xpub, Topic: colony.Topic})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	for _, line := range []string{
		`the historian: unreadable: ["telegraf-chembus.\x1b" "1"]`, `stop "voice_tts"`, "publish the kill signal",
		`CAPABILITY_GAP "component_silent" of zooid "voice_tts"`,
	} {
		require.Eventually(t, func() bool { return strings.Contains(stdout.String(), line) }, patience, time.Millisecond, line)
	}
	killed := time.Now()
	require.NoError(t, c.Wait(limit(t), func(received []consumer.Message) bool {
		last := received[max(0, len(received)-1):]
		return len(last) > 0 && last[0].Received.After(killed) && last[0].Facts["incidents_handled"] != nil
	}), "ZooidRuntime goes on")
}

func TestListenQuotesFacts(t *testing.T) {
	stdout, xsub, _ := start(t, "-zooids", "0", "-listen")
	p, err := colony.NewPublisher(xsub)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	require.NoError(t, p.WaitSubscribed(limit(t), gapTopic))
	gap := []byte(`{"facts":{"gap_type":"heartbeat_missing","zooid":"\u001b[2Jx\n","gap_reason":["\u001b"],` +
		`"missing_seconds":31.25},"incident_id":"i\u0007"}`)
	require.NoError(t, p.Send([]byte(gapTopic), gap))
	require.NoError(t, p.Send([]byte(gapTopic), gap))
	require.Eventually(t, func() bool { return strings.Count(stdout.String(), gapTopic) == 2 }, patience, time.Millisecond)
	want := `CAPABILITY_GAP "heartbeat_missing" of zooid "\x1b[2Jx\n": "[\x1b]" (last_seen missing, ` +
		`missing_seconds 31.250, incident_id "i\a"): `
	require.Contains(t, stdout.String(), want+"handled\n")
	require.Contains(t, stdout.String(), want+"dropped as a duplicate\n")
}

func TestPublishesToAnotherBus(t *testing.T) {
	_, xsub, xpub := start(t, "-zooids", "0")
	c, err := consumer.New(consumer.Config{XPub: xpub, Topic: colony.Topic})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	ctx, cancel := context.WithCancel(context.Background())
	status := make(chan int, 1)
	go func() {
		var out output
		status <- command(ctx, []string{"-no-bus", "-xsub", xsub, "-xpub", xpub, "-zooids", "1", "-interval", "10ms"}, &out, &out)
	}()
	require.NoError(t, c.Wait(limit(t), func(received []consumer.Message) bool { return len(received) > 0 }))
	cancel()
	require.Equal(t, exitOK, <-status)
}

func TestDurationEnds(t *testing.T) {
	var out output
	args := []string{"-xsub", colony.AnyPort, "-xpub", colony.AnyPort, "-duration", "10ms", "-kill", "meta_agent@1h"}
	require.Equal(t, exitOK, command(limit(t), args, &out, &out))
}

func TestBadFlags(t *testing.T) {
	for args, want := range map[string]string{
		"-nonsense":                                  "not defined: -nonsense",
		"extra":                                      `unexpected argument "extra"`,
		"-zooids -1":                                 "-zooids -1",
		"-interval 0s":                               "-interval 0s",
		"-jitter NaN":                                "-jitter NaN",
		"-jitter 1":                                  "-jitter 1",
		"-streams -1":                                "-streams -1",
		"-duration -1s":                              "-duration -1s",
		"-kill meta_agent":                           "NAME@DURATION",
		"-kill meta_agent@":                          "NAME@DURATION",
		"-kill meta_agent@-1s":                       "NAME@DURATION",
		"-kill unknown@1s":                           `there is no zooid "unknown"`,
		"-kill audio_io@1s -kill audio_io@2s":        `"audio_io" was ended before 2s`,
		"-kill audio_io@1s -stop audio_io@2s":        `"audio_io" was ended before 2s`,
		"-stop unknown@1s":                           `there is no zooid "unknown"`,
		"-kill-signal -1s":                           "a duration from 0",
		"-kill-signal 1s -kill audio_io@2s":          `"audio_io" was ended before 2s`,
		"-maintenance 1s":                            "START+LENGTH",
		"-maintenance 1s+5s -maintenance 2s+1s":      "must not overlap",
		"-maintenance 1s+5s -kill meta_agent@2s":     `"meta_agent" was ended before 2s`,
		"-maintenance 1s+1s -revive meta_agent@3s":   `"meta_agent" is alive at 3s`,
		"-interoception -1s":                         "-interoception -1s",
		"-revive audio_io@1s":                        `"audio_io" is alive at 1s`,
		"-pause 1s":                                  "START+LENGTH",
		"-pause 1s+0s":                               "START+LENGTH",
		"-pause 1s+5s -pause 2s+1s":                  "the bus is already paused at 2s",
		"-no-bus -pause 1s+5s":                       "leave out -no-bus",
		"-xsub nonsense":                             "tcp://HOST:PORT",
		"-xsub tcp://127.0.0.1:* -xpub nonsense://x": "tcp://HOST:PORT",
	} {
		var stdout, stderr output
		require.Equal(t, exitUsage, command(limit(t), strings.Fields(args), &stdout, &stderr), args)
		require.Contains(t, stderr.String(), want, args)
		require.Equal(t, 1, strings.Count(stderr.String(), "\n"), args)
		require.Empty(t, stdout.String(), args)
	}
}

func TestBadEnvironment(t *testing.T) {
	t.Setenv("KLR_CHEM_XPUB", "nonsense")
	var out output
	require.Equal(t, exitUsage, command(limit(t), nil, &out, &out))
	require.Contains(t, out.String(), "KLR_CHEM_XPUB")
}

func TestPortInUse(t *testing.T) {
	_, xsub, _ := start(t, "-zooids", "0")
	var stdout, stderr output
	require.Equal(t, exitFailed, command(limit(t), []string{"-xsub", xsub}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "-no-bus")
	require.Equal(t, 1, strings.Count(stderr.String(), "\n"))
}

func TestHelp(t *testing.T) {
	var stdout, stderr output
	require.Equal(t, exitOK, command(limit(t), []string{"-help"}, &stdout, &stderr))
	require.Contains(t, stdout.String(), "-revive NAME@DURATION")
	require.Empty(t, stderr.String())
}
