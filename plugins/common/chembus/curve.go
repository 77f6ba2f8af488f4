package chembus

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	zmq "github.com/pebbe/zmq4"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

// Curve are the options of an encrypted connection (CurveZMQ): three files, or none of them for a
// connection in plain text.
type Curve struct {
	ServerKeyFile string `toml:"curve_server_key_file"`
	PublicKeyFile string `toml:"curve_public_key_file"`
	SecretKeyFile string `toml:"curve_secret_key_file"`
}

// Keys encrypt connections; nil encrypts none.
type Keys struct {
	server, public, secret string // Z85
}

// keyForm is a key in Z85 (ZeroMQ RFC 32).
var keyForm = regexp.MustCompile(`^[0-9A-Za-z.:+=^!/*?&<>()\[\]{}@%$#-]{40}$`)

// Load reads the files. The keys are nil if none is configured.
func (c *Curve) Load() (*Keys, error) {
	keys := new(Keys)
	missing, found := "", false
	for _, file := range []struct {
		option, path string
		key          *string
		secret       bool
	}{
		{"curve_server_key_file", c.ServerKeyFile, &keys.server, false},
		{"curve_public_key_file", c.PublicKeyFile, &keys.public, false},
		{"curve_secret_key_file", c.SecretKeyFile, &keys.secret, true},
	} {
		if file.path == "" {
			missing = file.option
			continue
		}
		found = true
		key, problem := readKey(file.path, file.secret)
		if problem != "" {
			return nil, &option.Error{
				Name:    file.option,
				Problem: fmt.Sprintf("%q %s", file.path, problem),
				Allowed: "name a file with a key of 40 characters in Z85; the secret key's with mode 0600",
			}
		}
		*file.key = key
	}
	switch {
	case !found:
		return nil, nil
	case missing != "":
		return nil, &option.Error{Name: missing, Problem: "is missing beside the other key files", Allowed: "give all three, or none"}
	}
	if public, err := zmq.AuthCurvePublic(keys.secret); err == nil && public != keys.public {
		return nil, &option.Error{
			Name:    "curve_public_key_file",
			Problem: fmt.Sprintf("%q does not hold the public key of the secret one", c.PublicKeyFile),
			Allowed: "give both files of one pair",
		}
	}
	return keys, nil
}

// readKey returns the key in a file, or what is wrong with it. Nothing of a file's content gets into
// the problem, which is logged.
func readKey(path string, secret bool) (key, problem string) {
	info, err := os.Stat(path)
	if err != nil {
		return "", "cannot be read: " + err.Error()
	}
	if secret && info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Sprintf("can be read by others than its owner (mode %04o)", info.Mode().Perm())
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", "cannot be read: " + err.Error()
	}
	key = strings.TrimSpace(string(content))
	if !keyForm.MatchString(key) {
		return "", "holds no key"
	}
	// Not everything of that form can be decoded; libzmq says so when it derives another key from it.
	if _, err := zmq.AuthCurvePublic(key); err != nil && zmq.HasCurve() {
		return "", "holds no key"
	}
	return key, ""
}

// apply makes a socket that is not connected yet encrypt its connections.
func (k *Keys) apply(socket *zmq.Socket) error {
	if k == nil {
		return nil
	}
	for _, set := range []func() error{
		func() error { return socket.SetCurveServerkey(k.server) },
		func() error { return socket.SetCurvePublickey(k.public) },
		func() error { return socket.SetCurveSecretkey(k.secret) },
	} {
		if err := set(); err != nil {
			return fmt.Errorf("encrypting a ZeroMQ socket: %w; this libzmq may lack CURVE", err)
		}
	}
	return nil
}
