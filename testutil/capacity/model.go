package main

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// measured are figures of one central Telegraf with its processor and of NATS servers, on two cores of 2026. The bytes, the memory and
// the state are those of make bench-fleet, see testutil/bench/README.md. The limit of writing state is the processor's own.
var measured = struct {
	beat, report   float64 // CPU seconds in Telegraf and processor together
	nats           float64 // CPU seconds of a server for a metric that it takes in or sends, in batches
	consumer       float64 // cores of three servers together for a consumer that does nothing, with three replicas
	consumerMemory float64 // bytes of it in each server
	readRate       float64 // metrics a second that a central Telegraf reads at most
	beatBytes      float64 // in the stream
	tickBytes      float64
	memory, state  float64 // bytes for a component in the processor, and in its state file
	stateRate      float64 // bytes of state written a second
	ticks          float64 // of a bus with many heartbeats, a second
}{
	beat: 18e-6, report: 20e-6, nats: 0.9e-6, consumer: 0.6e-3, consumerMemory: 170e3, readRate: 55_000, beatBytes: 242, tickBytes: 132,
	memory: 1000, state: 355, stateRate: 192 << 10, ticks: 10,
}

// assumed are figures of machines and their operators, not measured.
var assumed = struct {
	network     float64       // bytes a second of a server's network card
	database    float64       // points a second that a database takes
	election    time.Duration // until a cluster of NATS has another leader
	restart     time.Duration // of Telegraf, by systemd
	replacement time.Duration // of a central host by another one
}{network: 10e9 / 8, database: 500e3, election: 10 * time.Second, restart: 10 * time.Second, replacement: 5 * time.Minute}

// fleet is a set of buses that are alike.
type fleet struct {
	buses, components        int
	interval, reportInterval time.Duration // of heartbeats, and of the processor's reports
	centrals                 int           // central Telegrafs for each partition
	replicas                 int           // of the streams
	window                   time.Duration // of the stream of heartbeats
	hostBuffer               float64       // metrics that a host keeps while it cannot publish
}

// load is what some buses of a fleet cause.
type load struct {
	buses                  float64
	metrics, bytes         float64 // a second
	beatCores, reportCores float64 // of one central host
	memory, state          float64 // bytes of its processor
}

func (f fleet) load(buses int) load {
	components := float64(buses) * float64(f.components) / float64(f.buses)
	beats := components / f.interval.Seconds()
	ticks := float64(buses) * measured.ticks
	return load{
		buses: float64(buses), metrics: beats + ticks, bytes: beats*measured.beatBytes + ticks*measured.tickBytes,
		beatCores: beats * measured.beat, reportCores: components / f.reportInterval.Seconds() * measured.report,
		memory: components * measured.memory, state: components * measured.state,
	}
}

// copies returns how often the leader of a stream sends each message: to the other servers and to the central Telegrafs.
func (f fleet) copies() float64 { return float64(f.replicas - 1 + f.centrals) }

// largest returns the number of buses in the largest partition. Like NATS it takes the partition of a host from the FNV-1a hash of its
// name.
func (f fleet) largest(partitions int) int {
	sizes := make([]int, partitions)
	for i := range f.buses {
		h := fnv.New32a()
		_, _ = fmt.Fprintf(h, "host%d", i) // it never fails
		sizes[h.Sum32()%uint32(partitions)]++
	}
	return slices.Max(sizes)
}

// limit is a number of components at which something breaks.
type limit struct {
	what       string
	components float64
	why        string
}

// limits returns what breaks as the fleet grows by buses of the same size, the first first.
func (f fleet) limits() []limit {
	total := f.load(f.buses)
	all := float64(f.components)
	limits := []limit{
		{"one central Telegraf for all", all * measured.readRate / total.metrics, fmt.Sprintf("it reads %s metrics a second", count(measured.readRate))},
		{"a database that gets every report", assumed.database * f.reportInterval.Seconds(),
			fmt.Sprintf("it takes %s points a second (assumed), each component is one every %v", count(assumed.database), f.reportInterval)},
		{"the leader of the stream `BEATS`: CPU", all / (total.metrics * measured.nats * (1 + f.copies())),
			fmt.Sprintf("%.1f µs for each metric that it takes in or sends %.0f times, if one core did it all", measured.nats*1e6, f.copies())},
		{"the leader of the stream `BEATS`: network", all * assumed.network / (total.bytes * f.copies()),
			fmt.Sprintf("it sends each byte %.0f times, and %s a second at most (assumed)", f.copies(), size(assumed.network))},
	}
	for _, partitions := range partitionings {
		share := float64(f.largest(partitions)) / float64(f.buses)
		limits = append(limits, limit{fmt.Sprintf("%d partitions", partitions), all * measured.readRate / (total.metrics * share),
			"the central Telegraf of the largest one cannot read more"})
	}
	slices.SortStableFunc(limits, func(a, b limit) int { return cmp.Compare(a.components, b.components) })
	return limits
}
