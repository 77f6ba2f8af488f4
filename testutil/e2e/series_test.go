package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

// seriesScene is a Telegraf with the processor, without a bus, that metrics are posted to.
type seriesScene struct {
	*testing.T
	telegraf *telegraf.Telegraf
	url      string // of its listener
}

// listenerBlock is an input for what a test posts.
const listenerBlock = `
[[inputs.http_listener_v2]]
  service_address = "tcp://127.0.0.1:0"
  paths = ["/write"]
  data_format = "influx"
`

const processorBlock = `
[[processors.execd]]
  command = ["telegraf-chembus", "processor"]
  restart_delay = "1s"
  namepass = ["chembus_heartbeat", "chembus_tick", "chembus_kill", "chembus_stop", "beat", "series_tick"]
  data_format = "influx"
`

const quickAgent = `
[agent]
  interval = "1s"
  flush_interval = "200ms"
  omit_hostname = true
`

// newSeriesScene starts a Telegraf with the options of the processor, and with further blocks in its own configuration.
func newSeriesScene(t *testing.T, options, blocks string) *seriesScene {
	t.Helper()
	t.Parallel()
	s := &seriesScene{T: t}
	var err error
	s.telegraf, err = telegraf.Start(telegraf.Config{
		Binary: telegraf.Binary(t, root), Plugins: plugins, Dir: t.TempDir(),
		Agent: quickAgent + listenerBlock + processorBlock + blocks, Options: options,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, s.telegraf.Stop(), "telegraf must exit by itself")
		if t.Failed() {
			t.Logf("the log of Telegraf:\n%s", s.telegraf.Output())
		}
	})
	s.wait("Telegraf listens", func() bool {
		if m := listenerAddress.FindStringSubmatch(s.telegraf.Output()); m != nil {
			s.url = "http://" + m[1] + "/write"
		}
		return s.url != ""
	})
	return s
}

var listenerAddress = regexp.MustCompile(`\[inputs\.http_listener_v2\] Listening on (\S+)`)

func (s *seriesScene) wait(what string, condition func() bool) {
	s.Helper()
	require.Eventually(s, condition, limit, poll, what)
}

// post sends lines of line protocol to Telegraf.
func (s *seriesScene) post(lines ...string) {
	s.Helper()
	response, err := http.Post(s.url, "text/plain", strings.NewReader(strings.Join(lines, "\n")+"\n"))
	require.NoError(s, err)
	response.Body.Close()
	require.Equal(s, http.StatusNoContent, response.StatusCode)
}

// documentBlock returns the code block of a language in a document that begins with a line, after a heading.
func documentBlock(t *testing.T, path, heading, language, line string) string {
	t.Helper()
	document, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(document), "\n"+heading+"\n")
	require.True(t, found, "%s has no heading %q", path, heading)
	_, block, found := strings.Cut(section, "```"+language+"\n"+line)
	require.True(t, found, "%s has no code block that begins with %q", path, line)
	block, _, _ = strings.Cut(block, "```")
	return line + block
}

// replaced replaces what must be in a text.
func replaced(t *testing.T, text string, changes ...[2]string) string {
	t.Helper()
	for _, change := range changes {
		require.Contains(t, text, change[0])
		text = strings.ReplaceAll(text, change[0], change[1])
	}
	return text
}

// requests is an HTTP server's memory of what it was sent.
type requests struct {
	mu     sync.Mutex
	bodies []string
}

func (r *requests) add(body string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies = append(r.bodies, body)
}

func (r *requests) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.bodies...)
}

func (r *requests) len() int { return len(r.all()) }
