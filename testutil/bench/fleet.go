package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/nats"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

const (
	// fleetBusSize is the number of components on each bus.
	fleetBusSize = 100
	// fleetWarmUp is the time in which all components become known.
	fleetWarmUp = 30 * time.Second
	// fleetKills is the maximum number of components that die, each on another bus, so that each is an incident of its own.
	fleetKills = 200
	// fleetKillTime is the time in which they die.
	fleetKillTime = 30 * time.Second
	// fleetThreshold is the default.
	fleetThreshold = 30 * time.Second
	// fleetLost is the number of hosts that die with all that is on them, one each fleetLostEvery: fewer than an outage has.
	fleetLost      = 6
	fleetLostEvery = 6 * time.Second
	// hostThreshold is that of the watch in fleet.md.
	hostThreshold = time.Minute
	// fleetGapTimeout is how long after the last deadline the bench waits for gaps.
	fleetGapTimeout = 30 * time.Second

	longBatch, shortBatch = 10 * time.Second, time.Second
)

// central is a central Telegraf, which reads one partition.
type central struct {
	*telegraf.Telegraf
	dir       string
	processor int // its process id
}

// centralCosts are CPU seconds per beat, and bytes.
type centralCosts struct {
	processor, telegraf, memory, telegrafMemory, state float64
}

// fleet measures two central Telegrafs with the drop-in of a fleet, side by side on one NATS server: one with many buses, one with
// a single bus of as many components. The hosts are simulated. The CPU time and the memory are those with batches of 10 s. The
// delay is that with batches of 1 s, while the other central Telegraf gets nothing.
func (b *bench) fleet(ctx context.Context) (rows table, err error) {
	server, err := b.startNATS(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	hosts, err := newHosts(server.URL(), longBatch)
	if err != nil {
		return nil, err
	}
	defer hosts.close()
	many := hosts.add(0, b.fleetBuses, fleetBusSize)
	one := hosts.add(1, 1, b.fleetBuses*fleetBusSize)
	var centrals [2]central
	for partition, gaps := range []io.Writer{hosts, io.Discard} {
		if centrals[partition], err = b.startCentral(server, partition, gaps); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, stopped(centrals[partition].Telegraf)) }()
	}
	running, stop := context.WithCancel(ctx)
	wait := hosts.start(running)
	defer func() {
		stop()
		err = errors.Join(err, wait())
	}()

	if err := errors.Join(sleep(ctx, fleetWarmUp), hosts.awaitRead(ctx, fleetCentral(0), fleetCentral(1))); err != nil {
		return nil, err
	}
	before := [2]counts{many.counts(), one.counts()}
	spent, err := spending([]int{centrals[0].processor, centrals[1].processor, centrals[0].Pid(), centrals[1].Pid(), server.Pid()}, func() error {
		return errors.Join(sleep(ctx, b.fleetTime), hosts.awaitRead(ctx, fleetCentral(0), fleetCentral(1)))
	})
	if err != nil {
		return nil, err
	}
	sent := [2]counts{many.counts().less(before[0]), one.counts().less(before[1])}
	var costs [2]centralCosts
	for i := range costs {
		beats := float64(sent[i].beats)
		costs[i].processor, costs[i].telegraf = spent[i]/beats, spent[2+i]/beats
		memories, err := memoryOf(centrals[i].processor, centrals[i].Pid())
		if err != nil {
			return nil, err
		}
		costs[i].memory, costs[i].telegrafMemory = memories[0], memories[1]
	}
	b.logf("  %v with batches of %v: %d and %d beats, processor %s and %s, false gaps: %d", b.fleetTime, longBatch, sent[0].beats, sent[1].beats,
		micros(costs[0].processor), micros(costs[1].processor), hosts.opened())

	hosts.end(one)
	hosts.setBatch(shortBatch)
	if err := sleep(ctx, longBatch); err != nil {
		return nil, err
	}
	delays, err := b.fleetDelays(ctx, hosts, many)
	if err != nil {
		return nil, err
	}
	lateness := hosts.lateness()
	stop()
	if err := wait(); err != nil {
		return nil, err
	}
	if err := hosts.awaitRead(ctx, fleetCentral(0), fleetCentral(1)); err != nil {
		return nil, err
	}
	for i, c := range centrals {
		if err := stopped(c.Telegraf); err != nil { // saves the whole state
			return nil, err
		}
		if costs[i].state, err = sizeOf(filepath.Join(c.dir, "state", "liveness.json*")); err != nil {
			return nil, err
		}
	}

	return b.fleetTable(costs, sent, spent[4]/float64(sent[0].beats+sent[1].beats), delays, lateness), nil
}

