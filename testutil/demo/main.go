// Command demo demonstrates telegraf-chembus, see make run: it runs a Telegraf with the drop-in on an embedded colony, or
// on the bus in the environment, and prints what happens.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

// fast are options for a heartbeat interval of one second, with the marker file of a maintenance and the address of the
// status page.
const fast = `
[[inputs.chembus]]
  announce_as = ""
  maintenance_file = %q

[[processors.liveness]]
  threshold = "4s"
  late_after = "2s"
  report_interval = "2s"

[[outputs.chembus]]

[[outputs.liveness]]
  listen = %q
  stale_after = "6s"
`

// standardPage is where the status page is without options.
const standardPage = "127.0.0.1:8559"

const beatInterval = time.Second

// agentConfig makes Telegraf write the metrics to its stdout, where the demo reads them.
const agentConfig = `
[agent]
  interval = "2s"
  flush_interval = "500ms"
  quiet = true
  skip_processors_after_aggregators = true
[[outputs.file]]
  files = ["stdout"]
  metric_batch_size = 1
  namepass = ["liveness", "liveness_gap", "chembus_bus"]
  data_format = "influx"
`

// outputMetric makes a metric of the state file of the output, as a block in the drop-in does.
const outputMetric = `
[[inputs.file]]
  files = [%q]
  name_override = "chembus_output"
  data_format = "json"
  json_query = "counts"
  json_string_fields = ["publishing"]
`

type options struct {
	telegraf, plugins, dropIn string
	fleet, nats               string
	external                  bool
	duration                  time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.telegraf, "telegraf", "bin/telegraf", "`path` of telegraf")
	flag.StringVar(&o.plugins, "plugins", "bin", "`folder` of telegraf-chembus")
	flag.StringVar(&o.dropIn, "drop-in", "sample.conf", "drop-in `file`")
	flag.StringVar(&o.fleet, "fleet", "", "run the demo of a fleet, with the files in this `folder`")
	flag.StringVar(&o.nats, "nats", "bin/nats-server", "`path` of nats-server, with the program nats beside it; for -fleet")
	flag.BoolVar(&o.external, "external", false, "use the bus in the environment and start no colony")
	flag.DurationVar(&o.duration, "duration", 0, "exit after this time; 0: run until Ctrl-C")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run runs the demo until the context is cancelled or the duration is over.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	for _, path := range []*string{&o.telegraf, &o.plugins, &o.dropIn, &o.nats} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "telegraf-chembus-demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}

	s := newScreen(out, time.Now())
	if o.fleet != "" {
		if o.fleet, err = filepath.Abs(o.fleet); err != nil {
			return err
		}
		return runFleet(ctx, o, dir, s)
	}
	config := telegraf.Config{
		Binary: o.telegraf, Plugins: o.plugins, DropIn: o.dropIn,
		Agent: agentConfig + pageBlock + fmt.Sprintf(outputMetric, filepath.Join(dir, "state", "output.json")), Dir: dir,
	}
	page := standardPage
	var subscribe string
	if o.external {
		if subscribe, err = bus.SubscribeEndpoint(""); err != nil {
			return err
		}
		s.printf("monitoring the bus at %s with the default threshold of 30 s", subscribe)
	} else {
		b, err := colony.NewBus(colony.BusConfig{})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.Close()) }()
		subscribe = b.XPub()
		marker := filepath.Join(dir, "maintenance_mode")
		if page, err = freeAddress(standardPage); err != nil {
			return err
		}
		config.Options = fmt.Sprintf(fast, marker, page)
		config.Env = []string{"KLR_CHEM_XSUB=" + b.XSub(), "KLR_CHEM_XPUB=" + subscribe}
		s.printf("started a bus: publishers connect to %s, subscribers to %s", b.XSub(), subscribe)
		scenario, err := startScenario(b.XSub(), marker, s)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, scenario.Close()) }()
	}
	listener, err := consumer.New(consumer.Config{XPub: subscribe, Topic: "CAPABILITY_GAP", OnMessage: s.gap})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, listener.Close()) }()

	historian, err := consumer.NewHistorian(consumer.HistorianConfig{XPub: subscribe})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, historian.Close()) }()

	reader, writer := io.Pipe()
	config.Stdout = writer
	agent, err := telegraf.Start(config)
	if err != nil {
		return err
	}
	s.printf("started Telegraf with %s in telegraf.d", filepath.Base(o.dropIn))
	s.printf("OPEN      http://%s/ shows what happens", page)
	metrics := make(chan struct{})
	go func() {
		defer close(metrics)
		s.metrics(reader)
	}()
	select {
	case <-ctx.Done():
	case <-agent.Done():
		err = fmt.Errorf("telegraf exited:\n%s", agent.Output())
	}
	err = errors.Join(err, agent.Stop(), writer.Close())
	<-metrics
	if err == nil && !o.external && o.duration > 0 && len(listener.Handled()) == 0 {
		err = fmt.Errorf("no gap arrived within %v; the log of Telegraf:\n%s", o.duration, agent.Output())
	}
	s.printf("finished: a subscriber on the bus handled %d gaps", len(listener.Handled()))
	s.printf("finished: a historian of everything read %v", historian.Report())
	return err
}

// freeAddress returns an address if nobody listens there, else another one on this host.
func freeAddress(address string) (string, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return "", err
		}
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
