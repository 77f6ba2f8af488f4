package chembus

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/testutil/colony"
)

func startBus(t *testing.T) *colony.Bus {
	t.Helper()
	bus, err := colony.NewBus(colony.BusConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, bus.Close()) })
	return bus
}

// onBus returns a plugin with the endpoints of the bus and quick ticks, not initialised yet.
func onBus(bus *colony.Bus) *ChemBus {
	c := newPlugin()
	c.SubscribeEndpoint, c.PublishEndpoint = bus.XPub(), bus.XSub()
	c.TickInterval = config.Duration(20 * time.Millisecond)
	return c
}

func start(t *testing.T, c *ChemBus) *gate {
	t.Helper()
	acc := &gate{}
	require.NoError(t, c.Init())
	require.NoError(t, c.Start(acc))
	t.Cleanup(c.Stop)
	return acc
}

// busReport returns the fields of what Gather reports.
func busReport(t *testing.T, c *ChemBus) map[string]any {
	t.Helper()
	var acc testutil.Accumulator
	require.NoError(t, c.Gather(&acc))
	metrics := acc.GetTelegrafMetrics()
	require.Len(t, metrics, 1)
	require.Equal(t, "chembus_bus", metrics[0].Name())
	require.Equal(t, map[string]string{"endpoint": c.subscribeEndpoint}, metrics[0].Tags())
	return metrics[0].Fields()
}

// eventually waits until the fields of chembus_bus are what they should be, and returns them.
func eventually(t *testing.T, c *ChemBus, expected map[string]any) map[string]any {
	t.Helper()
	var fields map[string]any
	require.True(t, holds(func() bool {
		fields = busReport(t, c)
		for name, value := range expected {
			if fields[name] != value {
				return false
			}
		}
		return true
	}), "expected %v in %v", expected, fields)
	return fields
}

// holds waits until the condition holds; false if it never did.
func holds(condition func() bool) bool {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); !condition(); <-ticker.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

func observable(c *ChemBus) map[string]any {
	return map[string]any{"observable": true, "connected": true, "probing": c.Probe && c.publishEndpoint != ""}
}

