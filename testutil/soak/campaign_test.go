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

	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

const (
	root = "../.."
	// shortSeed has deaths and kills of Telegraf, the processor and the bus among its first faults.
	shortSeed = 6409
)

// TestShortCampaign runs a campaign with few faults, see make soak.
func TestShortCampaign(t *testing.T) {
	t.Parallel()
	o := options{telegraf: telegraf.Binary(t, root), plugins: t.TempDir(), dir: t.TempDir(), n: 8, stages: 1, seed: shortSeed}
	var err error
	o.dropIn, err = filepath.Abs(filepath.Join(root, "sample.conf"))
	require.NoError(t, err)
	build := exec.Command("go", "build", "-o", o.plugins, "./cmd/telegraf-chembus")
	build.Dir = root
	built, err := build.CombinedOutput()
	require.NoError(t, err, string(built))

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out bytes.Buffer
	o.out = &out
	r, err := randomFaults(ctx, o)
	r.print(&out)
	t.Log(out.String())
	if err != nil || !r.good() {
		log, _ := os.ReadFile(filepath.Join(o.dir, "0", "telegraf.log")) // missing if the stage could not be started
		t.Logf("the log of Telegraf:\n%s", log)
	}
	require.NoError(t, err)
	require.True(t, r.good())
	require.NotZero(t, r.count(handled), "the campaign had no death with a gap")
}

func TestDiskFillsUp(t *testing.T) {
	d, err := newStateDisk(filepath.Join(t.TempDir(), "state"))
	require.NoError(t, err)
	defer func() { require.NoError(t, d.close()) }()
	t.Log(d)
	if !d.fillable() {
		t.Skip("root can write to a read-only folder, and mounting a tmpfs is not permitted")
	}
	kept, fresh := filepath.Join(d.dir, "kept"), filepath.Join(d.dir, "fresh")
	require.NoError(t, os.WriteFile(kept, []byte("state"), 0o600))
	require.NoError(t, d.fill())
	require.Error(t, os.WriteFile(fresh, []byte("state"), 0o600))
	content, err := os.ReadFile(kept)
	require.NoError(t, err)
	require.Equal(t, "state", string(content))
	require.NoError(t, d.free())
	require.NoError(t, os.WriteFile(fresh, []byte("state"), 0o600))
}
