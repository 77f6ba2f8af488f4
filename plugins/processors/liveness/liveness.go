// Package liveness judges from heartbeats who is alive, late or silent.
package liveness

import (
	_ "embed"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/plugins/processors"
)

//go:embed sample.conf
var sampleConfig string

// Liveness is the processor's configuration and state.
type Liveness struct {
	Measurement    string          `toml:"measurement"`
	Identity       []string        `toml:"identity"`
	Threshold      config.Duration `toml:"threshold"`
	LateAfter      config.Duration `toml:"late_after"`
	BlindAfter     config.Duration `toml:"blind_after"`
	ReportInterval config.Duration `toml:"report_interval"`
	Ignore         []string        `toml:"ignore"`
	Log            telegraf.Logger `toml:"-"`
}

func (*Liveness) SampleConfig() string               { return sampleConfig }
func (l *Liveness) Init() error                      { return nil }
func (l *Liveness) Start(telegraf.Accumulator) error { return nil }
func (l *Liveness) Add(m telegraf.Metric, acc telegraf.Accumulator) error {
	acc.AddMetric(m)
	return nil
}
func (l *Liveness) Stop() {}

func init() {
	processors.AddStreaming("liveness", func() telegraf.StreamingProcessor {
		return &Liveness{
			Measurement:    "chembus_heartbeat",
			Identity:       []string{"zooid"},
			Threshold:      config.Duration(30 * time.Second),
			BlindAfter:     config.Duration(3 * time.Second),
			ReportInterval: config.Duration(10 * time.Second),
		}
	})
}
