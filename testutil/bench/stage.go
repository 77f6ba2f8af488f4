package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/kloros/telegraf-chembus/testutil/colony"
	"github.com/kloros/telegraf-chembus/testutil/consumer"
	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

// stageLimit is the timeout for the start of a stage.
const stageLimit = time.Minute

// stage is a bus with a Telegraf with the drop-in and the Python daemon.
type stage struct {
	bus      *colony.Bus
	beats    *colony.Publisher
	telegraf *telegraf.Telegraf
	monitor  baseline
}

const agentConfig = `
[agent]
  interval = "10s"
  flush_interval = "10s"
  hostname = "bench"
[[outputs.file]]
  files = ["/dev/null"]
  data_format = "influx"
`

// newStage starts a stage and waits until both monitors receive from the bus. Close it after use, also after an error.
func (b *bench) newStage(ctx context.Context, options string, monitor ...string) (*stage, error) {
	return b.newStageWith(ctx, "", options, monitor...)
}

// newStageWith also adds to Telegraf's own configuration.
func (b *bench) newStageWith(ctx context.Context, agent, options string, monitor ...string) (*stage, error) {
	s := &stage{}
	return s, s.start(ctx, b, agentConfig+agent, options, monitor)
}

func (s *stage) start(ctx context.Context, b *bench, agent, options string, monitor []string) error {
	ctx, cancel := context.WithTimeout(ctx, stageLimit)
	defer cancel()
	dir, err := os.MkdirTemp(b.dir, "telegraf")
	if err != nil {
		return err
	}
	if s.bus, err = colony.NewBus(colony.BusConfig{}); err != nil {
		return err
	}
	if s.beats, err = colony.NewPublisher(s.bus.XSub()); err != nil {
		return err
	}
	if s.telegraf, err = telegraf.Start(telegraf.Config{
		Binary: b.telegraf, Plugins: b.plugins, DropIn: b.dropIn, Agent: agent, Options: options, Dir: dir,
		Env: []string{"KLR_CHEM_XSUB=" + s.bus.XSub(), "KLR_CHEM_XPUB=" + s.bus.XPub(), "STATE_DIRECTORY=" + dir},
	}); err != nil {
		return err
	}
	if err := s.beats.WaitSubscribed(ctx, colony.Topic); err != nil {
		return err
	}
	monitor = append([]string{"--xsub", s.bus.XSub()}, monitor...)
	if s.monitor, err = b.startMonitor(s.bus.XPub(), 1, monitor...); err != nil {
		return err
	}
	// The bus forwards only the first subscription, so only a received beat shows that the daemon has subscribed.
	if err := await(ctx, "the Python daemon receives from the bus", func() bool {
		err = errors.Join(err, s.beat("first"))
		return s.monitor.received.Load() || err != nil
	}); err != nil {
		return err
	}
	return err
}

// listen starts a consumer of a signal.
func (s *stage) listen(signal string) (*consumer.Consumer, error) {
	return consumer.New(consumer.Config{XPub: s.bus.XPub(), Topic: signal})
}

// beat publishes a zooid's heartbeat.
func (s *stage) beat(name string) error {
	now := float64(time.Now().UnixMicro()) / 1e6
	return s.beats.Send([]byte(colony.Topic), colony.Heartbeat{
		Zooid: name, Niche: "bench", Uptime: now, ProcessedCount: 7, TS: now,
	}.Payload())
}

// beatInTurn sends the heartbeats of zooids in turn, each at the interval, until the context ends.
func (s *stage) beatInTurn(ctx context.Context, zooids int, interval time.Duration) (wait func() error) {
	var running sync.WaitGroup
	var failure error
	running.Go(func() {
		ticker := time.NewTicker(interval / time.Duration(zooids))
		defer ticker.Stop()
		for i := 0; ; i = (i + 1) % zooids {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if failure = s.beat(zooidName(i)); failure != nil {
				return
			}
		}
	})
	return func() error {
		running.Wait()
		return failure
	}
}

// plugins returns the process ids of input, processor and output.
func (s *stage) plugins() ([]int, error) {
	var pids []int
	for _, role := range []string{"input", "processor", "output"} {
		pid, err := s.telegraf.Plugin(role)
		if err != nil {
			return nil, fmt.Errorf("%w; its log:\n%s", err, s.telegraf.Output())
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// close stops everything.
func (s *stage) close() error {
	var err error
	if s.monitor.Process != nil {
		err = s.monitor.stop()
	}
	if s.telegraf != nil {
		err = errors.Join(err, s.telegraf.Stop())
	}
	if s.beats != nil {
		err = errors.Join(err, s.beats.Close())
	}
	if s.bus != nil {
		err = errors.Join(err, s.bus.Close())
	}
	return err
}
