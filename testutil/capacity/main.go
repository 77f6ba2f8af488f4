// Command capacity computes what a large fleet of buses needs, what a failure does to it, and what breaks first as it grows, from
// figures that were measured on a small one. The documentation of the fleet has its output.
//
//	go run ./testutil/capacity
package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// big is the fleet of the documentation.
var big = fleet{
	buses: 10_000, components: 10_000_000, interval: 10 * time.Second, reportInterval: 10 * time.Second,
	centrals: 2, replicas: 3, window: 10 * time.Minute, hostBuffer: 100_000,
}

// partitionings are the numbers of partitions that are compared. The first is that of streams.sh, and too few for the big fleet, so it
// has no failures.
var partitionings = []int{16, 32, 64, 128}

func main() {
	var out strings.Builder
	report(&out)
	if _, err := os.Stdout.WriteString(out.String()); err != nil {
		fmt.Fprintln(os.Stderr, "capacity:", err)
		os.Exit(1)
	}
}

// report writes what the fleet needs as a whole and for each partition, what failures do, and what breaks.
func report(out io.Writer) {
	total := big.load(big.buses)
	whole := table{{"the whole fleet", ""}}
	whole.add("metrics published", count(total.metrics)+" a second, "+size(total.bytes)+" a second")
	whole.add("the window, on each NATS server", size(total.bytes*big.window.Seconds()))
	whole.add("sent by the leader of the stream", size(total.bytes*big.copies())+" a second")
	whole.add("cores of all NATS servers for the metrics", fmt.Sprintf("%.0f", total.metrics*measured.nats*big.copies()))
	whole.add("the same for an idle consumer of each host", fmt.Sprintf("%.0f, and %s of memory in each server",
		float64(big.buses)*measured.consumer, size(float64(big.buses)*measured.consumerMemory)))
	whole.add("cores of all central hosts for heartbeats", fmt.Sprintf("%.0f", total.beatCores*float64(big.centrals)))
	whole.add("the same for reports", fmt.Sprintf("%.0f", total.reportCores*float64(big.centrals)))
	whole.print(out)

	needs := table{{"partitions", "buses in the largest", "of what a central Telegraf can read", "cores", "memory of the processor", "its state",
		"which is written in"}}
	for _, partitions := range partitionings {
		l := big.load(big.largest(partitions))
		needs.add(fmt.Sprint(partitions), fmt.Sprintf("%.0f", l.buses), fmt.Sprintf("%.0f %%", 100*l.metrics/measured.readRate),
			fmt.Sprintf("%.1f", l.beatCores+l.reportCores), size(l.memory), size(l.state), duration(l.state/measured.stateRate))
	}
	fmt.Fprintln(out)
	needs.print(out)

	effects := table{{"failure", "a gap is late by", "all is as before after", "lost"}}
	for _, fault := range faults {
		var late, recovery []string
		var lost float64
		for _, partitions := range partitionings[1:] {
			o := big.simulate(big.largest(partitions), fault)
			late, recovery = append(late, duration(o.late)), append(recovery, duration(o.recovery))
			lost = max(lost, o.lost)
		}
		effects.add(fault.name, strings.Join(late, ", "), strings.Join(recovery, ", "), fmt.Sprintf("%.0f %%", 100*lost))
	}
	fmt.Fprintln(out)
	effects.print(out)

	breaks := table{{"what breaks", "at components", "because"}}
	for _, l := range big.limits() {
		breaks.add(l.what, count(l.components), l.why)
	}
	fmt.Fprintln(out)
	breaks.print(out)
}
