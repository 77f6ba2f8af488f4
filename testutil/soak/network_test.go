package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

// TestEachFaultOfTheNetwork does each kind of fault of the network once, while a zooid has just died.
func TestEachFaultOfTheNetwork(t *testing.T) {
	t.Parallel()
	telegraf.Binary(t, root)
	if os.Getenv(ownNetwork) == "" {
		inOwnNetwork(t)
		return
	}
	require.NoError(t, enterOwnNetwork())
	r := requireGood(t, options{stages: 1}, func(ctx context.Context, o options) (*report, error) {
		return onNetworkStage(ctx, o, func(ctx context.Context, c *campaign) (ledger, error) {
			for _, f := range networkFaults {
				c.doBesideDeath(ctx, f)
			}
			return c.finish(ctx)
		})
	})
	require.NotZero(t, r.count(handled), "the campaign had no death with a gap")
	for _, f := range networkFaults {
		require.NotZero(t, r.faults[f.kind], f.kind)
	}
}

// inOwnNetwork runs the test in a process with a network namespace of its own.
func inOwnNetwork(t *testing.T) {
	t.Helper()
	if err := canHaveNetworks(); err != nil {
		t.Skip("network namespaces are needed:", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), ownNetwork+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	output, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("network namespaces are needed:", err)
	}
	t.Logf("%s", output)
	require.NoError(t, err)
}