// fleetTable shows the figures of both central Telegrafs.
func (b *bench) fleetTable(costs [2]centralCosts, sent [2]counts, nats float64, delays fleetDelays, lateness time.Duration) table {
	many, one := costs[0], costs[1]
	ratio := many.processor / one.processor
	p99, slowest := quantile(delays.components, 0.99), slices.Max(delays.hosts)
	rows := table{
		{"processor, CPU per beat", micros(many.processor), micros(one.processor), times(ratio), "1.5×", within(ratio <= 1.5)},
		{"Telegraf, CPU per beat", micros(many.telegraf), micros(one.telegraf), times(many.telegraf / one.telegraf), "", noBudget},
		{"ticks and reports of the bus per beat", fmt.Sprintf("%.2f", sent[0].others()), fmt.Sprintf("%.2f", sent[1].others()), "", "", noBudget},
		{"bytes per beat in the stream", fmt.Sprintf("%.0f B", sent[0].size()), fmt.Sprintf("%.0f B", sent[1].size()), "", "", noBudget},
		{"nats-server for both, CPU per beat", micros(nats), "", "", "", noBudget},
		{"memory (PSS) of the processor", megabytes(many.memory), megabytes(one.memory), times(many.memory / one.memory), "", noBudget},
		{"memory (PSS) of Telegraf", megabytes(many.telegrafMemory), megabytes(one.telegrafMemory), "", "", noBudget},
		{"state of the processor", megabytes(many.state), megabytes(one.state), times(many.state / one.state), "", noBudget},
		{fmt.Sprintf("false gaps in %v with batches of %v, and then", b.fleetTime, longBatch), fmt.Sprint(delays.others), "", "", "0",
			within(delays.others == 0)},
		{fmt.Sprintf("delay past the deadline with batches of %v, p99 of %d kills", shortBatch, len(delays.components)), seconds(p99), "", "", "3.00 s",
			within(p99 <= 3)},
		{"the same, mean", seconds(mean(delays.components)), "", "", "", noBudget},
		{fmt.Sprintf("delay past the deadline of hosts, longest of %d that died", len(delays.hosts)), seconds(slowest), "", "", "3.00 s", within(slowest <= 3)},
		{"the latest that a simulated host was", seconds(lateness.Seconds()), "", "", "", noBudget},
	}
	for i := range rows {
		rows[i].figure = fmt.Sprintf("fleet, %d buses with %d components each: %s", b.fleetBuses, fleetBusSize, rows[i].figure)
		if rows[i].baseline != "" {
			rows[i].baseline = "one bus " + rows[i].baseline
		}
	}
	return rows
}

// startNATS starts a NATS server with the streams of a fleet. It keeps one minute only: what is older takes space and is not read.
func (b *bench) startNATS(ctx context.Context) (*nats.Server, error) {
	server, err := nats.Start(ctx, b.nats, filepath.Join(b.dir, "nats"))
	if err != nil {
		return nil, err
	}
	for _, command := range []string{"./streams.sh", "nats stream edit BEATS --max-age 1m --dupe-window 1m --force"} {
		if _, err := server.Shell(ctx, b.fleetFolder(), command); err != nil {
			return nil, errors.Join(err, server.Stop())
		}
	}
	return server, nil
}

func (b *bench) fleetFolder() string {
	return filepath.Join(b.root, "cmd", "telegraf-chembus", "fleet")
}

// fleetCentral returns the FLEET_CENTRAL of the central Telegraf of a partition.
func fleetCentral(partition int) string { return fmt.Sprintf("central-%d", partition) }

// centralOptions are what central.conf needs; everything else is at its default.
const centralOptions = `
[[processors.liveness]]
  adopt = true
  [[processors.liveness.watch]]
    name = "buses"
    measurement = ["chembus_bus"]
    identity = ["host"]
    tick = ["probe_returned"]
    blind_after = "30s"
    threshold = "1m"
`

