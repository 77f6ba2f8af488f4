package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
	"github.com/kloros/telegraf-chembus/testutil/process"
)

// TestGapIsNotDeliveredLate has a monitor publish a gap while its link loses all that it sends. When the link is whole again
// the operating system may not deliver that: others may have published it meanwhile, and consumers forgotten it.
func TestGapIsNotDeliveredLate(t *testing.T) {
	t.Parallel()
	process.SkipIfShort(t, "root, ip and tc")
	if os.Getenv(ownNetwork) == "" {
		inOwnNetwork(t)
		return
	}
	require.NoError(t, enterOwnNetwork())
	var mu sync.Mutex
	published := make(map[string][]time.Time) // by incident
	bus, err := colony.NewBus(colony.BusConfig{XSub: anyAddress, XPub: anyAddress, OnForward: func(frames [][]byte) {
		var m struct {
			IncidentID string  `json:"incident_id"`
			TS         float64 `json:"ts"`
		}
		if string(frames[0]) == gapTopic && json.Unmarshal(frames[1], &m) == nil {
			mu.Lock()
			defer mu.Unlock()
			published[m.IncidentID] = append(published[m.IncidentID], time.UnixMicro(int64(m.TS*1e6)))
		}
	}})
	require.NoError(t, err)
	defer bus.Close()
	c, err := consumer.New(consumer.Config{XPub: bus.XPub(), Topic: gapTopic})
	require.NoError(t, err)
	defer c.Close()
	l, err := newLink(0)
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "telegraf-chembus")
	build := exec.Command("go", "build", "-o", program, "./cmd/telegraf-chembus")
	build.Dir = root
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	m, err := newMonitor(0, program, t.TempDir(), l.endpoint(bus.XSub()), l.endpoint(bus.XPub()))
	require.NoError(t, err)
	require.NoError(t, l.beyond(m.start))
	defer func() {
		require.NoError(t, m.kill())
		t.Log(m.log())
	}()

	start := time.Now()
	isOnBus := func(f *failure) func() bool {
		return func() bool {
			m.write(level(f, 0, repeated, start, time.Now()))
			mu.Lock()
			defer mu.Unlock()
			return len(published[f.incidentID(0)]) > 0
		}
	}
	const limit = time.Minute
	require.Eventually(t, isOnBus(&failure{component: "before"}), limit, second, "the monitor is there")
	require.NoError(t, l.loseOfHost(true))
	during := &failure{component: "during"}
	require.Never(t, isOnBus(during), 8*second, second)
	mended := time.Now()
	require.NoError(t, l.loseOfHost(false))
	require.Eventually(t, isOnBus(during), limit, second)
	mu.Lock()
	defer mu.Unlock()
	for _, at := range published[during.incidentID(0)] {
		require.False(t, at.Before(mended), "what was published %v before the link was whole was delivered", mended.Sub(at))
	}
}