func TestInitRefuses(t *testing.T) {
	for expected, configure := range map[string]func(*ChemBus){
		`option "subscribe_endpoint": "localhost" is not a transport that the bus uses; use "tcp://HOST:PORT" or "ipc://PATH"`: func(c *ChemBus) { c.SubscribeEndpoint = "localhost" },
		`option "publish_endpoint": "tcp://*:1" names no host`:                                                                 func(c *ChemBus) { c.PublishEndpoint = "tcp://*:1" },
		`option "heartbeat_topic": is empty`:                                                                                   func(c *ChemBus) { c.HeartbeatTopic = "" },
		`option "kill_topic": equals heartbeat_topic`:                                                                          func(c *ChemBus) { c.KillTopic = "HEARTBEAT" },
		`option "suspend_topic": equals kill_topic; use another topic, or "" for none`:                                         func(c *ChemBus) { c.SuspendTopic = c.KillTopic },
		`option "resume_topic": equals suspend_topic`:                                                                          func(c *ChemBus) { c.ResumeTopic = c.SuspendTopic },
		`option "resume_topic": equals heartbeat_topic`:                                                                        func(c *ChemBus) { c.ResumeTopic = c.HeartbeatTopic },
		`option "signals": "MAINTENANCE_SUSPEND" is the suspend_topic`:                                                         func(c *ChemBus) { c.Signals = []string{c.SuspendTopic} },
		`option "signals": "MAINTENANCE_RESUME" is the resume_topic`:                                                           func(c *ChemBus) { c.Signals = []string{c.ResumeTopic} },
		`option "max_suspension": "500ms" is too short; use at least "1s"`:                                                     func(c *ChemBus) { c.MaxSuspension = config.Duration(500 * time.Millisecond) },
		`option "announce_as": is no usable name`:                                                                              func(c *ChemBus) { c.AnnounceAs = "a\nb" },
		`option "tick_interval": "1ms" is too short; use at least "10ms"`:                                                      func(c *ChemBus) { c.TickInterval = config.Duration(time.Millisecond) },
		`option "tick_interval": "-1s" is too short`:                                                                           func(c *ChemBus) { c.TickInterval = config.Duration(-time.Second) },
		`option "blind_after": 1s is not longer than tick_interval`:                                                            func(c *ChemBus) { c.BlindAfter = config.Duration(time.Second) },
		`option "max_zooids": allows no zooid at all; use at least 1`:                                                          func(c *ChemBus) { c.MaxZooids = 0 },
		`option "maintenance_file": "~/maintenance" is no absolute path; use one such as`:                                      func(c *ChemBus) { c.MaintenanceFile = "~/maintenance" },
		`option "max_message_size": 1048577 bytes is out of range; use 1KiB to 1MiB`:                                           func(c *ChemBus) { c.MaxMessageSize = 1<<20 + 1 },
		`option "pending_bytes_limit": 1048575 bytes is too few; use at least 1048576`:                                         func(c *ChemBus) { c.PendingBytesLimit = 1<<20 - 1 },
		`option "pending_bytes_limit": 1048576 bytes is too few; use at least 8388608, 8 times max_message_size`:               func(c *ChemBus) { c.MaxMessageSize, c.PendingBytesLimit = 1<<20, 1<<20 },
		`option "max_message_size": 1023 bytes is out of range; use 1KiB`:                                                      func(c *ChemBus) { c.MaxMessageSize = 1<<10 - 1 },
	} {
		c := newPlugin()
		configure(c)
		err := c.Init()
		require.ErrorContains(t, err, expected)
		var wrong *option.Error
		require.ErrorAs(t, err, &wrong)
	}
	require.NoError(t, newPlugin().Init(), "the defaults")
	off := newPlugin()
	off.KillTopic, off.SuspendTopic, off.ResumeTopic, off.MaintenanceFile = "", "", "", ""
	require.NoError(t, off.Init(), "each may be off")
}

func TestEndpointsOfTheEnvironment(t *testing.T) {
	bus := startBus(t)
	const nowhere = "tcp://127.0.0.1:1"
	for name, env := range map[string]map[string]string{
		"older before newer": {
			"KLR_CHEM_XPUB": bus.XPub(), "KLR_UMN_XPUB": nowhere, "KLR_CHEM_XSUB": bus.XSub(), "KLR_UMN_XSUB": nowhere,
		},
		"newer alone": {
			"KLR_CHEM_XPUB": "", "KLR_UMN_XPUB": bus.XPub(), "KLR_CHEM_XSUB": "", "KLR_UMN_XSUB": bus.XSub(),
		},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range env {
				t.Setenv(variable, value)
			}
			c := onBus(bus)
			c.SubscribeEndpoint, c.PublishEndpoint = "", ""
			start(t, c)
			// Both are right: the probe comes back.
			eventually(t, c, observable(c))
		})
	}
	t.Run("configuration before both", func(t *testing.T) {
		for _, variable := range []string{"KLR_CHEM_XPUB", "KLR_UMN_XPUB", "KLR_CHEM_XSUB", "KLR_UMN_XSUB"} {
			t.Setenv(variable, nowhere)
		}
		c := onBus(bus)
		start(t, c)
		eventually(t, c, observable(c))
	})
}

// openFiles counts the process's file descriptors.
func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(files)
}

