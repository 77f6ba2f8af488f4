package chembus

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/heap"
)

// inputVariable has this test program be an input of its own, on the two endpoints that it holds.
const inputVariable = "CHEMBUS_TEST_INPUT"

func TestMain(m *testing.M) {
	if endpoints := os.Getenv(inputVariable); endpoints != "" {
		os.Exit(runInput(strings.Fields(endpoints)))
	}
	os.Exit(m.Run())
}

// runInput hears the bus until its standard input is closed.
func runInput(endpoints []string) int {
	c := newPlugin()
	c.Log = testutil.Logger{Quiet: true}
	c.SubscribeEndpoint, c.PublishEndpoint = endpoints[0], endpoints[1]
	c.Signals = []string{"EVOLUTION"}
	c.TickInterval = config.Duration(100 * time.Millisecond)
	if err := c.Init(); err != nil {
		return 1
	}
	if err := c.Start(&testutil.NopAccumulator{}); err != nil {
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // an error ends it, too
	c.Stop()
	return 0
}

// startInput starts an input in a process of its own.
func startInput(t *testing.T, b *colony.Bus) (pid int) {
	t.Helper()
	input := exec.Command(os.Args[0])
	input.Env = append(os.Environ(), inputVariable+"="+b.XPub()+" "+b.XSub())
	stdin, err := input.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, input.Start())
	t.Cleanup(func() {
		require.NoError(t, stdin.Close())
		require.NoError(t, input.Wait())
	})
	return input.Process.Pid
}

// memory returns what the process has in memory, now and at most, in MiB.
func memory(t *testing.T, pid int) (now, most int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for _, line := range strings.Split(string(status), "\n") {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			_, err = fmt.Sscan(value, &now)
		} else if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			_, err = fmt.Sscan(value, &most)
		}
		require.NoError(t, err)
	}
	return now / 1024, most / 1024
}

// TestFloodsTakeLittleMemory sends what takes long to read, what is large, and many names. Before the queues were bounded
// in bytes the first two took more than a gigabyte.
func TestFloodsTakeLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("sends 700 MB")
	}
	b := startBus(t)
	pid := startInput(t, b)
	p := publisher(t, b, "EVOLUTION")
	before, _ := memory(t, pid)
	slow := `{"facts":{"zooid":"slow"},"x":"` + strings.Repeat(`\u0041`, 10_000) + `"}`
	large := strings.Repeat("x", 4<<20-200)
	// The pauses are what keeps most of it from being dropped before it reaches the input.
	for n := range 4000 {
		publish(t, p, []string{"HEARTBEAT", "EVOLUTION"}[n%2], slow)
		if n%40 == 0 {
			publish(t, p, "HEARTBEAT", large)
		}
		if n%10 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	for n := range 10_000 {
		publish(t, p, "HEARTBEAT", beatNow(fmt.Sprintf("%0256d", n)))
		if n%500 == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}

	require.True(t, holds(ownBeats(t, b)), "it still hears and publishes")
	_, most := memory(t, pid)
	t.Logf("%d MiB before, %d at most", before, most)
	limit := 200
	if heap.UnderRace() {
		limit *= 2 // which takes memory of its own
	}
	require.Less(t, most, limit, "MiB")
}

// ownBeats returns a condition: a heartbeat of the input has come.
func ownBeats(t *testing.T, b *colony.Bus) func() bool {
	t.Helper()
	ctx, err := zmq.NewContext()
	require.NoError(t, err)
	sub, err := bus.NewSubscriber(ctx, b.XPub(), nil, 8<<20, "HEARTBEAT")
	require.NoError(t, err)
	t.Cleanup(func() {
		sub.Close(0)
		require.NoError(t, ctx.Term())
	})
	return func() bool {
		_, payload, _, err := sub.Receive()
		for ; err == nil; _, payload, _, err = sub.Receive() {
			if beat, reject := bus.ParseHeartbeat(string(payload)); reject == "" && beat.Zooid == "heartbeat_monitor" {
				return true
			}
		}
		return false
	}
}
