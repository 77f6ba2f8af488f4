package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAdaptiveThresholdsDecide has the processor report 7 s, not 4 s, for z, and 3 s after a restart.
func TestAdaptiveThresholdsDecide(t *testing.T) {
	newAdaptive := func(revived time.Duration, after ...inForce) *ledger {
		l := newLedger(died(100*second, revived))
		l.adaptive = map[string][]inForce{"z": append([]inForce{{90 * second, 5 * second}, {98 * second, 6 * second}}, after...)}
		return l
	}
	long := inForce{101 * second, 7 * second}
	require.Equal(t, nothing, verdicts(newAdaptive(105*second, long))[0])
	require.Equal(t, falseAlarm, verdicts(newAdaptive(120*second, long).handle("i", 105*second, 0))[0], "before the deadline")
	require.Equal(t, handled, verdicts(newAdaptive(120*second, long).handle("i", 107*second, 0))[0])
	require.Equal(t, missed, verdicts(newAdaptive(120*second, long))[0])
	require.Equal(t, nearThreshold, verdicts(newAdaptive(108*second, long))[0])

	restarted := inForce{102 * second, 3 * second}
	require.Equal(t, nearThreshold, verdicts(newAdaptive(105*second, long, restarted))[0])
	require.Equal(t, handled, verdicts(newAdaptive(120*second, long, restarted).handle("i", 103*second, 0))[0])

	shortest, longest := newAdaptive(120 * second).thresholdOf(died(100*second, 120*second))
	require.Equal(t, []time.Duration{6 * second, 6 * second}, []time.Duration{shortest, longest}, "reported last before")
	shortest, longest = newAdaptive(120*second, inForce{121 * second, 3 * second}).thresholdOf(died(100*second, 120*second))
	require.Equal(t, []time.Duration{6 * second, 6 * second}, []time.Duration{shortest, longest}, "reported afterwards")
}

func TestReadThresholds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.influx")
	_, err := readThresholds(path, time.Unix(0, 0))
	require.ErrorContains(t, err, "no threshold")
	write := func(text string) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("liveness,zooid=z state=\"late\",threshold_s=5 2000000000\nliveness,zooid=z state=\"up\",threshold_s=4.5 1000000000\n")
	got, err := readThresholds(path, time.Unix(1, 0))
	require.NoError(t, err)
	require.Equal(t, map[string][]inForce{"z": {{0, 4500 * time.Millisecond}, {second, 5 * second}}}, got)
	write("liveness,zooid=z state=\"up\",threshold_s=9 1\n")
	_, err = readThresholds(path, time.Unix(0, 0))
	require.ErrorContains(t, err, `of "z" is 9s`)
}
