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

// keyPair is one client's, or the bus's.
type keyPair struct{ public, secret string }

func newKeyPair(t *testing.T) keyPair {
	t.Helper()
	public, secret, err := zmq.NewCurveKeypair()
	require.NoError(t, err)
	return keyPair{public, secret}
}

// curveClient is a sensor and a voice that have a key pair.
type curveClient struct {
	sensor, voice *pluginProcess
}

// TestCurveKeepsStrangersOut has a bus that encrypts and knows one client. A sensor with another key hears
// nothing of what that client says, and what a voice with another key says is heard by nobody.
func TestCurveKeepsStrangersOut(t *testing.T) {
	t.Parallel()
	s := &scene{T: t}
	server, known := newKeyPair(t), newKeyPair(t)
	proxy, err := process.Start(exec.Command("/usr/bin/python3", filepath.Join("testdata", "curve_proxy.py"),
		server.public, server.secret, known.public), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = proxy.Stop() })
	s.wait("the proxy is bound", func() bool { return strings.HasSuffix(proxy.Output(), "\n") })
	endpoints := strings.Fields(proxy.Output())
	require.Len(t, endpoints, 2, proxy.Output())

	insider := s.curveClient(endpoints, server.public, known)
	strangers := map[string]*curveClient{
		"another key":     s.curveClient(endpoints, server.public, newKeyPair(t)),
		"another bus key": s.curveClient(endpoints, newKeyPair(t).public, known),
		"no key":          s.curveClient(endpoints, "", keyPair{}),
	}
	// The consumer knows the key, and the insider's sensor beats as heartbeat_monitor.
	ctx, err := zmq.NewContext()
	require.NoError(t, err)
	consumer, err := ctx.NewSocket(zmq.SUB)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, consumer.Close()); require.NoError(t, ctx.Term()) })
	require.NoError(t, consumer.ClientAuthCurve(server.public, known.public, known.secret))
	require.NoError(t, consumer.SetSubscribe("CAPABILITY_GAP"))
	require.NoError(t, consumer.SetRcvtimeo(limit))
	require.NoError(t, consumer.Connect(endpoints[1]))
	for _, stranger := range strangers {
		stranger.voice.write(gapLevel("of a stranger"))
	}
	for n := range 5 {
		incident := fmt.Sprint("of the insider ", n)
		insider.voice.write(gapLevel(incident))
		frames, err := consumer.RecvMessage(0)
		require.NoError(t, err)
		require.Contains(t, frames[1], incident, "nobody else is heard")
	}
	s.wait("the insider hears its own heartbeat", func() bool {
		return strings.Contains(insider.sensor.Output(), "chembus_heartbeat,")
	})
	for name, stranger := range strangers {
		stranger.sensor.write("\n") // which collects chembus_bus
		s.wait("the sensor with "+name+" reports", func() bool {
			return strings.Contains(stranger.sensor.Output(), "chembus_bus,")
		})
		require.Contains(t, stranger.sensor.Output(), "connected=false", name)
		require.Contains(t, stranger.sensor.Output(), "messages=0i", name)
		require.NotContains(t, stranger.sensor.Output(), "chembus_heartbeat,", name)
		require.NotContains(t, stranger.voice.Output(), "Published the gap", name)
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
	return &curveClient{sensor: s.plugin("input", config), voice: s.plugin("output", config)}
}
