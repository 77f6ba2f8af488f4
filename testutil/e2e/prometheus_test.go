package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// expiration is a tenth of the README's expiration_interval, as the quick options are ten times as fast as the defaults.
const expiration = 6.0

// TestPrometheus scrapes Telegraf with the README's block for outputs.prometheus_client while a component is killed and
// revived.
func TestPrometheus(t *testing.T) {
	s, url := newPrometheusScene(t)
	const victim, other = "audio_io", "meta_agent"
	c := s.colony(4)
	p := &prometheus{scene: s, url: url}
	p.wait("it is up", func() bool { return p.of("liveness_up", victim) == 1 && p.of("liveness_up", other) == 1 })

	require.NoError(t, c.Kill(victim))
	p.wait("the gap is open for longer than the expiration interval", func() bool {
		return p.of("liveness_gap_missing_seconds", victim) > quickThreshold+expiration+2
	})
	require.EqualValues(t, 1, p.of("liveness_gap_open", victim))
	require.InDelta(t, quickThreshold, p.of("liveness_gap_threshold_s", victim), 0)
	require.EqualValues(t, 0, p.of("liveness_up", victim))
	require.EqualValues(t, 6, p.of("liveness_state_code", victim))
	require.InDelta(t, quickThreshold, p.of("liveness_threshold_s", victim), 0)
	require.Greater(t, p.of("liveness_silence_s", victim), quickThreshold)
	require.EqualValues(t, 1, p.of("liveness_gaps", victim))
	require.Less(t, p.of("liveness_availability", victim), 1.0)
	require.EqualValues(t, 1, p.of("liveness_up", other))
	require.LessOrEqual(t, p.of("liveness_state_code", other), 1.0, "up or late")
	require.EqualValues(t, -1, p.of("liveness_gap_open", other), "without a gap there is no series")
	require.EqualValues(t, 1, p.of("chembus_bus_observable", ""))
	require.Positive(t, p.of("chembus_bus_probe_rtt_s", ""))
	require.Positive(t, p.of("chembus_bus_messages", ""))
	require.EqualValues(t, 0, p.of("chembus_bus_rejected_json", ""))
	require.EqualValues(t, 0, p.of("chembus_bus_unjudged", ""), "the drop-in passes chembus_bus through the processor")

	rules, err := os.ReadFile(filepath.Join(root, "cmd", "telegraf-chembus", "dashboards", "alerts.yml"))
	require.NoError(t, err)
	for _, name := range regexp.MustCompile(`\b(?:liveness|chembus_bus|chembus_output)_\w+`).FindAllString(string(rules), -1) {
		require.Contains(t, p.families, name, "alerts.yml names it")
	}

	require.NoError(t, c.Revive(victim))
	p.wait("the gap is closed", func() bool { return p.of("liveness_gap_open", victim) == 0 })
	p.wait("it is up again", func() bool { return p.of("liveness_up", victim) == 1 })
	p.wait("the series of the closed gap has expired", func() bool { return p.of("liveness_gap_open", victim) == -1 })
	require.EqualValues(t, 1, p.of("liveness_up", victim), "a component that is reported stays")

	require.NoError(t, s.bus.Pause())
	p.wait("the bus is not observable", func() bool { return p.of("chembus_bus_observable", "") == 0 })
	p.wait("without an observable bus nothing is reported as up", func() bool { return p.of("liveness_up", victim) == -1 })
	require.EqualValues(t, 0, p.of("chembus_bus_observable", ""), "chembus_bus is still reported")
	require.NoError(t, s.bus.Resume())
	p.wait("it is up again", func() bool { return p.of("liveness_up", victim) == 1 })
}

