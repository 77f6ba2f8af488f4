// Package alertmanager runs a Prometheus Alertmanager for tests.
package alertmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/process"
)

// Server is a running Alertmanager.
type Server struct {
	*process.Process
	URL string
}

// Alert is an alert of its API, or one in a message to a receiver.
type Alert struct {
	Labels      map[string]string
	Annotations map[string]string
	Status      any
	StartsAt    time.Time
	EndsAt      time.Time
}

// It notifies at once, of each alert by itself.
const configuration = `
route:
  receiver: test
  group_by: [...]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: test
    webhook_configs:
      - url: %q
        send_resolved: true
`

// Start starts Debian's Alertmanager with its data in dir, and waits until it is ready. It notifies the receiver at a
// URL.
func Start(ctx context.Context, dir, receiver string) (*Server, error) {
	binary, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		return nil, fmt.Errorf("%w: install the Debian package prometheus-alertmanager, or run make deps", err)
	}
	file := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration, receiver), 0o600); err != nil {
		return nil, err
	}
	for {
		s, err := start(ctx, binary, file, dir)
		// It cannot choose a free port by itself, and another process may have taken one meanwhile.
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			return s, err
		}
	}
}

func start(ctx context.Context, binary, file, dir string) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	listener.Close()
	p, err := process.Start(exec.Command(binary, "--config.file="+file, "--storage.path="+dir,
		"--web.listen-address="+address, "--cluster.listen-address="), nil)
	if err != nil {
		return nil, err
	}
	s := &Server{Process: p, URL: "http://" + address}
	for {
		response, err := http.Get(s.URL + "/-/ready")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return s, nil
			}
		}
		select {
		case <-p.Done():
			return nil, fmt.Errorf("alertmanager exited before it was ready: %s", p.Output())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("alertmanager is not ready: %w", ctx.Err()), p.Stop())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Alerts returns the alerts that have not ended.
func (s *Server) Alerts() ([]Alert, error) {
	response, err := http.Get(s.URL + "/api/v2/alerts")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var alerts []Alert
	if err := json.NewDecoder(response.Body).Decode(&alerts); err != nil {
		return nil, fmt.Errorf("reading the alerts: %w", err)
	}
	return alerts, nil
}
