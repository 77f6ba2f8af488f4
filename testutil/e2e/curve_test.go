package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/process"
)

// keyPair is the key pair of a client or of the bus.
type keyPair struct{ public, secret string }

func newKeyPair(t *testing.T) keyPair {
	t.Helper()
	public, secret, err := zmq.NewCurveKeypair()
	require.NoError(t, err)
	return keyPair{public, secret}
}

// curveClient is an input and an output with a key pair.
type curveClient struct {
	input, output *pluginProcess
}

// TestCurve has an encrypted bus that accepts one client. An input with another key must receive nothing, and the messages
// of an output with another key must not be forwarded.
func TestCurve(t *testing.T) {
	t.Parallel()
	process.SkipIfShort(t, "Python with pyzmq")
	s := &scene{T: t}
	server, known := newKeyPair(t), newKeyPair(t)
	proxy, err := process.Start(exec.Command("/usr/bin/python3", filepath.Join("testdata", "curve_proxy.py"),
		server.public, server.secret, known.public), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = proxy.Stop() })
	s.wait("the proxy is bound", func() bool { return strings.HasSuffix(proxy.Output(), "\n") })
	endpoints := strings.Fields(proxy.Output())
	require.Len(t, endpoints, 2, proxy.Output())

	accepted := s.curveClient(endpoints, server.public, known)
	rejected := map[string]*curveClient{
		"another key":     s.curveClient(endpoints, server.public, newKeyPair(t)),
		"another bus key": s.curveClient(endpoints, newKeyPair(t).public, known),
		"no key":          s.curveClient(endpoints, "", keyPair{}),
	}
	// The accepted input sends heartbeats as heartbeat_monitor, so it must receive those.
	ctx, err := zmq.NewContext()
	require.NoError(t, err)
	consumer, err := ctx.NewSocket(zmq.SUB)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, consumer.Close()); require.NoError(t, ctx.Term()) })
	require.NoError(t, consumer.ClientAuthCurve(server.public, known.public, known.secret))
	require.NoError(t, consumer.SetSubscribe("CAPABILITY_GAP"))
	require.NoError(t, consumer.SetRcvtimeo(limit))
	require.NoError(t, consumer.Connect(endpoints[1]))
	for _, client := range rejected {
		client.output.write(gapLevel("rejected"))
	}
	for n := range 5 {
		incident := fmt.Sprint("accepted ", n)
		accepted.output.write(gapLevel(incident))
		frames, err := consumer.RecvMessage(0)
		require.NoError(t, err)
		require.Contains(t, frames[1], incident, "no gap of another client")
	}
	s.wait("the accepted input receives its own heartbeat", func() bool {
		return strings.Contains(accepted.input.Output(), "chembus_heartbeat,")
	})
	for name, client := range rejected {
		s.wait("the input with "+name+" reports that it is not connected", func() bool {
			client.input.write("\n") // gather
			return strings.Contains(client.input.Output(), "connected=false")
		})
		require.NotContains(t, client.input.Output(), "connected=true", name)
		require.Contains(t, client.input.Output(), "messages=0i", name)
		require.NotContains(t, client.input.Output(), "chembus_heartbeat,", name)
		require.NotContains(t, client.input.Output(), "was cut", name)
		require.NotContains(t, client.output.Output(), "Published the gap", name)
	}
}

func (s *scene) curveClient(endpoints []string, serverKey string, keys keyPair) *curveClient {
	s.Helper()
	dir := s.TempDir()
	var options string
	if serverKey != "" {
		for name, key := range map[string]string{"server": serverKey, "public": keys.public, "secret": keys.secret} {
			file := filepath.Join(dir, name+".key")
			require.NoError(s, os.WriteFile(file, []byte(key+"\n"), 0o600))
			options += fmt.Sprintf("  curve_%s_key_file = %q\n", name, file)
		}
	}
	options += fmt.Sprintf("  publish_endpoint = %q\n  subscribe_endpoint = %q\n", endpoints[0], endpoints[1])
	config := filepath.Join(dir, "chembus.conf")
	require.NoError(s, os.WriteFile(config, []byte("[[inputs.chembus]]\n"+options+"[[outputs.chembus]]\n"+options), 0o600))
	return &curveClient{input: s.plugin("input", config), output: s.plugin("output", config)}
}