// newPrometheusScene returns a scene with the README's block for outputs.prometheus_client, and the URL to scrape.
func newPrometheusScene(t *testing.T) (*scene, string) {
	t.Helper()
	block := readmeBlock(t, "toml", "[[outputs.prometheus_client]]")
	for _, change := range [][2]string{
		{`listen = ":9273"`, `listen = "127.0.0.1:0"`},
		{`expiration_interval = "60s"`, `expiration_interval = "6s"`},
	} {
		require.Contains(t, block, change[0])
		block = strings.Replace(block, change[0], change[1], 1)
	}
	state := filepath.Join(t.TempDir(), "output.json")
	s := newSceneWith(t, quick+fmt.Sprintf("  state_file = %q\n", state), block+outputMetric(state))
	return s, s.metricsURL()
}

// outputMetric is the drop-in's block that makes a metric of the output's state file.
func outputMetric(state string) string {
	return fmt.Sprintf(`
[[inputs.file]]
  files = [%q]
  name_override = "chembus_output"
  data_format = "json"
  json_query = "counts"
  json_string_fields = ["publishing"]
`, state)
}

// otherNames are the linter's findings on names that follow Telegraf's conventions instead of those of Prometheus.
var otherNames = []string{
	`counter metrics should have "_total" suffix`,
	`metric names should not contain abbreviated units`,
	`non-histogram and non-summary metrics should not have "_count" suffix`,
}

// prometheus scrapes Telegraf.
type prometheus struct {
	*scene
	url      string
	families map[string]*dto.MetricFamily // of the last scrape
}

// wait scrapes until the condition holds.
func (p *prometheus) wait(what string, condition func() bool) {
	p.Helper()
	p.scene.wait(what, func() bool {
		p.scrape()
		return condition()
	})
}

func (p *prometheus) scrape() {
	p.Helper()
	response, err := http.Get(p.url)
	require.NoError(p, err)
	defer response.Body.Close()
	require.Equal(p, http.StatusOK, response.StatusCode)
	body, err := io.ReadAll(response.Body)
	require.NoError(p, err)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	p.families, err = parser.TextToMetricFamilies(bytes.NewReader(body))
	require.NoError(p, err, "%s", body)
	for name, family := range p.families {
		if strings.HasPrefix(name, "liveness") || strings.HasPrefix(name, "chembus") {
			require.NotEqual(p, dto.MetricType_UNTYPED, family.GetType(), "%s has no type", name)
		}
	}
	problems, err := promlint.New(bytes.NewReader(body)).Lint()
	require.NoError(p, err)
	for _, problem := range problems {
		require.Contains(p, otherNames, problem.Text, problem.Metric)
	}
}

// of returns the value of a component's series, or of the only series for an empty name; -1 if there is none.
func (p *prometheus) of(name, zooid string) float64 {
	p.Helper()
	value, found := -1.0, false
	for _, metric := range p.families[name].GetMetric() {
		labels := make(map[string]string)
		for _, label := range metric.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		if labels["zooid"] != zooid {
			continue
		}
		require.False(p, found, "%s of %q has two series", name, zooid)
		found = true
		switch p.families[name].GetType() {
		case dto.MetricType_COUNTER:
			value = metric.GetCounter().GetValue()
		case dto.MetricType_GAUGE:
			value = metric.GetGauge().GetValue()
		}
	}
	return value
}

var listening = regexp.MustCompile(`\[outputs\.prometheus_client\] Listening on (\S+)`)

// metricsURL returns the URL to scrape, from Telegraf's log.
func (s *scene) metricsURL() string {
	s.Helper()
	var url string
	s.wait("Telegraf listens", func() bool {
		if m := listening.FindStringSubmatch(s.telegraf.Output()); m != nil {
			url = m[1]
		}
		return url != ""
	})
	return url
}

// readmeBlock returns the code block in the dashboards' README that begins with a line.
func readmeBlock(t *testing.T, language, line string) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "cmd", "telegraf-chembus", "dashboards", "README.md"))
	require.NoError(t, err)
	_, block, found := strings.Cut(string(readme), "```"+language+"\n"+line)
	require.True(t, found, "the README has no code block that begins with %q", line)
	block, _, _ = strings.Cut(block, "```")
	return line + block
}
