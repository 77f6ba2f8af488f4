package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

const (
	root = "../.."
	// shortSeed has deaths, kills of the bus and the processor, and a run of telegraf --test among its first faults.
	shortSeed = 2913323
)

// TestShortCampaign runs a campaign with few faults, see make soak.
func TestShortCampaign(t *testing.T) {
	t.Parallel()
	r := requireGood(t, options{n: 8, stages: 1, seed: shortSeed}, randomFaults)
	require.NotZero(t, r.count(handled), "the campaign had no death with a gap")
}

// TestEachKindOfFault does each kind of fault once, for a little longer than the threshold, while a zooid has just died.
func TestEachKindOfFault(t *testing.T) {
	t.Parallel()
	r := requireGood(t, options{stages: 3}, eachFault)
	require.NotZero(t, r.count(handled), "the campaign had no death with a gap")
	for _, f := range faults {
		if f.ofDisk && r.faults[f.kind] == 0 {
			t.Log("not done: the disk cannot be filled, see TestDiskFillsUp")
			continue
		}
		require.NotZero(t, r.faults[f.kind], f.kind)
	}
}

// eachFault does each kind of fault on one of the stages.
func eachFault(ctx context.Context, o options) (*report, error) {
	return onRandomStages(ctx, o, quickSetting(zooidsOnBus, false), func(ctx context.Context, i int, c *campaign) (ledger, error) {
		for k, f := range faults {
			if k%o.stages == i && (!f.ofDisk || c.disk.fillable()) {
				c.doBesideDeath(ctx, f)
			}
		}
		return c.finish(ctx)
	})
}

// doBesideDeath does a fault while a zooid has just died.
func (c *campaign) doBesideDeath(ctx context.Context, f fault) {
	if !f.ofZooid {
		c.doOnce(ctx, faults[0])
	}
	c.doOnce(ctx, f)
}

// doOnce does a fault as soon as it is possible. It waits for its end, unless a zooid is killed.
func (c *campaign) doOnce(ctx context.Context, f fault) {
	target, ok := c.reserve(f)
	for ; !ok && ctx.Err() == nil && c.failed() == nil; target, ok = c.reserve(f) {
		c.sleep(ctx, poll)
	}
	if !ok {
		return
	}
	length := min(max(2*f.shortest, threshold+time.Second), f.longest)
	c.logf("%s %s, %v", f.kind, target, length)
	c.faults.Go(func() { c.do(f, target, length) })
	for f.kind != faults[0].kind && ctx.Err() == nil && c.inProgress(f, target) {
		c.sleep(ctx, poll)
	}
}

func (c *campaign) inProgress(f fault, target string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy[target] || len(f.parts) > 0 && c.busy[f.parts[0]]
}

// requireGood runs a campaign and requires that it finds nothing.
func requireGood(t *testing.T, o options, campaign func(context.Context, options) (*report, error)) *report {
	t.Helper()
	var out bytes.Buffer
	o.telegraf, o.plugins, o.dir, o.out = telegraf.Binary(t, root), t.TempDir(), t.TempDir(), &out
	var err error
	o.dropIn, err = filepath.Abs(filepath.Join(root, "sample.conf"))
	require.NoError(t, err)
	build := exec.Command("go", "build", "-o", o.plugins, "./cmd/telegraf-chembus")
	build.Dir = root
	built, err := build.CombinedOutput()
	require.NoError(t, err, string(built))

	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	r, err := campaign(ctx, o)
	r.print(&out)
	t.Log(out.String())
	if err != nil || !r.good() {
		for i := range o.stages {
			log, _ := os.ReadFile(filepath.Join(o.dir, strconv.Itoa(i), "telegraf.log")) // missing if the stage could not be started
			t.Logf("the log of Telegraf %d:\n%s", i, log)
		}
	}
	require.NoError(t, err)
	require.True(t, r.good())
	return r
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
