package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
)

// beatOf returns the payload of a heartbeat.
func beatOf(name string) []byte {
	return colony.Heartbeat{Zooid: name, Niche: "n", TS: 1795446803.5}.Payload()
}

// waitScene is a bus, a publisher, and the path of a configuration for the bus.
type waitScene struct {
	*testing.T
	forwarded chan string // topics
	publisher *colony.Publisher
	config    string
}

func newWaitScene(t *testing.T) *waitScene {
	t.Helper()
	s := &waitScene{T: t, forwarded: make(chan string, 1000)}
	b, err := colony.NewBus(colony.BusConfig{OnForward: func(frames [][]byte) { s.forwarded <- string(frames[0]) }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	s.publisher, err = colony.NewPublisher(b.XSub())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.publisher.Close()) })
	s.config = waitConfig(t, b.XPub(), "")
	return s
}

// waitConfig writes a configuration file.
func waitConfig(t *testing.T, xpub, options string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "f.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "[[inputs.chembus]]\nsubscribe_endpoint = %q\n%s", xpub, options), 0o600))
	return file
}

// send publishes a message when somebody listens to heartbeats.
func (s *waitScene) send(frames ...[]byte) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	require.NoError(s, s.publisher.WaitSubscribed(ctx, "HEARTBEAT"))
	require.NoError(s, s.publisher.Send(frames...))
}

// TestWaitForBeats also requires that a wait publishes nothing.
func TestWaitForBeats(t *testing.T) {
	t.Parallel()
	s := newWaitScene(t)
	p := start(t, binary, nil, "wait", "a", "-timeout", "50s", "b", "-config", s.config, "a")
	s.send([]byte("HEARTBEAT"), beatOf("a"))
	s.send([]byte("HEARTBEAT"), beatOf("b"))
	stdout, stderr := p.wait(0)
	require.Empty(t, stdout)
	require.Empty(t, stderr)
	for range 2 {
		require.Equal(t, "HEARTBEAT", <-s.forwarded)
	}
	require.Empty(t, s.forwarded)
}

// TestWaitNamesWhoIsMissing sends a beat of b, and of a only what does not count: before the start, and what is no
// heartbeat.
func TestWaitNamesWhoIsMissing(t *testing.T) {
	t.Parallel()
	s := newWaitScene(t)
	require.NoError(t, s.publisher.Send([]byte("HEARTBEAT"), beatOf("a")))
	p := start(t, binary, nil, "wait", "-config", s.config, "-timeout", "10s", "c", "a", "evil\u202ename", "b")
	for _, message := range [][][]byte{
		{[]byte("HEARTBEAT_X"), beatOf("a")},
		{[]byte("HEARTBEAT"), beatOf("aa")},
		{[]byte("HEARTBEAT"), []byte("no JSON")},
		{[]byte("HEARTBEAT"), beatOf("a"), []byte("a third frame")},
		{[]byte("HEARTBEAT"), append(beatOf("a"), make([]byte, 64<<10)...)},
		{[]byte("HEARTBEAT"), beatOf("b")},
	} {
		s.send(message...)
	}
	stdout, stderr := p.wait(1)
	require.Empty(t, stdout)
	require.Regexp(t, `^E! wait: no heartbeat from "a", "c", "evil\\u202ename" within 10s, on the bus at "tcp://127\.0\.0\.1:\d+"\n$`, stderr)
}

func TestTimeoutOfAWait(t *testing.T) {
	for timeout, args := range map[time.Duration][]string{
		time.Minute:     {"wait", "a"}, // as the usage and the README say
		5 * time.Second: {"wait", "a", "-timeout", "5s"},
	} {
		a, err := parseArguments(args)
		require.NoError(t, err)
		require.Equal(t, timeout, a.timeout)
	}
}