func TestStartAndStopLeaveNothingBehind(t *testing.T) {
	bus := startBus(t)
	dead := startBus(t)
	require.NoError(t, dead.Kill())
	cycle := func(n int) {
		c := onBus([]*colony.Bus{bus, dead}[n%2])
		if n%3 == 0 {
			c.PublishEndpoint = "none"
		}
		require.NoError(t, c.Init())
		for range 2 { // the same one may be started again
			acc := &gate{}
			require.NoError(t, c.Start(acc))
			if n%5 == 0 && n%2 == 0 {
				eventually(t, c, observable(c))
			}
			c.Stop()
			added := acc.NMetrics()
			require.NotZero(t, added, "the tick of 0")
			require.NoError(t, c.Gather(&testutil.Accumulator{}))
			require.Equal(t, added, acc.NMetrics())
		}
		require.Empty(t, c.Log.(*testutil.CaptureLogger).Errors())
	}
	cycle(0)
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for n := range 50 {
		cycle(n)
	}
	require.True(t, holds(func() bool { return runtime.NumGoroutine() <= goroutines }),
		"%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
	require.True(t, holds(func() bool { return openFiles(t) <= files }),
		"%d open files, %d before", openFiles(t), files)
}

func TestStopWhileTelegrafStalls(t *testing.T) {
	bus := startBus(t)
	c := onBus(bus)
	require.NoError(t, c.Init())
	acc := &gate{}
	require.NoError(t, c.Start(acc))
	acc.Wait(2)
	open := acc.close(t)
	eventually(t, c, observable(c))
	require.True(t, holds(func() bool { return acc.waiting.Load() == 1 }), "the emitter is blocked")
	stopped := make(chan struct{})
	go func() {
		c.Stop()
		close(stopped)
	}()
	// The shim closes its channel as soon as Stop has returned: adding would panic.
	select {
	case <-stopped:
		require.Fail(t, "Stop returned while a metric was being added")
	case <-time.After(200 * time.Millisecond):
	}
	open()
	select {
	case <-stopped:
	case <-time.After(patience):
		require.Fail(t, "Stop did not return")
	}
}

func TestStopDoesNotWaitForTheNextTick(t *testing.T) {
	c := onBus(startBus(t))
	c.TickInterval, c.BlindAfter = config.Duration(time.Hour), config.Duration(2*time.Hour)
	c.AnnounceAs = ""
	require.NoError(t, c.Init())
	require.NoError(t, c.Start(&gate{}))
	eventually(t, c, map[string]any{"connected": true})
	stopped := make(chan struct{})
	go func() {
		c.Stop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(patience):
		require.Fail(t, "Stop did not return")
	}
}

func TestMaintenanceFile(t *testing.T) {
	bus := startBus(t)
	c := onBus(bus)
	c.MaintenanceFile = filepath.Join(t.TempDir(), "maintenance_mode")
	acc := start(t, c)
	requireLines(t, c, []string{"Listening for", "can be heard"})

	require.NoError(t, os.WriteFile(c.MaintenanceFile, nil, 0o600))
	before := eventually(t, c, map[string]any{"observable": false, "connected": true})
	// The bus still forwards the probe, and that is no evidence now.
	var during map[string]any
	require.True(t, holds(func() bool {
		during = busReport(t, c)
		return during["messages"].(uint64) >= before["messages"].(uint64)+5
	}))
	require.Equal(t, before["observed_s"], during["observed_s"])
	require.Greater(t, during["blind_s"], before["blind_s"])
	require.Equal(t, false, during["observable"])
	ticks := len(acc.named("chembus_tick"))
	require.True(t, holds(func() bool { return len(acc.named("chembus_tick")) > ticks }), "ticks go on")

	require.NoError(t, os.Remove(c.MaintenanceFile))
	after := eventually(t, c, observable(c))
	require.GreaterOrEqual(t, after["observed_s"], during["observed_s"])
	requireLines(t, c, []string{"Listening for", "can be heard", "is in maintenance", "can be heard again"})
}

// TestMaintenanceFileThatCannotBeLookedAt has a file where its folder should be.
func TestMaintenanceFileThatCannotBeLookedAt(t *testing.T) {
	c := onBus(startBus(t))
	folder := filepath.Join(t.TempDir(), "folder")
	require.NoError(t, os.WriteFile(folder, nil, 0o600))
	c.MaintenanceFile = filepath.Join(folder, "maintenance_mode")
	start(t, c)
	require.True(t, holds(func() bool { return says(c, "maintenance_file cannot be looked at") }))
	require.NoError(t, os.Remove(folder))
	require.True(t, holds(func() bool { return says(c, "can be looked at") }))
}
