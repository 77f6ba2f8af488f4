// Package chembus hears the heartbeats on a ChemBus.
package chembus

import (
	_ "embed"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/inputs"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

//go:embed sample.conf
var sampleConfig string

// ChemBus is the input's configuration and state.
type ChemBus struct {
	SubscribeEndpoint string          `toml:"subscribe_endpoint"`
	PublishEndpoint   string          `toml:"publish_endpoint"`
	HeartbeatTopic    string          `toml:"heartbeat_topic"`
	KillTopic         string          `toml:"kill_topic"`
	AnnounceAs        string          `toml:"announce_as"`
	Probe             bool            `toml:"probe"`
	BlindAfter        config.Duration `toml:"blind_after"`
	TickInterval      config.Duration `toml:"tick_interval"`
	MaxZooids         int             `toml:"max_zooids"`
	MaxMessageSize    config.Size     `toml:"max_message_size"`
	MaintenanceFile   string          `toml:"maintenance_file"`
	Log               telegraf.Logger `toml:"-"`
}

func (*ChemBus) SampleConfig() string                { return sampleConfig }
func (c *ChemBus) Init() error                       { _, err := bus.SubscribeEndpoint(c.SubscribeEndpoint); return err }
func (c *ChemBus) Start(telegraf.Accumulator) error  { return nil }
func (c *ChemBus) Gather(telegraf.Accumulator) error { return nil }
func (c *ChemBus) Stop()                             {}

func init() {
	inputs.Add("chembus", func() telegraf.Input {
		return &ChemBus{
			HeartbeatTopic: "HEARTBEAT",
			KillTopic:      "governance.kill",
			AnnounceAs:     "heartbeat_monitor",
			Probe:          true,
			BlindAfter:     config.Duration(3 * time.Second),
			TickInterval:   config.Duration(time.Second),
			MaxZooids:      100_000,
			MaxMessageSize: config.Size(64 << 10),
		}
	})
}
