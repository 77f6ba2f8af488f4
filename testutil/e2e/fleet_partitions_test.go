package e2e

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	natsserver "github.com/kloros/telegraf-chembus/testutil/nats"
	"github.com/kloros/telegraf-chembus/testutil/process"
)

// TestFleetPartitions judges two hosts in different partitions, each in a central Telegraf of its partition, and in one that
// reads both.
func TestFleetPartitions(t *testing.T) {
	f := newServer(t)
	f.shell("PARTITIONS=2 ./streams.sh")
	hosts := []string{"host1", "host0"} // by the partition that streams.sh puts them into
	for _, host := range hosts {
		f.addHost(host)
	}
	both := f.another()
	both.dropIn = bothPartitions(t, f.dropIn)
	both.startCentral("central-b", quickCentral)
	both.waitUp()
	var singles []*fleet
	for partition, h := range f.hosts {
		c := f.another()
		c.hosts = []*fleetHost{h}
		c.startCentral(fmt.Sprintf("central-a%d", partition), quickCentral, fmt.Sprintf("FLEET_PARTITION=%d", partition))
		c.waitUp()
		singles = append(singles, c)
	}
	for i, h := range f.hosts {
		require.NoError(t, h.colony.Kill(h.zooids[i]))
	}
	found := map[string]string{}
	for partition, c := range singles {
		h := f.hosts[partition]
		f.wait("the bus of "+h.name+" hears of its gap", func() bool { return len(h.gaps.Received()) > 0 })
		for _, c := range []*fleet{c, both} {
			f.wait("each central Telegraf repeats the gap", func() bool { return c.count("liveness_gap,", `event="repeated"`, "host="+h.name) > 3 })
			require.Equal(t, 1, c.count("liveness_gap,", `event="opened"`, "host="+h.name, "zooid="+h.zooids[partition]))
		}
		require.Zero(t, c.count("liveness,", "host="+hosts[1-partition]), "components of the other partition")
		maps.Copy(found, c.gaps("opened"))
	}
	require.Equal(t, found, both.gaps("opened"))
	for partition, h := range f.hosts {
		require.Equal(t, []string{h.zooids[partition]}, zooidsOf(h.gaps.Received()))
	}
}

// bothPartitions writes a drop-in of a central Telegraf with a block for each of two partitions.
func bothPartitions(t *testing.T, dropIn string) string {
	t.Helper()
	content, err := os.ReadFile(dropIn)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(content), "[[inputs.nats_consumer]]\n")
	require.True(t, found)
	block, after, found := strings.Cut(rest, "\n\n")
	require.True(t, found)
	const all = "${FLEET_PARTITION:-*}"
	path := filepath.Join(t.TempDir(), "central.conf")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join([]string{
		before + "[[inputs.nats_consumer]]", replaced(t, block, [2]string{all, "0"}), "[[inputs.nats_consumer]]",
		replaced(t, block, [2]string{all, "1"}, [2]string{`"${FLEET_CENTRAL}"`, `"${FLEET_CENTRAL}-1"`}), "", after,
	}, "\n")), 0o600))
	return path
}

