package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/process"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

// hostsAgent has a listener for the metrics of hosts and for a tick that Telegraf sends to itself the same way, the
// processor, and a file for what it finds. Its arguments are the address of the listener, the URL that leads to it, and the
// file.
const hostsAgent = `
[agent]
  interval = "500ms"
  flush_interval = "500ms"
  omit_hostname = true

[[inputs.http_listener_v2]]
  service_address = "tcp://%s"
  paths = ["/write"]
  data_format = "influx"

[[inputs.internal]]
  collect_memstats = false

[[outputs.http]]
  url = %q
  timeout = "1s"
  data_format = "influx"
  namepass = ["internal_agent"]
  name_override = "probe"

[[processors.execd]]
  command = ["telegraf-chembus", "processor"]
  restart_delay = "1s"
  namepass = ["cpu", "mem", "probe"]
  data_format = "influx"

[[outputs.file]]
  files = [%q]
  namepass = ["liveness_gap"]
  data_format = "json"
`

// hostsThreshold is long enough for a busy machine.
const hostsThreshold = 5 * time.Second

const hostsOptions = `
[[processors.liveness]]
  [[processors.liveness.watch]]
    name = "cpu"
    measurement = ["cpu"]
    identity = ["host"]
    tick = ["probe"]
    threshold = "5s"
    blind_after = "3s"
    report_interval = "2s"

  [[processors.liveness.watch]]
    name = "mem"
    measurement = ["mem"]
    identity = ["host"]
    tick = ["probe"]
    threshold = "5s"
    blind_after = "3s"
    report_interval = "2s"
`

// watchedHosts are eight hosts that send two metrics each through a listener of Telegraf.
type watchedHosts struct {
	*testing.T
	config   telegraf.Config
	telegraf *telegraf.Telegraf
	gate     *process.Gate
	gaps     string       // file
	dead     atomic.Int32 // host that sends nothing; -1: none
}

func newWatchedHosts(t *testing.T) *watchedHosts {
	t.Helper()
	binary := telegraf.Binary(t, root)
	t.Parallel()
	address := freeAddress(t)
	gate, err := process.NewGate(address)
	require.NoError(t, err)
	t.Cleanup(gate.Close)
	h := &watchedHosts{T: t, gate: gate, gaps: filepath.Join(t.TempDir(), "gaps.json")}
	h.dead.Store(-1)
	url := "http://" + h.gate.Address() + "/write"
	h.config = telegraf.Config{
		Binary: binary, Plugins: plugins, Dir: t.TempDir(), Options: hostsOptions,
		Agent: fmt.Sprintf(hostsAgent, address, url, h.gaps),
	}
	h.start()
	t.Cleanup(func() {
		assert.NoError(t, h.telegraf.Stop(), "telegraf must exit by itself")
		if t.Failed() {
			t.Logf("the log of Telegraf:\n%s", h.telegraf.Output())
		}
	})
	done := make(chan struct{})
	var hosts sync.WaitGroup
	for i := range 8 {
		hosts.Go(func() { h.run(i, url, done) })
	}
	t.Cleanup(func() {
		close(done)
		hosts.Wait()
	})
	return h
}

func (h *watchedHosts) start() {
	h.Helper()
	var err error
	h.telegraf, err = telegraf.Start(h.config)
	require.NoError(h, err)
}

// run sends the metrics of one host every half second, whether Telegraf takes them or not.
func (h *watchedHosts) run(host int, url string, done chan struct{}) {
	client := http.Client{Timeout: time.Second}
	for {
		select {
		case <-done:
			return
		case <-time.After(500 * time.Millisecond):
		}
		if h.dead.Load() == int32(host) {
			continue
		}
		body := fmt.Sprintf("cpu,host=host%d usage_idle=90\nmem,host=host%d used=1i\n", host, host)
		if response, err := client.Post(url, "text/plain", strings.NewReader(body)); err == nil {
			response.Body.Close()
		}
	}
}

// found returns "WATCH/HOST INCIDENT" of the gaps with an event, in their order.
func (h *watchedHosts) found(event string) (found []string) {
	h.Helper()
	content, err := os.ReadFile(h.gaps)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(h, err)
	for line := range strings.Lines(string(content)) {
		var m struct {
			Tags   map[string]string
			Fields map[string]any
		}
		if json.Unmarshal([]byte(line), &m) == nil && m.Fields["event"] == event {
			found = append(found, fmt.Sprintf("%s/%s %s", m.Tags["watch"], m.Tags["host"], m.Fields["incident_id"]))
		}
	}
	return found
}

// wait waits for a condition.
func (h *watchedHosts) wait(what string, condition func() bool) {
	h.Helper()
	require.Eventually(h, condition, limit, poll, what)
}

// goesOn waits until a watch was told of every host that lives, several times since now: what it had to find is found.
func (h *watchedHosts) goesOn() {
	h.Helper()
	passed := h.gate.Passed()
	h.wait("the metrics of the hosts arrive again", func() bool { return h.gate.Passed() > passed+100 })
}

// TestWatchedHosts kills one of eight hosts: one gap of each of its metrics, once. Neither that Telegraf stands still, nor
// that it is killed, nor that nobody reaches it is silence of the others. When the host is back its gaps are closed.
func TestWatchedHosts(t *testing.T) {
	h := newWatchedHosts(t)
	h.wait("all hosts are known", func() bool {
		log := h.telegraf.Output()
		for host := range 8 {
			for _, watch := range []string{"cpu", "mem"} {
				if !strings.Contains(log, fmt.Sprintf(`"host%d" of %q`, host, watch)) {
					return false
				}
			}
		}
		return true
	})
	h.dead.Store(3)
	h.wait("the death is found", func() bool { return len(h.found("opened")) >= 2 })
	opened := h.found("opened")
	slices.Sort(opened)

	require.NoError(t, h.telegraf.Signal(syscall.SIGSTOP))
	time.Sleep(3 * hostsThreshold)
	require.NoError(t, h.telegraf.Signal(syscall.SIGCONT))
	h.goesOn()

	h.gate.Shut(true)
	time.Sleep(3 * hostsThreshold)
	h.gate.Shut(false)
	h.goesOn()

	require.NoError(t, h.telegraf.Signal(syscall.SIGKILL))
	<-h.telegraf.Done()
	time.Sleep(hostsThreshold)
	repeated := len(h.found("repeated"))
	h.start()
	h.wait("the gaps are repeated after the restart", func() bool { return len(h.found("repeated")) > repeated+4 })
	h.goesOn()

	require.Len(t, opened, 2)
	require.True(t, strings.HasPrefix(opened[0], "cpu/host3 ") && strings.HasPrefix(opened[1], "mem/host3 "), "%v", opened)
	h.dead.Store(-1)
	h.wait("the gaps are closed", func() bool { return len(h.found("closed")) >= 2 })
	all, closed := h.found("opened"), h.found("closed")
	slices.Sort(all)
	slices.Sort(closed)
	require.Equal(t, opened, all, "no gap but those of the death, and each once")
	require.Equal(t, opened, closed)
}
