package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// TestFleetPartitions judges two hosts in different partitions, each in two central Telegrafs.
func TestFleetPartitions(t *testing.T) {
	f := newServer(t)
	f.shell("PARTITIONS=2 ./streams.sh")
	// The hosts that streams.sh puts into partition 0 and 1.
	hosts := []string{"host1", "host0"}
	for _, host := range hosts {
		f.addHost(host)
	}
	centrals := [2][2]*fleet{}
	for partition := range centrals {
		for i := range centrals[partition] {
			c := f.another()
			c.hosts = f.hosts[partition : partition+1]
			c.startCentral(fmt.Sprintf("central-%d-%d", partition, i), quickCentral, fmt.Sprintf("FLEET_PARTITION=%d", partition))
			centrals[partition][i] = c
		}
	}
	for _, pair := range centrals {
		for _, c := range pair {
			c.waitUp()
		}
	}
	for i, h := range f.hosts {
		require.NoError(t, h.colony.Kill(h.zooids[i]))
	}
	for partition, pair := range centrals {
		h := f.hosts[partition]
		f.wait("the bus of "+h.name+" hears of its gap", func() bool { return len(h.gaps.Received()) > 0 })
		for _, c := range pair {
			f.wait("each central Telegraf repeats the gap", func() bool { return c.count("liveness_gap,", `event="repeated"`) > 3 })
			require.Equal(t, 1, c.count("liveness_gap,", `event="opened"`, "host="+h.name, "zooid="+h.zooids[partition]))
			require.Zero(t, c.count("host="+hosts[1-partition]), "metrics of the other partition")
		}
		require.Equal(t, pair[0].gaps("opened"), pair[1].gaps("opened"))
		require.Equal(t, []string{h.zooids[partition]}, zooidsOf(h.gaps.Received()))
	}
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
		_, err := js.CreateConsumer(t.Context(), "GAPS", jetstream.ConsumerConfig{Durable: "edge-" + host, FilterSubject: "gaps." + host + ".*"})
		require.NoError(t, err, "the consumer of %s", host)
	}
}