// invokeWait runs a wait whose timeout is well below a second. It may take longer on a slow machine, but not as long as
// a wait for which that timeout does not hold.
func invokeWait(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		status, stdout, stderr = invoke(t, append([]string{"wait"}, args...)...)
	}()
	select {
	case <-ended:
	case <-time.After(defaultWait / 2):
		require.FailNow(t, "the wait did not end at its timeout")
	}
	return status, stdout, stderr
}

func TestWaitWithoutABus(t *testing.T) {
	status, stdout, stderr := invokeWait(t, "a", "-timeout", "200ms", "-config", waitConfig(t, "tcp://127.0.0.1:1", ""))
	require.Equal(t, 1, status)
	require.Empty(t, stdout)
	require.Equal(t, `E! wait: no heartbeat from "a" within 200ms, and no connection to the bus at "tcp://127.0.0.1:1"`+"\n", stderr)

	t.Setenv("KLR_CHEM_XPUB", "tcp://127.0.0.1:2")
	_, _, stderr = invokeWait(t, "a", "-timeout", "10ms")
	require.Contains(t, stderr, `the bus at "tcp://127.0.0.1:2"`)
}

func TestWaitForMany(t *testing.T) {
	args := []string{"-timeout", "10ms", "-config", waitConfig(t, "tcp://127.0.0.1:1", "")}
	for n := range 30 {
		args = append(args, fmt.Sprintf("z%02d", n))
	}
	_, _, stderr := invokeWait(t, args...)
	require.Contains(t, stderr, `"z18", "z19" and 10 more within 10ms`)
}

func TestWaitWithABadConfiguration(t *testing.T) {
	for options, complaint := range map[string]string{
		"heartbeat_topic = \"\"\n":  `E! \S+:3: option "heartbeat_topic": is empty; .*\n`,
		"heartbeat_topics = \"\"\n": `E! \S+:3: unknown option "heartbeat_topics" .*\n`,
	} {
		status, _, stderr := invoke(t, "wait", "a", "-config", waitConfig(t, "tcp://127.0.0.1:1", options))
		require.Equal(t, 1, status)
		require.Regexp(t, "^"+complaint+"$", stderr)
	}
}

// TestWaitOnAnEncryptedBus has a bus that accepts only encrypted connections.
func TestWaitOnAnEncryptedBus(t *testing.T) {
	t.Parallel()
	serverPublic, serverSecret, err := zmq.NewCurveKeypair()
	require.NoError(t, err)
	public, secret, err := zmq.NewCurveKeypair()
	require.NoError(t, err)
	ctx, err := zmq.NewContext()
	require.NoError(t, err)
	xpub, err := ctx.NewSocket(zmq.XPUB)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, xpub.Close()); require.NoError(t, ctx.Term()) })
	for _, err := range []error{
		xpub.SetLinger(0), xpub.SetRcvtimeo(time.Minute), xpub.SetCurveServer(1), xpub.SetCurveSecretkey(serverSecret),
		xpub.Bind("tcp://127.0.0.1:*"),
	} {
		require.NoError(t, err)
	}
	endpoint, err := xpub.GetLastEndpoint()
	require.NoError(t, err)

	var keys string
	for name, key := range map[string]string{"server": serverPublic, "public": public, "secret": secret} {
		file := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(file, []byte(key), 0o600))
		keys += fmt.Sprintf("curve_%s_key_file = %q\n", name, file)
	}
	plain := start(t, binary, nil, "wait", "a", "-timeout", "1s", "-config", waitConfig(t, endpoint, ""))
	encrypted := start(t, binary, nil, "wait", "a", "-timeout", "50s", "-config", waitConfig(t, endpoint, keys+"heartbeat_topic = \"BEAT\"\n"))
	subscription, err := xpub.RecvBytes(0)
	require.NoError(t, err)
	require.Equal(t, "\x01BEAT", string(subscription))
	_, err = xpub.SendMessage("BEAT", beatOf("a"))
	require.NoError(t, err)
	_, stderr := encrypted.wait(0)
	require.Empty(t, stderr)
	_, stderr = plain.wait(1)
	require.Contains(t, stderr, `"a" within 1s, and no connection`)
}
