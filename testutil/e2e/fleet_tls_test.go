package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	natsserver "github.com/kloros/telegraf-chembus/testutil/nats"
)

const securityHeading = "## TLS and users"

// TestFleetWithTLS runs a fleet on a server with the documentation's configuration for TLS and users, and tries what it has to
// refuse.
func TestFleetWithTLS(t *testing.T) {
	const document = "cmd/telegraf-chembus/fleet/fleet.md"
	dir := t.TempDir()
	natsserver.Binary(t, root) // skips the test if there is none
	ca := writeCertificates(t, dir)
	keys := map[string]string{}
	changes := [][2]string{{"/etc/nats/server.pem", filepath.Join(dir, "server.pem")}, {"/etc/nats/server-key.pem", filepath.Join(dir, "server-key.pem")}}
	generate := documentBlock(t, document, securityHeading, "shell", "   nats auth nkey gen")
	for name, placeholder := range map[string]string{"you": "U...YOU", "central": "U...CENTRAL", "kitchen": "U...KITCHEN"} {
		keys[name] = filepath.Join(dir, name+".nk")
		cmd := exec.Command("sh", "-ec", strings.ReplaceAll(generate, "nats.nk", keys[name]))
		cmd.Env = append(os.Environ(), "HOME="+dir, "PATH="+filepath.Dir(natsserver.Binary(t, root))+string(os.PathListSeparator)+os.Getenv("PATH"))
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", output)
		public := strings.Fields(string(output))
		require.NotEmpty(t, public)
		changes = append(changes, [2]string{placeholder, public[len(public)-1]})
	}
	f := newServer(t, replaced(t, documentBlock(t, document, securityHeading, "text", "   tls {"), changes...))
	f.shell(replaced(t, documentBlock(t, document, securityHeading, "shell", "NATS_URL="),
		[2]string{"nats://nats1:4222", f.nats.URL()}, [2]string{"nats-ca.pem", ca}, [2]string{"nats.nk", keys["you"]}))

	// What the documentation says to do with the drop-ins.
	uncomment := documentBlock(t, document, securityHeading, "shell", "   sed -i")
	for role, dropIn := range map[string]*string{"kitchen": &f.edge, "central": &f.dropIn} {
		content, err := os.ReadFile(*dropIn)
		require.NoError(t, err)
		*dropIn = filepath.Join(dir, role+".conf")
		require.NoError(t, os.WriteFile(*dropIn, []byte(replaced(t, string(content),
			[2]string{"/etc/telegraf/nats-ca.pem", ca}, [2]string{"/etc/telegraf/nats.nk", keys[role]})), 0o600))
		f.shell(replaced(t, uncomment, [2]string{"/etc/telegraf/telegraf.d/chembus.conf", *dropIn}))
	}
	f.startCentral("central-a", quickCentral)
	f.addHost("kitchen")
	f.waitUp()
	kitchen := f.hosts[0]
	require.NoError(t, kitchen.colony.Kill(kitchen.zooids[2]))
	f.wait("the gap arrives on its bus", func() bool { return len(kitchen.gaps.Received()) > 0 })
	require.Equal(t, []string{kitchen.zooids[2]}, zooidsOf(kitchen.gaps.Received()))
	require.NotContains(t, f.nats.Output(), "Violation", "of what the parts of the fleet do")

	withCA := nats.RootCAs(ca)
	_, err := nats.Connect(f.nats.URL())
	require.ErrorContains(t, err, "certificate", "a client that does not know the authority")
	_, err = nats.Connect(f.nats.URL(), withCA)
	require.ErrorIs(t, err, nats.ErrAuthorization, "a client without a key")
	asHost, err := nats.NkeyOptionFromSeed(keys["kitchen"])
	require.NoError(t, err)
	connection, err := nats.Connect(f.nats.URL(), withCA, asHost, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	require.NoError(t, err)
	defer connection.Close()
	for _, subject := range []string{"gaps.hall.x", "gaps.kitchen.x", "gaps.0.hall.x", "beats.hall", "fleet.0.hall", "$JS.API.STREAM.PURGE.BEATS"} {
		refused(t, connection, f.nats, `Publish Violation`, subject, func() { require.NoError(t, connection.Publish(subject, []byte("x"))) })
	}
	refused(t, connection, f.nats, `Subscription Violation`, "gaps.>", func() {
		_, err := connection.SubscribeSync("gaps.>")
		require.NoError(t, err)
	})
	js, err := jetstream.New(connection)
	require.NoError(t, err)
	create := "$JS.API.CONSUMER.CREATE.GAPS.edge-kitchen.gaps.*.hall.*"
	refused(t, connection, f.nats, `Publish Violation`, create, func() {
		_, err := js.CreateConsumer(t.Context(), "GAPS", jetstream.ConsumerConfig{Name: "edge-kitchen", FilterSubject: "gaps.*.hall.*"})
		require.Error(t, err, "the gaps of another host")
	})
}

// refused does something on a connection, and requires that the server logs it as a violation that names a subject.
func refused(t *testing.T, connection *nats.Conn, server *natsserver.Server, violation, subject string, do func()) {
	t.Helper()
	do()
	require.NoError(t, connection.FlushTimeout(limit))
	require.Eventually(t, func() bool {
		for line := range strings.Lines(server.Output()) {
			if strings.Contains(line, violation) && strings.Contains(line, subject) {
				return true
			}
		}
		return false
	}, limit, poll, "%s of %s in the log of the server", violation, subject)
}

// writeCertificates writes the certificate and key of a server on the loopback, server.pem and server-key.pem, and returns the
// file with the certificate of the authority that signed it.
func writeCertificates(t *testing.T, dir string) (authority string) {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server of a test"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	require.NoError(t, err)
	serverDER, err := x509.CreateCertificate(rand.Reader, server, ca, &key.PublicKey, caKey)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write("server.pem", "CERTIFICATE", serverDER)
	write("server-key.pem", "PRIVATE KEY", keyDER)
	return write("ca.pem", "CERTIFICATE", caDER)
}
