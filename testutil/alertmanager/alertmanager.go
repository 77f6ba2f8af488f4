// Package alertmanager runs a Prometheus Alertmanager for tests.
package alertmanager

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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
	p, url, err := process.StartServer(ctx, "/-/ready", func(address string) *exec.Cmd {
		return exec.Command(binary, "--config.file="+file, "--storage.path="+dir,
			"--web.listen-address="+address, "--cluster.listen-address=")
	})
	if err != nil {
		return nil, err
	}
	return &Server{Process: p, URL: url}, nil
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
