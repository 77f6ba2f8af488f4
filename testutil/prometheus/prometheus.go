// Package prometheus runs a Prometheus for tests.
package prometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/process"
)

// Server is a running Prometheus.
type Server struct {
	*process.Process
	URL string
}

const configuration = `
global:
  scrape_interval: 1s
  evaluation_interval: 1s
scrape_configs:
  - job_name: telegraf
    static_configs:
      - targets: [%q]
`

// Start starts Debian's Prometheus, which scrapes a target (host and port) every second, and waits until it is ready.
func Start(ctx context.Context, dir, target string) (*Server, error) {
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		return nil, fmt.Errorf("%w: install the Debian package prometheus, or run make deps", err)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration, target), 0o600); err != nil {
		return nil, err
	}
	p, url, err := process.StartServer(ctx, "/-/ready", func(address string) *exec.Cmd {
		return exec.Command(binary, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
			"--web.listen-address="+address)
	})
	if err != nil {
		return nil, err
	}
	return &Server{Process: p, URL: url}, nil
}

// Series is a series of a query's result.
type Series struct {
	Labels map[string]string
	Values []float64
}

// Query evaluates an expression at a time.
func (s *Server) Query(expr string, at time.Time) ([]Series, error) {
	return s.get("/api/v1/query", url.Values{"query": {expr}, "time": {unix(at)}})
}

// QueryRange evaluates an expression at each step of a range.
func (s *Server) QueryRange(expr string, from, to time.Time, step time.Duration) ([]Series, error) {
	return s.get("/api/v1/query_range", url.Values{
		"query": {expr}, "start": {unix(from)}, "end": {unix(to)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)},
	})
}

// LabelValues returns the values of a label of the series that a selector matches.
func (s *Server) LabelValues(selector, label string) ([]string, error) {
	var values []string
	err := s.call("/api/v1/label/"+label+"/values", url.Values{"match[]": {selector}}, &values)
	return values, err
}

func unix(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1e3, 'f', 3, 64)
}

func (s *Server) get(path string, values url.Values) ([]Series, error) {
	var data struct {
		Result []struct {
			Metric map[string]string
			Value  []any
			Values [][]any
		}
	}
	if err := s.call(path, values, &data); err != nil {
		return nil, err
	}
	all := make([]Series, 0, len(data.Result))
	for _, r := range data.Result {
		if r.Value != nil {
			r.Values = append(r.Values, r.Value)
		}
		series := Series{Labels: r.Metric}
		for _, pair := range r.Values { // time and value
			text, _ := pair[1].(string)
			n, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, fmt.Errorf("prometheus answers %v: %w", pair, err)
			}
			series.Values = append(series.Values, n)
		}
		all = append(all, series)
	}
	return all, nil
}

func (s *Server) call(path string, values url.Values, data any) error {
	response, err := http.Get(s.URL + path + "?" + values.Encode())
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("reading the answer of prometheus: %w", err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("prometheus: %s: %s", values.Get("query"), answer.Error)
	}
	return nil
}