// hostGapConfig has Telegraf print the gaps of hosts.
const hostGapConfig = `
[[outputs.file]]
  files = ["stdout"]
  namepass = ["liveness_gap"]
  metricpass = "has(tags.watch)"
  flush_interval = "200ms"
  data_format = "influx"
`

// startCentral starts the central Telegraf of a partition. It prints the gaps of hosts.
func (b *bench) startCentral(server *nats.Server, partition int, gaps io.Writer) (central, error) {
	dir, err := os.MkdirTemp(b.dir, "central")
	if err != nil {
		return central{}, err
	}
	c := central{dir: dir}
	if c.Telegraf, err = telegraf.Start(telegraf.Config{
		Binary: b.telegraf, Plugins: b.plugins, DropIn: filepath.Join(b.fleetFolder(), "central.conf"), Agent: agentConfig + hostGapConfig, Dir: dir,
		Options: centralOptions, Stdout: gaps,
		Env: []string{"NATS_URL=" + server.URL(), "FLEET_CENTRAL=" + fleetCentral(partition), fmt.Sprintf("FLEET_PARTITION=%d", partition)},
	}); err != nil {
		return c, err
	}
	for deadline := time.Now().Add(stageLimit); ; time.Sleep(rest) {
		if c.processor, err = c.Plugin("processor"); err == nil {
			return c, nil
		}
		if time.Now().After(deadline) {
			return c, errors.Join(err, c.Stop(), errors.New(c.Output()))
		}
	}
}

// stopped stops a Telegraf, unless it was stopped before. With metrics on their way its inputs.nats_consumer can end it with a panic
// instead; the processor has then stopped, too, and saved its state.
func stopped(t *telegraf.Telegraf) error {
	select {
	case <-t.Done():
		return nil
	default:
	}
	if err := t.Stop(); err != nil && !strings.Contains(t.Output(), "send on closed channel") {
		return fmt.Errorf("%w; the log of Telegraf:\n%s", err, t.Output())
	}
	return nil
}

// fleetDelays are how late gaps were, in seconds.
type fleetDelays struct {
	components, hosts []float64
	others            int // gaps that were false
}

// fleetDelays lets components and hosts of a group die, and waits for the gaps.
func (b *bench) fleetDelays(ctx context.Context, hosts *hosts, g *group) (d fleetDelays, err error) {
	kills := min(fleetKills, b.fleetBuses-fleetLost)
	g.kill(kills, fleetKillTime)
	g.leave(fleetLost, fleetLostEvery)
	if err := sleep(ctx, fleetKillTime+fleetInterval+fleetThreshold); err != nil {
		return d, err
	}
	deadline, cancel := context.WithTimeout(ctx, fleetGapTimeout)
	defer cancel()
	err = await(deadline, "every death is a gap", func() bool {
		d.components, d.hosts = hosts.delays()
		return len(d.components) == kills && len(d.hosts) == fleetLost || hosts.failed() != nil
	})
	if err == nil {
		err = hosts.failed()
	}
	if err != nil && ctx.Err() == nil {
		return d, fmt.Errorf("%w: %d of %d components, %d of %d hosts", err, len(d.components), kills, len(d.hosts), fleetLost)
	}
	d.others = hosts.opened() - len(d.components) - len(d.hosts)
	b.logf("  batches of %v, %d components died: %s", shortBatch, len(d.components), distribution(d.components))
	b.logf("  %d hosts died: %s", len(d.hosts), distribution(d.hosts))
	return d, err
}

// memoryOf returns the proportional set size of each of some processes.
func memoryOf(pids ...int) ([]float64, error) {
	var all []float64
	for _, pid := range pids {
		size, err := memory(pid)
		if err != nil {
			return nil, err
		}
		all = append(all, size)
	}
	return all, nil
}

// sizeOf returns the size of all files that match a pattern, without those of locks.
func sizeOf(pattern string) (float64, error) {
	files, err := filepath.Glob(pattern)
	files = slices.DeleteFunc(files, func(file string) bool { return strings.HasSuffix(file, ".lock") })
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("there is no file %s", pattern)
	}
	sum := 0.0
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		sum += float64(info.Size())
	}
	return sum, err
}
