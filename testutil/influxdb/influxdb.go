// Package influxdb runs an InfluxDB 1.x for tests.
package influxdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/process"
)

// Server is a running InfluxDB.
type Server struct {
	*process.Process
	URL string // of the HTTP API
}

const configuration = `
reporting-disabled = true
bind-address = %q
[meta]
  dir = %q
[data]
  dir = %q
  wal-dir = %q
[http]
  bind-address = %q
  log-enabled = false
  flux-enabled = true
`

// Start starts Debian's InfluxDB with its data in dir, and waits until it answers.
func Start(ctx context.Context, dir string) (*Server, error) {
	binary, err := exec.LookPath("influxd")
	if err != nil {
		return nil, fmt.Errorf("%w: install the Debian package influxdb, or run make deps", err)
	}
	return StartProgram(ctx, binary, dir)
}

// StartProgram does the same with another influxd: version 1.6, which Debian has, does not support Flux.
func StartProgram(ctx context.Context, binary, dir string) (*Server, error) {
	for {
		s, err := start(ctx, binary, dir)
		// InfluxDB cannot choose free ports by itself, and another process may have taken one meanwhile.
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			return s, err
		}
	}
}

func start(ctx context.Context, binary, dir string) (*Server, error) {
	ports, err := process.FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "influxdb.conf")
	content := fmt.Sprintf(configuration, ports[0],
		filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), ports[1])
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		return nil, err
	}
	p, err := process.Start(exec.Command(binary, "-config", file), nil)
	if err != nil {
		return nil, err
	}
	s := &Server{Process: p, URL: "http://" + ports[1]}
	for {
		// Its log tells that it is this server that answers, and not one that has taken the port meanwhile.
		if strings.Contains(p.Output(), `msg="Listening on HTTP"`) {
			response, err := http.Get(s.URL + "/ping")
			if err == nil {
				response.Body.Close()
				return s, nil
			}
		}
		select {
		case <-p.Done():
			return nil, fmt.Errorf("influxd exited before it answered: %s", p.Output())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("influxd does not answer: %w", ctx.Err()), p.Stop())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Write writes lines of line protocol to a database, which is created if there is none.
func (s *Server) Write(database, lines string) error {
	if err := s.post("/query?"+url.Values{"q": {"CREATE DATABASE " + database}}.Encode(), ""); err != nil {
		return err
	}
	return s.post("/write?db="+database, lines)
}

func (s *Server) post(path, body string) error {
	response, err := http.Post(s.URL+path, "text/plain", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 || strings.Contains(string(answer), `"error"`) { // a query that fails has status 200
		return fmt.Errorf("influxd answers %s to %s: %s", response.Status, path, answer)
	}
	return nil
}

// Query runs an InfluxQL query and returns its rows as maps from column to value. Numbers are json.Number.
func (s *Server) Query(database, query string) ([]map[string]any, error) {
	response, err := http.Get(s.URL + "/query?" + url.Values{"db": {database}, "q": {query}}.Encode())
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct {
		Error   string
		Results []struct {
			Error  string
			Series []struct {
				Tags    map[string]string
				Columns []string
				Values  [][]any
			}
		}
	}
	decoder := json.NewDecoder(response.Body)
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		return nil, fmt.Errorf("reading the answer to %q: %w", query, err)
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("query %q: %s", query, answer.Error)
	}
	var rows []map[string]any
	for _, result := range answer.Results {
		if result.Error != "" {
			return nil, fmt.Errorf("query %q: %s", query, result.Error)
		}
		for _, series := range result.Series {
			for _, values := range series.Values {
				row := make(map[string]any, len(values)+len(series.Tags))
				for tag, value := range series.Tags {
					row[tag] = value
				}
				for i, column := range series.Columns {
					row[column] = values[i]
				}
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}
