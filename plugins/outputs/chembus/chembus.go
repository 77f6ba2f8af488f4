// Package chembus publishes liveness gaps on a ChemBus.
package chembus

import (
	_ "embed"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/outputs"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

//go:embed sample.conf
var sampleConfig string

// ChemBus is the output's configuration and state.
type ChemBus struct {
	PublishEndpoint string          `toml:"publish_endpoint"`
	Signal          string          `toml:"signal"`
	Ecosystem       string          `toml:"ecosystem"`
	Intensity       float64         `toml:"intensity"`
	MaxPending      int             `toml:"max_pending"`
	Log             telegraf.Logger `toml:"-"`
}

func (*ChemBus) SampleConfig() string            { return sampleConfig }
func (c *ChemBus) Init() error                   { _, err := bus.PublishEndpoint(c.PublishEndpoint); return err }
func (c *ChemBus) Connect() error                { return nil }
func (c *ChemBus) Write([]telegraf.Metric) error { return nil }
func (c *ChemBus) Close() error                  { return nil }

func init() {
	outputs.Add("chembus", func() telegraf.Output {
		return &ChemBus{Signal: "CAPABILITY_GAP", Ecosystem: "monitoring", Intensity: 1, MaxPending: 10_000}
	})
}
