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

const (
	root = "../.."
	// shortSeed brings deaths, and kills of Telegraf, the judge and the bus, within few faults.
	shortSeed = 6409
)

// TestShortCampaign is make soak with few faults.
func TestShortCampaign(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: the campaign needs a Telegraf")
	}
	t.Parallel()
	o := options{telegraf: os.Getenv("TELEGRAF"), plugins: t.TempDir(), dir: t.TempDir(), zooids: 50}
	var err error
	if o.telegraf == "" {
		o.telegraf, err = filepath.Abs(filepath.Join(root, "bin", "telegraf"))
		require.NoError(t, err)
	}
	require.FileExists(t, o.telegraf, "no Telegraf to test with; run make telegraf, or name one with TELEGRAF=")
	o.dropIn, err = filepath.Abs(filepath.Join(root, "sample.conf"))
	require.NoError(t, err)
	build := exec.Command("go", "build", "-o", o.plugins, "./cmd/telegraf-chembus")
	build.Dir = root
	built, err := build.CombinedOutput()
	require.NoError(t, err, string(built))

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out bytes.Buffer
	r, err := run(ctx, o, 8, shortSeed, &out)
	if r != nil {
		r.print(&out)
	}
	t.Log(out.String())
	if err != nil || !r.good() {
		log, _ := os.ReadFile(filepath.Join(o.dir, "telegraf.log")) // it may not have come so far
		t.Logf("telegraf said:\n%s", log)
	}
	require.NoError(t, err)
	require.True(t, r.good())
	require.NotZero(t, r.count(handled), "the campaign tested nothing")
}

func TestDiskFillsUp(t *testing.T) {
	d, err := newStateDisk(filepath.Join(t.TempDir(), "state"))
	require.NoError(t, err)
	defer func() { require.NoError(t, d.close()) }()
	t.Log(d)
	if !d.fillable() {
		t.Skip("the superuser may write to a read-only folder, and may not mount a tmpfs")
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
