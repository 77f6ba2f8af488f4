// Package chembus is the input: it receives the heartbeats on a ChemBus and reports them, together with
// the observation clock by which silence is measured. It knows no thresholds.
package chembus

import (
	_ "embed"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/inputs"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

const (
	// minPendingBytes is the smallest pending_bytes_limit.
	minPendingBytes config.Size = 1 << 20
	// signalsShare is which share of it is for signals and announced stops, if there are any.
	signalsShare = 4
)

//go:embed sample.conf
var sampleConfig string

// ChemBus is the input's configuration and state.
type ChemBus struct {
	SubscribeEndpoint string          `toml:"subscribe_endpoint"`
	PublishEndpoint   string          `toml:"publish_endpoint"`
	HeartbeatTopic    string          `toml:"heartbeat_topic"`
	KillTopic         string          `toml:"kill_topic"`
	SuspendTopic      string          `toml:"suspend_topic"`
	ResumeTopic       string          `toml:"resume_topic"`
	Signals           []string        `toml:"signals"`
	Stops             []*StopTopic    `toml:"stop"`
	AnnounceAs        string          `toml:"announce_as"`
	Probe             bool            `toml:"probe"`
	BlindAfter        config.Duration `toml:"blind_after"`
	TickInterval      config.Duration `toml:"tick_interval"`
	MaxZooids         int             `toml:"max_zooids"`
	MaxMessageSize    config.Size     `toml:"max_message_size"`
	PendingBytesLimit config.Size     `toml:"pending_bytes_limit"`
	MaintenanceFile   string          `toml:"maintenance_file"`
	MaxSuspension     config.Duration `toml:"max_suspension"`
	bus.Curve
	Log telegraf.Logger `toml:"-"`

	subscribeEndpoint string
	publishEndpoint   string // empty: publish nothing
	defaultSubscribe  bool   // neither configured nor from the environment
	defaultPublish    bool
	keys              *bus.Keys

	run  int64 // when the input started, in nanoseconds since the epoch; it names this run of the clock
	loop bus.Loop
	wg   sync.WaitGroup // of the emitter

	mu                 sync.Mutex // guards what follows
	due                *sync.Cond // signals that there is something to report, or that the plugin stops
	collector          *collector
	connected          bool
	disconnects        uint64
	signalsDisconnects uint64
	stopping           bool
}

// SampleConfig returns the documented default configuration.
func (*ChemBus) SampleConfig() string {
	return sampleConfig
}

// Init checks the options.
func (c *ChemBus) Init() error {
	var err error
	if c.subscribeEndpoint, err = bus.SubscribeEndpoint(c.SubscribeEndpoint); err != nil {
		return err
	}
	if c.PublishEndpoint != bus.NoEndpoint {
		if c.publishEndpoint, err = bus.PublishEndpoint(c.PublishEndpoint); err != nil {
			return err
		}
	}
	if !c.Probe && c.AnnounceAs == "" {
		c.publishEndpoint = ""
	}
	c.defaultSubscribe = bus.IsDefaultSubscribe(c.SubscribeEndpoint)
	c.defaultPublish = c.publishEndpoint != "" && bus.IsDefaultPublish(c.PublishEndpoint)
	if c.keys, err = c.Curve.Load(); err != nil {
		return err
	}
	if err := c.checkTopics(); err != nil {
		return err
	}
	if c.AnnounceAs != "" && !bus.ValidName(c.AnnounceAs) {
		return &option.Error{
			Name: "announce_as", Problem: "is no usable name",
			Allowed: "use up to 256 bytes of printable UTF-8 that do not end in a backslash",
		}
	}
	if c.TickInterval < config.Duration(10*time.Millisecond) {
		return option.TooSmall("tick_interval", time.Duration(c.TickInterval), 10*time.Millisecond)
	}
	if c.BlindAfter <= c.TickInterval {
		return &option.Error{
			Name:    "blind_after",
			Problem: time.Duration(c.BlindAfter).String() + " is not longer than tick_interval, in which a quiet bus gives evidence",
			Allowed: "use at least twice the tick_interval of " + time.Duration(c.TickInterval).String(),
		}
	}
	if c.MaxZooids < 1 {
		return &option.Error{Name: "max_zooids", Problem: "allows no zooid at all", Allowed: "use at least 1"}
	}
	if err := c.checkMaintenance(); err != nil {
		return err
	}
	// Reading JSON takes stack for each level of it: 16 MiB of brackets would end the process.
	if c.MaxMessageSize < 1<<10 || c.MaxMessageSize > 1<<20 {
		return &option.Error{Name: "max_message_size", Problem: fmt.Sprintf("%d bytes is out of range", c.MaxMessageSize), Allowed: "use 1KiB to 1MiB"}
	}
	if least := max(minPendingBytes, 2*signalsShare*c.MaxMessageSize); c.PendingBytesLimit < least {
		return &option.Error{
			Name:    "pending_bytes_limit",
			Problem: fmt.Sprintf("%d bytes is too few", c.PendingBytesLimit),
			Allowed: fmt.Sprintf("use at least %d, %d times max_message_size, or 1MiB if that is more", least, 2*signalsShare),
		}
	}
	return nil
}

// Start connects to the bus and begins to listen. A bus that is not there is no error: ZeroMQ keeps
// trying.
func (c *ChemBus) Start(acc telegraf.Accumulator) error {
	if err := c.loop.Init(); err != nil {
		return err
	}
	var probeTopic string
	if c.Probe && c.publishEndpoint != "" {
		probeTopic = "telegraf-chembus.probe." + uuid.NewString()
	}
	c.due = sync.NewCond(&c.mu)
	start := time.Now()
	c.run = start.UnixNano()
	c.collector = newCollector(c, probeTopic, start)
	c.stopping = false

	newReceiver(c, probeTopic).start()
	c.wg.Go(func() { c.emit(acc) })
	c.Log.Infof("Listening for %q on %q", c.HeartbeatTopic, c.subscribeEndpoint)
	return nil
}

// Gather adds chembus_bus. The emitter adds all other metrics, as they come.
func (c *ChemBus) Gather(acc telegraf.Accumulator) error {
	c.addBus(acc, time.Now())
	return nil
}

// Stop ends the listening. What was not reported yet is lost, as is the clock of this run.
func (c *ChemBus) Stop() {
	c.mu.Lock()
	c.stopping = true
	c.due.Broadcast()
	c.mu.Unlock()
	if err := c.loop.Stop(nil); err != nil {
		c.Log.Errorf("Closing ZeroMQ: %v", err)
	}
	// The emitter may be blocked by Telegraf: it must not outlive Stop, after which adding panics.
	c.wg.Wait()
}

func init() {
	inputs.Add("chembus", func() telegraf.Input {
		return &ChemBus{
			HeartbeatTopic:    "HEARTBEAT",
			KillTopic:         "governance.kill",
			SuspendTopic:      "MAINTENANCE_SUSPEND",
			ResumeTopic:       "MAINTENANCE_RESUME",
			MaintenanceFile:   defaultMarker,
			MaxSuspension:     config.Duration(2 * time.Hour),
			AnnounceAs:        "heartbeat_monitor",
			Probe:             true,
			BlindAfter:        config.Duration(3 * time.Second),
			TickInterval:      config.Duration(time.Second),
			MaxZooids:         100_000,
			MaxMessageSize:    config.Size(64 << 10),
			PendingBytesLimit: config.Size(64 << 20),
		}
	})
}
