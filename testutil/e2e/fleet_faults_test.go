package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/process"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

// twice returns a copy of a drop-in that sends everything twice.
func (f *fleet) twice(dropIn string) string {
	f.Helper()
	content, err := os.ReadFile(dropIn)
	require.NoError(f, err)
	changed := telegraf.SentTwice(string(content))
	require.NotEqual(f, string(content), changed)
	path := filepath.Join(f.TempDir(), filepath.Base(dropIn))
	require.NoError(f, os.WriteFile(path, []byte(changed), 0o600))
	return path
}

// TestFleetSiteIsCutOff cuts a host off from NATS for three thresholds, in which a component dies there, and one elsewhere.
// All that hosts and central Telegraf send comes twice.
func TestFleetSiteIsCutOff(t *testing.T) {
	f := newServer(t)
	f.shell("./streams.sh")
	f.edge, f.dropIn = f.twice(f.edge), f.twice(f.dropIn)
	f.startCentral("central-a", quickCentral)
	site, err := process.NewGate(f.nats.Address)
	require.NoError(t, err)
	t.Cleanup(site.Close)
	f.addHost("host0", "NATS_URL=nats://"+site.Address())
	f.addHost("host1")
	f.waitUp()
	off, on := f.hosts[0], f.hosts[1]

	site.Shut(true)
	require.NoError(t, off.colony.Kill(off.zooids[1]))
	require.NoError(t, on.colony.Kill(on.zooids[2]))
	f.wait("the death elsewhere is told", on.told(1))
	<-time.After(3 * time.Duration(quickThreshold) * time.Second)
	require.Zero(t, f.count("liveness_gap,", "host="+off.name), "a site that is cut off is no silence of its components")
	site.Shut(false)
	f.wait("the death there is told", off.told(1))
	reports := f.count("liveness_gap,", `event="repeated"`, "host="+off.name)
	f.wait("the gap comes again with six reports", func() bool {
		return f.count("liveness_gap,", `event="repeated"`, "host="+off.name) > reports+6
	})
	require.Equal(t, []string{off.zooids[1]}, zooidsOf(off.gaps.Received()))
	require.Equal(t, []string{on.zooids[2]}, zooidsOf(on.gaps.Received()))
	require.Len(t, f.gaps("opened"), 2)
	require.Zero(t, f.count("liveness_gap,", `event="closed"`))
}

// TestFleetBothCentralsAreLost kills both central Telegrafs, one after the other. While none runs, a component dies, and one
// comes back. Two others take their place, which know nothing.
func TestFleetBothCentralsAreLost(t *testing.T) {
	f := newFleet(t, 1, "")
	h := f.hosts[0]
	second := f.another()
	second.startCentral("central-b", quickCentral)
	second.waitUp()
	require.NoError(t, h.colony.Kill(h.zooids[0]))
	f.wait("the first gap is told", h.told(1))
	f.wait("both have it", func() bool { return len(f.gaps("opened")) == 1 && len(second.gaps("opened")) == 1 })

	require.NoError(t, f.central.Signal(syscall.SIGKILL))
	require.NoError(t, h.colony.Kill(h.zooids[1]))
	f.wait("a death is told by the other one", h.told(2))
	f.wait("it is written", func() bool { return len(second.gaps("opened")) == 2 })
	incidents := second.gaps("opened")
	require.NoError(t, second.central.Signal(syscall.SIGKILL))
	require.NoError(t, h.colony.Kill(h.zooids[2]))
	require.NoError(t, h.colony.Revive(h.zooids[0]))

	third := f.another()
	third.startCentral("central-c", quickCentral)
	f.wait("the death meanwhile is told", h.told(3))
	first := h.name + "/" + h.zooids[0]
	f.wait("the gap of who came back is closed", func() bool { return third.gaps("closed")[first] == incidents[first] })
	fourth := f.another()
	fourth.startCentral("central-d", quickCentral)
	fourth.waitUp()
	require.NoError(t, h.colony.Kill(h.zooids[3]))
	f.wait("a death after that is told", h.told(4))
	goesOn := func(f *fleet) func() bool {
		return func() bool {
			open := f.gaps("repeated")
			return open[h.name+"/"+h.zooids[1]] == incidents[h.name+"/"+h.zooids[1]] && open[h.name+"/"+h.zooids[3]] != ""
		}
	}
	f.wait("the third goes on with the second gap", goesOn(third))
	f.wait("so does the fourth", goesOn(fourth))
	require.Equal(t, h.zooids, zooidsOf(h.gaps.Received()), "each once")
}
