package main

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDocumentation compares the output with that in the documentation of the fleet.
func TestDocumentation(t *testing.T) {
	document, err := os.ReadFile("../../cmd/telegraf-chembus/fleet/fleet.md")
	require.NoError(t, err)
	var out strings.Builder
	report(&out)
	for _, part := range strings.Split(out.String(), "\n\n") {
		if !strings.Contains(string(document), strings.TrimSpace(part)) {
			t.Errorf("fleet.md must have what go run ./testutil/capacity prints:\n%s", part)
		}
	}
}

// small is a fleet whose partition uses a third of what a central Telegraf reads.
func small() (fleet, int) {
	f := big
	buses := int(measured.readRate / 3 / (100 + measured.ticks)) // 1000 components of a bus send 100 heartbeats a second
	return f, buses
}

func TestSimulation(t *testing.T) {
	f, buses := small()
	const minute = 60.0
	for _, test := range []struct {
		name                 string
		fault                fault
		late, recovery, lost float64
	}{
		{"nothing", fault{}, 0, 0, 0},
		{"one of two is off: the other one finds all", fault{down: 1, downFor: time.Minute}, 0, 1.5 * minute, 0},
		{"both are off for a minute: half a minute to read what gathered", fault{down: 2, downFor: time.Minute}, minute, 1.5 * minute, 0},
		{"both are replaced: they read the window of ten minutes in five", fault{down: 2, downFor: time.Minute, replaced: true},
			4 * minute, 6 * minute, 0},
		{"NATS is off for a minute", fault{natsOff: time.Minute}, minute, 1.5 * minute, 0},
		{"a third of the hosts is cut off for a minute: 20 s of metrics at once", fault{cutShare: 1. / 3, cutFor: time.Minute}, 20. / 3, 70, 0},
		{"hosts are cut off for twice as long as they keep", fault{cutShare: 0.1, cutFor: 2 * time.Duration(f.hostBuffer/110) * time.Second},
			30, 1863, 0.5},
	} {
		o := f.simulate(buses, test.fault)
		require.InDelta(t, test.late, o.late, 2, "%s: late", test.name)
		require.InDelta(t, test.recovery, o.recovery, 3, "%s: recovery", test.name)
		require.InDelta(t, test.lost, o.lost, 0.01, "%s: lost", test.name)
	}
	require.True(t, math.IsInf(f.simulate(4*buses, fault{}).recovery, 1), "more than a central Telegraf can read")
}
