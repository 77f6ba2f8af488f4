package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestShortMonitorCampaign is the campaign of monitors with few faults.
func TestShortMonitorCampaign(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs for a minute, and starts many processes")
	}
	t.Parallel()
	plugins := t.TempDir()
	build := exec.Command("go", "build", "-o", plugins, "./cmd/telegraf-chembus")
	build.Dir = root
	built, err := build.CombinedOutput()
	require.NoError(t, err, string(built))

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out bytes.Buffer
	c := monitorCampaign{program: filepath.Join(plugins, "telegraf-chembus"), dir: t.TempDir(), faults: 30, seed: 1, stages: 24}
	r, err := c.run(ctx, &out)
	if err == nil {
		r.print(&out)
	}
	t.Log(out.String())
	require.NoError(t, err)
	for _, stage := range r.troubled() {
		log, _ := os.ReadFile(c.log(stage)) // it was written if there is a report
		t.Logf("the monitors of stage %d logged:\n%s", stage, log)
	}
	require.True(t, r.good())
	require.NotZero(t, r.count(gapHandled), "the campaign tested nothing")
}
