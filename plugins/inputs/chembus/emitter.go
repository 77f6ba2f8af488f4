package chembus

import (
	"math"

	"github.com/influxdata/telegraf"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// emit adds what is due to the accumulator until the plugin stops. Adding may block for as long as
// Telegraf does; what is heard meanwhile is merged in the collector.
func (c *ChemBus) emit(acc telegraf.Accumulator) {
	// Before any beat the processor has to know that a new run of the clock begins.
	c.addTick(acc, report{at: c.collector.start, resumed: -1})
	heartbeat := newHeartbeatMetric(c)
	for {
		c.mu.Lock()
		for !c.collector.Due() && !c.stopping {
			c.due.Wait()
		}
		if c.stopping {
			c.mu.Unlock()
			return
		}
		r := c.collector.Take()
		c.mu.Unlock()

		for i := range r.beats {
			heartbeat.add(acc, &r.beats[i])
		}
		for _, s := range r.stops {
			c.addStop(acc, s)
		}
		if r.kill {
			c.addKill(acc, r)
		}
		if r.tick {
			c.addTick(acc, r)
		}
		for _, s := range r.signals {
			acc.AddFields("chembus_signal", s.fields, s.tags, s.at)
		}
	}
}

func (c *ChemBus) addKill(acc telegraf.Accumulator, r report) {
	acc.AddFields("chembus_kill", map[string]any{"observed_s": r.killed.Seconds(), "run": c.run}, c.tags(), r.killedAt)
}

// addTick adds a tick. The holes, the last kill signal and the end of the last maintenance are in each of them, for
// whoever lost what came before.
func (c *ChemBus) addTick(acc telegraf.Accumulator, r report) {
	fields := map[string]any{"observed_s": r.observed.Seconds(), "run": c.run, "holes": r.holes}
	if r.holeList != "" {
		fields["hole_list"] = r.holeList
	}
	if !r.killedAt.IsZero() {
		fields["killed_s"] = r.killed.Seconds()
	}
	if r.resumed >= 0 {
		fields["resumed_s"], fields["suspended_s"] = r.resumed.Seconds(), r.suspended.Seconds()
	}
	acc.AddFields("chembus_tick", fields, c.tags(), r.at)
}

func (c *ChemBus) addStop(acc telegraf.Accumulator, s stop) {
	tags := c.tags()
	tags["zooid"] = s.zooid
	acc.AddFields("chembus_stop", map[string]any{"observed_s": s.observed.Seconds(), "run": c.run}, tags, s.at)
}

// tags names the bus, so that whoever sees the metrics of several can keep them apart.
func (c *ChemBus) tags() map[string]string {
	return map[string]string{"endpoint": c.subscribeEndpoint}
}

// heartbeatMetric is the metric chembus_heartbeat. Its maps serve for one after the other, since an accumulator keeps
// neither of them.
type heartbeatMetric struct {
	run    any
	tags   map[string]string
	fields map[string]any
}

func newHeartbeatMetric(c *ChemBus) *heartbeatMetric {
	return &heartbeatMetric{run: c.run, tags: c.tags(), fields: make(map[string]any)}
}

// add adds the metric of a zooid.
func (m *heartbeatMetric) add(acc telegraf.Accumulator, z *zooid) {
	m.tags["zooid"] = z.name
	delete(m.tags, "niche")
	if z.niche != "" {
		m.tags["niche"] = z.niche
	}
	clear(m.fields)
	m.fields["beats"] = z.beats
	m.fields["starts"] = z.starts
	m.fields["observed_s"] = z.observed.Seconds()
	m.fields["run"] = m.run
	if !math.IsNaN(z.sent) {
		m.fields["sent"] = z.sent
		m.fields["lag_s"] = bus.EpochSeconds(z.arrived) - z.sent
	}
	if z.processedCount >= 0 {
		m.fields["processed_count"] = z.processedCount
	}
	if !math.IsNaN(z.uptime) {
		m.fields["uptime_s"] = z.uptime
	}
	// Not the time of the beat: after a mere copy that would be the metric before once more, and a
	// database would overwrite it.
	acc.AddFields("chembus_heartbeat", m.fields, m.tags, z.heard)
}
