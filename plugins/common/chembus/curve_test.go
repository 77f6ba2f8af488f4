package chembus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	zmq "github.com/pebbe/zmq4"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

func TestCurveFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), mode))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	public, secret, err := zmq.NewCurveKeypair()
	require.NoError(t, err)
	another, _, err := zmq.NewCurveKeypair()
	require.NoError(t, err)
	good := Curve{
		ServerKeyFile: write("server", public+"\n", 0o644),
		PublicKeyFile: write("public", public, 0o644),
		SecretKeyFile: write("secret", secret+"\n", 0o600),
	}
	keys, err := good.Load()
	require.NoError(t, err)
	require.Equal(t, &Keys{server: public, public: public, secret: secret}, keys)

	keys, err = new(Curve).Load()
	require.NoError(t, err)
	require.Nil(t, keys)

	const letters = "the password is swordfish"
	for name, test := range map[string]struct {
		change func(*Curve)
		option string
		says   string
	}{
		"one is missing":      {func(c *Curve) { c.PublicKeyFile = "" }, "curve_public_key_file", "is missing"},
		"no such file":        {func(c *Curve) { c.ServerKeyFile = filepath.Join(dir, "none") }, "curve_server_key_file", "cannot be read"},
		"no key":              {func(c *Curve) { c.ServerKeyFile = write("text", letters, 0o644) }, "curve_server_key_file", "holds no key"},
		"not Z85":             {func(c *Curve) { c.ServerKeyFile = write("bad", strings.Repeat("~", 40), 0o644) }, "curve_server_key_file", "holds no key"},
		"cannot be decoded":   {func(c *Curve) { c.ServerKeyFile = write("sharp", strings.Repeat("#", 40), 0o644) }, "curve_server_key_file", "holds no key"},
		"of another pair":     {func(c *Curve) { c.PublicKeyFile = write("other", another, 0o644) }, "curve_public_key_file", "of the secret one"},
		"others may read":     {func(c *Curve) { c.SecretKeyFile = write("open", secret, 0o640) }, "curve_secret_key_file", "can be read by others"},
		"everybody may read":  {func(c *Curve) { c.SecretKeyFile = write("wide", secret, 0o604) }, "curve_secret_key_file", "can be read by others"},
		"a folder for a file": {func(c *Curve) { c.ServerKeyFile = dir }, "curve_server_key_file", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			test.change(&c)
			_, err := c.Load()
			var bad *option.Error
			require.ErrorAs(t, err, &bad)
			require.Equal(t, test.option, bad.Name)
			require.Contains(t, bad.Problem, test.says)
			require.NotContains(t, err.Error(), letters)
			require.NotContains(t, err.Error(), secret)
		})
	}
}

// TestCurve has a publisher that accepts one client's key: a subscriber with that key hears it, one with
// another key hears nothing.
func TestCurve(t *testing.T) {
	serverPublic, serverSecret, err := zmq.NewCurveKeypair()
	require.NoError(t, err)
	client := func() *Keys {
		public, secret, err := zmq.NewCurveKeypair()
		require.NoError(t, err)
		return &Keys{server: serverPublic, public: public, secret: secret}
	}
	known, stranger := client(), client()

	// The authenticator of zmq4 works for sockets of the default context only.
	require.NoError(t, zmq.AuthStart())
	defer zmq.AuthStop()
	zmq.AuthCurveAdd("bus", known.public)
	xpub, err := zmq.NewSocket(zmq.XPUB)
	require.NoError(t, err)
	defer xpub.Close()
	require.NoError(t, xpub.SetLinger(0))
	require.NoError(t, xpub.ServerAuthCurve("bus", serverSecret))
	require.NoError(t, xpub.Bind("tcp://127.0.0.1:*"))
	endpoint, err := xpub.GetLastEndpoint()
	require.NoError(t, err)

	ctx := newContext(t)
	subscribe := func(keys *Keys) *Connection {
		c, err := NewSubscriber(ctx, endpoint, keys, 1000, "S")
		require.NoError(t, err)
		t.Cleanup(func() { c.Close(0) })
		return c
	}
	outsiders := []*Connection{subscribe(stranger), subscribe(nil)}
	insider := subscribe(known)
	message, err := xpub.RecvBytes(0)
	require.NoError(t, err)
	require.Equal(t, "\x01S", string(message), "the known one subscribes")
	_, err = xpub.SendMessage("S", "hello")
	require.NoError(t, err)
	_, payload, _ := receive(t, insider)
	require.Equal(t, "hello", string(payload))
	for _, outsider := range outsiders {
		_, _, _, err = outsider.Receive()
		require.True(t, Again(err), "it hears nothing")
	}
}
