package packaging

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
	"github.com/kloros/telegraf-chembus/testutil/influxdb"
	"github.com/kloros/telegraf-chembus/testutil/process"
)

const (
	database = "telegraf"
	// limit is how long the test waits for what must come; it is not what it should take.
	limit = 90 * time.Second
)

// agent is the Telegraf to test with.
func agent() string {
	if binary := os.Getenv("TELEGRAF"); binary != "" {
		return binary
	}
	binary, _ := filepath.Abs(filepath.Join(root, "bin", "telegraf"))
	return binary
}

// monitor starts Telegraf as its service does, with an output added to what is installed, and a colony at
// the bus's standard ports. A component dies.
func monitor(t *testing.T) {
	bus, err := colony.NewBus(colony.BusConfig{XSub: chembus.DefaultPublishEndpoint, XPub: chembus.DefaultSubscribeEndpoint})
	require.NoError(t, err)
	defer func() { require.NoError(t, bus.Close()) }()
	start, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	influx, err := influxdb.Start(start, t.TempDir())
	require.NoError(t, err)
	defer func() { _ = influx.Stop() }()
	gaps, err := consumer.New(consumer.Config{XPub: bus.XPub(), Topic: "CAPABILITY_GAP"})
	require.NoError(t, err)
	defer func() { require.NoError(t, gaps.Close()) }()
	telegraf := startTelegraf(t, influx.URL)
	defer func() {
		require.NoError(t, telegraf.Stop(), "telegraf must end by itself")
		if t.Failed() {
			t.Logf("telegraf said:\n%s", telegraf.Output())
		}
	}()

	zooids, err := colony.New(colony.Config{XSub: bus.XSub()})
	require.NoError(t, err)
	defer func() { require.NoError(t, zooids.Close()) }()
	require.NoError(t, zooids.WaitSubscribed(start, "HEARTBEAT"))
	require.NoError(t, zooids.Add(colony.Field(8)...))
	wait := func(what, query, want string) {
		t.Helper()
		require.Eventually(t, func() bool { return single(influx, query) == want }, limit, 100*time.Millisecond, what)
	}
	for _, name := range zooids.Names() {
		wait(name+" is up", fmt.Sprintf(`SELECT last("up") AS value FROM liveness WHERE zooid = '%s'`, name), "1")
	}

	require.NoError(t, zooids.Kill("audio_io"))
	wait("it is silent", `SELECT last(state) AS value FROM liveness WHERE zooid = 'audio_io'`, "silent")
	wait("a gap is open", `SELECT last("open") AS value FROM liveness_gap WHERE zooid = 'audio_io'`, "true")
	end, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	require.NoError(t, gaps.Wait(end, func(received []consumer.Message) bool { return len(received) > 0 }))
	require.Equal(t, "audio_io", gaps.Received()[0].Facts["zooid"])
	require.Len(t, gaps.Received(), 1)
	count, err := json.Number(single(influx, `SELECT count(beats) AS value FROM chembus_heartbeat`)).Int64()
	require.NoError(t, err)
	require.GreaterOrEqual(t, count, int64(8), "heartbeats arrive")

	log := telegraf.Output()
	started := regexp.MustCompile(` I! \[[a-z]+\.execd\] .*Starting telegraf-chembus ` + regexp.QuoteMeta(version) + ` \(`)
	require.Len(t, started.FindAllString(log, -1), 3, log)
	for line := range strings.Lines(log) {
		require.NotRegexp(t, `E! \[[a-z]+\.execd\]`, line)
	}
}

// startTelegraf starts Telegraf as its own user, with nothing in the environment.
func startTelegraf(t *testing.T, url string) *process.Process {
	t.Helper()
	folder, err := os.MkdirTemp("", "telegraf-chembus-package-") //nolint:usetesting // others cannot enter the folders of T.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(folder)) })
	require.NoError(t, os.Chmod(folder, 0o755))
	binary, config := filepath.Join(folder, "telegraf"), filepath.Join(folder, "telegraf.conf")
	copyProgram(t, agent(), binary)
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
[agent]
  interval = "1s"
  flush_interval = "1s"
[[outputs.influxdb]]
  urls = [%q]
  database = %q
`, url, database), 0o644))

	uid, gid := telegrafUser(t)
	cmd := command(binary, "--config", config, "--config-directory", filepath.Dir(dropIn))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	p, err := process.Start(cmd, nil)
	require.NoError(t, err)
	return p
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	source, err := os.Open(from)
	require.NoError(t, err)
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(target, source)
	require.NoError(t, err)
	require.NoError(t, target.Close())
	require.NoError(t, os.Chmod(to, 0o755))
}

// single is the single value of a query as text; empty if there is none yet.
func single(influx *influxdb.Server, query string) string {
	rows, err := influx.Query(database, query)
	if err != nil || len(rows) == 0 {
		return "" // Telegraf creates the database with its first write
	}
	return fmt.Sprint(rows[0]["value"])
}
