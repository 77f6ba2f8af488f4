// Package nats runs a NATS server with JetStream and MQTT for tests.
package nats

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/process"
)

// Binary returns the path of the nats-server to test with: that in NATS_SERVER, else bin/nats-server in the root of the
// module. The test is skipped under -short, and fails if there is no such file.
func Binary(t testing.TB, root string) string {
	t.Helper()
	process.SkipIfShort(t, "nats-server")
	binary := os.Getenv("NATS_SERVER")
	if binary == "" {
		var err error
		if binary, err = filepath.Abs(filepath.Join(root, "bin", "nats-server")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("no nats-server to test with: %v; run make test, which builds one, or set NATS_SERVER to its path", err)
	}
	return binary
}

// Server is a NATS server, which keeps its address and its streams when it is started again.
type Server struct {
	*process.Process
	Address     string // host:port
	MQTT        string // host:port of its listener for MQTT
	binary, dir string
	blocks      string // of its configuration
}

const configuration = `
server_name: test
listen: %q
jetstream { store_dir: %q }
mqtt { listen: %q }
%s
`

// Info is what a server tells a client that connects.
type Info struct {
	Version   string `json:"version"`
	JetStream bool   `json:"jetstream"`
}

// Start starts a server on free ports of the loopback, with its streams in dir and further blocks in its configuration, and
// waits until it answers.
func Start(ctx context.Context, binary, dir string, blocks ...string) (*Server, error) {
	for {
		addresses, err := process.FreeAddresses(2)
		if err != nil {
			return nil, err
		}
		s := &Server{Address: addresses[0], MQTT: addresses[1], binary: binary, dir: dir, blocks: strings.Join(blocks, "\n")}
		// Another process may have taken a port meanwhile.
		if err = s.Restart(ctx); err == nil || !strings.Contains(err.Error(), "address already in use") {
			return s, err
		}
	}
}

// URL returns the address as Telegraf's plugins want it.
func (s *Server) URL() string {
	return "nats://" + s.Address
}

// Shell runs a shell command in a folder, for which NATS_URL names the server, and the program nats is that beside it. It
// returns what the command prints.
func (s *Server) Shell(ctx context.Context, folder, command string, env ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-ec", command)
	cmd.Dir = folder
	cmd.Env = slices.Concat(os.Environ(), []string{"NATS_URL=" + s.URL(), "HOME=" + s.dir,
		"PATH=" + filepath.Dir(s.binary) + string(os.PathListSeparator) + os.Getenv("PATH")}, env)
	output, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", command, err, output)
	}
	return string(output), err
}

// Restart starts a server that was stopped, and waits until it answers.
func (s *Server) Restart(ctx context.Context) error {
	file := filepath.Join(s.dir, "nats.conf")
	err := errors.Join(
		os.MkdirAll(s.dir, 0o700),
		os.WriteFile(file, fmt.Appendf(nil, configuration, s.Address, s.dir, s.MQTT, s.blocks), 0o600),
	)
	if err != nil {
		return err
	}
	if s.Process, err = process.Start(exec.Command(s.binary, "-c", file), nil); err != nil {
		return err
	}
	for {
		if _, err := s.Info(); err == nil {
			return nil
		}
		select {
		case <-s.Done():
			return fmt.Errorf("nats-server exited before it answered: %s", s.Output())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("nats-server does not answer: %w", ctx.Err()), s.Stop())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Info connects as a client does, and returns what the server says of itself.
func (s *Server) Info() (Info, error) {
	var info Info
	connection, err := net.Dial("tcp", s.Address)
	if err != nil {
		return info, err
	}
	defer connection.Close()
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		return info, err
	}
	text, ok := strings.CutPrefix(line, "INFO ")
	if !ok {
		return info, fmt.Errorf("the server on %s begins with %s", s.Address, strconv.Quote(line))
	}
	return info, json.Unmarshal([]byte(text), &info)
}