// TestFleetPartitionOfAHost publishes as a thousand hosts, in turn, to the streams of streams.sh: the hosts are spread over
// all partitions, each is in one, and its messages keep their order.
func TestFleetPartitionOfAHost(t *testing.T) {
	const hosts, rounds, partitions = 1000, 3, 16
	f := newServer(t)
	f.shell("./streams.sh")
	connection, err := nats.Connect(f.nats.URL())
	require.NoError(t, err)
	defer connection.Close()
	js, err := jetstream.New(connection)
	require.NoError(t, err)
	for round := range rounds {
		for i := range hosts {
			_, err := js.PublishAsync(fmt.Sprintf("beats.host%d", i), fmt.Append(nil, round))
			require.NoError(t, err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-t.Context().Done():
	}
	_, err = js.Publish(t.Context(), "fleet.0.central-a", []byte("0")) // as a central Telegraf does
	require.NoError(t, err)

	consumer, err := js.OrderedConsumer(t.Context(), "BEATS", jetstream.OrderedConsumerConfig{})
	require.NoError(t, err)
	messages, err := consumer.Messages()
	require.NoError(t, err)
	defer messages.Stop()
	partitionOf, read, sizes := map[string]string{}, map[string]int{}, map[string]int{}
	for range hosts*rounds + 1 {
		m, err := messages.Next()
		require.NoError(t, err)
		words := strings.Split(m.Subject(), ".")
		require.Len(t, words, 3, m.Subject())
		partition, host := words[1], words[2]
		if read[host] == 0 {
			partitionOf[host] = partition
			sizes[partition]++
		}
		require.Equal(t, partitionOf[host], partition, "the partition of %s", host)
		require.Equal(t, fmt.Sprint(read[host]), string(m.Data()), "the messages of %s in their order", host)
		read[host]++
	}
	require.Equal(t, "0", partitionOf["central-a"])
	_, err = js.Publish(t.Context(), "gaps.host7.x", []byte("0"))
	require.NoError(t, err)
	gaps, err := js.Stream(t.Context(), "GAPS")
	require.NoError(t, err)
	gap, err := gaps.GetMsg(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "gaps."+partitionOf["host7"]+".host7.x", gap.Subject, "the partition of heartbeats and gaps")
	require.Len(t, sizes, partitions)
	for partition, size := range sizes {
		require.InDelta(t, hosts/partitions, size, hosts/partitions/2, "hosts in partition %s", partition)
	}
	require.Equal(t, "fleet."+partitionOf["host7"]+".host7", strings.TrimSpace(f.shell(strings.ReplaceAll(
		documentBlock(t, "cmd/telegraf-chembus/fleet/fleet.md", "## Partitions", "shell", "nats server mapping"), "kitchen", "host7"))))
}

// TestFleetOfManyHosts makes the consumers that the drop-ins of more hosts would make than a NATS server allows by default.
func TestFleetOfManyHosts(t *testing.T) {
	const hosts = 1002
	f := newServer(t)
	f.shell("./streams.sh")
	connection, err := nats.Connect(f.nats.URL())
	require.NoError(t, err)
	defer connection.Close()
	js, err := jetstream.New(connection)
	require.NoError(t, err)
	for i := range hosts {
		host := fmt.Sprintf("host%d", i)
		_, err := js.CreateConsumer(t.Context(), "GAPS", jetstream.ConsumerConfig{
			Durable: "edge-" + host, FilterSubject: "gaps.*." + host + ".*", MemoryStorage: true,
		})
		require.NoError(t, err, "the consumer of %s", host)
	}
}

// TestFleetServer runs the documentation's commands for a server and its streams as printed, but for the address and the folder.
func TestFleetServer(t *testing.T) {
	t.Parallel()
	const document = "cmd/telegraf-chembus/fleet/fleet.md"
	programs := filepath.Dir(natsserver.Binary(t, root))
	command := replaced(t, documentBlock(t, document, "## Set-up", "shell", "   nats-server"), [2]string{"/var/lib/nats", t.TempDir()})
	start := exec.Command("sh", "-c", "exec "+strings.TrimSpace(command)+" -a 127.0.0.1 -p -1")
	environment := append(os.Environ(), "HOME="+t.TempDir(), "PATH="+programs+string(os.PathListSeparator)+os.Getenv("PATH"))
	start.Env = environment
	server, err := process.Start(start, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	var address string
	require.Eventually(t, func() bool {
		_, line, found := strings.Cut(server.Output(), "Listening for client connections on ")
		address, _, _ = strings.Cut(line, "\n")
		return found && strings.Contains(server.Output(), "Server is ready")
	}, limit, poll, "the server is ready")

	streams := exec.Command("sh", "-ec", replaced(t, documentBlock(t, document, "## Set-up", "shell", "   NATS_URL="),
		[2]string{"nats1:4222", address})+"nats stream ls --names -s nats://"+address)
	streams.Dir, streams.Env = fleetFolder, environment
	output, err := streams.CombinedOutput()
	require.NoError(t, err, "%s", output)
	for _, stream := range []string{"\nBEATS\n", "\nGAPS\n"} {
		require.Contains(t, "\n"+string(output), stream)
	}
}
