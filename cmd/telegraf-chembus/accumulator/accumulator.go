// Package accumulator lets plugins add metrics outside of Telegraf's agent. The agent's own accumulator brings a parser
// of SNMP MIBs along, which takes more memory at the start of each process than the plugins on a small bus do.
package accumulator

import (
	"time"

	"github.com/influxdata/telegraf"
)

// Taker takes the metrics of a plugin.
type Taker interface {
	AddFields(measurement string, fields map[string]any, tags map[string]string, t ...time.Time)
	AddMetric(m telegraf.Metric)
	AddError(err error)
}

// Of returns an accumulator that hands all metrics to a taker, whatever their type.
func Of(t Taker) telegraf.Accumulator {
	return accumulator{t}
}

type accumulator struct{ Taker }

// AddGauge adds a metric.
func (a accumulator) AddGauge(measurement string, fields map[string]any, tags map[string]string, t ...time.Time) {
	a.AddFields(measurement, fields, tags, t...)
}

// AddCounter adds a metric.
func (a accumulator) AddCounter(measurement string, fields map[string]any, tags map[string]string, t ...time.Time) {
	a.AddFields(measurement, fields, tags, t...)
}

// AddSummary adds a metric.
func (a accumulator) AddSummary(measurement string, fields map[string]any, tags map[string]string, t ...time.Time) {
	a.AddFields(measurement, fields, tags, t...)
}

// AddHistogram adds a metric.
func (a accumulator) AddHistogram(measurement string, fields map[string]any, tags map[string]string, t ...time.Time) {
	a.AddFields(measurement, fields, tags, t...)
}

// SetPrecision has no effect: times are kept in full.
func (accumulator) SetPrecision(time.Duration) {}

// WithTracking is for plugins that wait until a metric was delivered, which nobody can tell here.
func (accumulator) WithTracking(int) telegraf.TrackingAccumulator {
	panic("metrics cannot be tracked outside of Telegraf")
}
