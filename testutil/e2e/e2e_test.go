// Package e2e tests the whole chain: a libzmq bus, a Telegraf with the unchanged drop-in, an InfluxDB and pyzmq clients.
package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/influxdb"
	"github.com/kloros/telegraf-chembus/testutil/process"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

const (
	root     = "../.."
	database = "telegraf"
	// limit is the timeout of a test for a condition, not an expected time.
	limit = 90 * time.Second
	poll  = 100 * time.Millisecond
)

// quick are options with a threshold of 3 s, for components with a heartbeat every second.
const quick = `
[[inputs.chembus]]
  tick_interval = "200ms"
  blind_after = "1s"
  announce_as = ""

[[processors.liveness]]
  threshold = "3s"
  blind_after = "1s"
  report_interval = "1s"

[[outputs.chembus]]
`

const quickThreshold = 3.0

var plugins string // folder of telegraf-chembus

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "telegraf-chembus-e2e")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		plugins = dir
		build := exec.Command("go", "build", "-o", dir, "./cmd/telegraf-chembus")
		build.Dir = root
		if output, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building telegraf-chembus: %v\n%s", err, output)
			return 1
		}
		return m.Run()
	}())
}

// scene is a bus, an InfluxDB and a Telegraf between them.
type scene struct {
	*testing.T
	bus      *colony.Bus
	influx   *influxdb.Server
	config   telegraf.Config
	telegraf *telegraf.Telegraf
}

func newScene(t *testing.T, options string) *scene {
	t.Helper()
	return newSceneWith(t, options, "")
}

// newSceneWith also adds to Telegraf's own configuration: options of [agent], then tables.
func newSceneWith(t *testing.T, options, extra string) *scene {
	t.Helper()
	binary := telegraf.Binary(t, root)
	s := newStoppedScene(t)
	dropIn, err := filepath.Abs(filepath.Join(root, "sample.conf"))
	require.NoError(t, err)
	s.config.Binary, s.config.Plugins, s.config.DropIn = binary, plugins, dropIn
	s.config.Options = options
	s.config.Agent += extra
	s.start()
	return s
}

// newBus returns a scene with a bus and nothing else.
func newBus(t *testing.T) *scene {
	t.Helper()
	t.Parallel()
	s := &scene{T: t}
	var err error
	s.bus, err = colony.NewBus(colony.BusConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.bus.Close()) })
	return s
}

// newStoppedScene returns a scene whose Telegraf is not started yet.
func newStoppedScene(t *testing.T) *scene {
	t.Helper()
	process.SkipIfShort(t, "InfluxDB")
	s := newBus(t)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var err error
	s.influx, err = influxdb.Start(ctx, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.influx.Stop() })

	s.config = telegraf.Config{
		Agent: fmt.Sprintf(`
[[inputs.mem]]
[[outputs.influxdb]]
  urls = [%q]
  database = %q
[agent]
  interval = "1s"
  flush_interval = "1s"
  hostname = "e2e"
`, s.influx.URL, database),
		Dir: t.TempDir(),
		Env: s.env(),
	}
	return s
}

// start starts Telegraf and stops it at the end of the test.
func (s *scene) start() {
	s.Helper()
	var err error
	s.telegraf, err = telegraf.Start(s.config)
	require.NoError(s, err)
	s.Cleanup(func() {
		assert.NoError(s, s.telegraf.Stop(), "telegraf must exit by itself")
		if s.Failed() {
			s.Logf("the log of Telegraf:\n%s", s.telegraf.Output())
		}
	})
}

// restart stops Telegraf and starts it again.
func (s *scene) restart() {
	s.Helper()
	require.NoError(s, s.telegraf.Stop())
	s.startAgain()
}

// startAgain starts Telegraf after it has exited.
func (s *scene) startAgain() {
	s.Helper()
	var err error
	s.telegraf, err = telegraf.Start(s.config)
	require.NoError(s, err)
}

// env returns environment variables with the endpoints of the bus.
func (s *scene) env() []string {
	return []string{"KLR_CHEM_XSUB=" + s.bus.XSub(), "KLR_CHEM_XPUB=" + s.bus.XPub()}
}

// python starts a pyzmq client.
func (s *scene) python(script string, args ...string) *process.Process {
	s.Helper()
	process.SkipIfShort(s, "Python with pyzmq")
	cmd := exec.Command("/usr/bin/python3", append([]string{filepath.Join("testdata", script)}, args...)...)
	cmd.Env = append(os.Environ(), s.env()...)
	p, err := process.Start(cmd, nil)
	require.NoError(s, err)
	s.Cleanup(func() { _ = p.Stop() }) // it exits by a signal, which is an error
	return p
}

// delivery is a line of the pyzmq consumer.
type delivery struct {
	Ready     bool
	Malformed []string
	Handled   bool
	Payload   string
}

func (s *scene) deliveries(consumer *process.Process) []delivery {
	s.Helper()
	var all []delivery
	for line := range strings.Lines(consumer.Output()) {
		if !strings.HasSuffix(line, "\n") {
			break // incomplete
		}
		var d delivery
		require.NoError(s, json.Unmarshal([]byte(line), &d), "consumer.py printed %q", line)
		if !d.Ready {
			all = append(all, d)
		}
	}
	return all
}

// value returns the single value of a query; nil if there is none yet.
func (s *scene) value(query string, args ...any) any {
	s.Helper()
	rows, err := s.influx.Query(database, fmt.Sprintf(query, args...))
	if err != nil || len(rows) == 0 {
		return nil // Telegraf creates the database with its first write
	}
	return rows[0]["value"]
}

func (s *scene) number(query string, args ...any) float64 {
	s.Helper()
	n, ok := s.value(query, args...).(json.Number)
	if !ok {
		return -1
	}
	f, err := n.Float64()
	require.NoError(s, err)
	return f
}

// up returns the last value of the field up of a zooid; -1 if there is none yet.
func (s *scene) up(zooid string) float64 {
	return s.number(`SELECT last("up") AS value FROM liveness WHERE zooid = '%s'`, zooid)
}

// waitForGap waits until a component's latest gap in InfluxDB is open, or closed.
func (s *scene) waitForGap(zooid string, open bool) {
	s.Helper()
	s.wait(fmt.Sprintf("InfluxDB has open=%v in the latest gap of %s", open, zooid), func() bool {
		return s.value(`SELECT last("open") AS value FROM liveness_gap WHERE zooid = '%s'`, zooid) == open
	})
}

// requireIncident requires that all gaps in InfluxDB are of one incident.
func (s *scene) requireIncident(incident string) {
	s.Helper()
	rows, err := s.influx.Query(database, `SELECT incident_id FROM liveness_gap`)
	require.NoError(s, err)
	require.NotEmpty(s, rows)
	for _, row := range rows {
		require.Equal(s, incident, row["incident_id"])
	}
}

func (s *scene) wait(what string, condition func() bool) {
	s.Helper()
	require.Eventually(s, condition, limit, poll, what)
}

// observe waits until the observation clock has advanced by some seconds.
func (s *scene) observe(seconds float64) {
	s.Helper()
	const observed = `SELECT last(observed_s) AS value FROM chembus_bus`
	start := s.number(observed)
	s.wait("the observation clock advances", func() bool { return s.number(observed) >= start+seconds })
}
