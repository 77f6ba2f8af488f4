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
			c.addHeartbeat(acc, &r.beats[i])
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

func (c *ChemBus) addHeartbeat(acc telegraf.Accumulator, z *zooid) {
	tags := c.tags()
	tags["zooid"] = z.name
	if z.niche != "" {
		tags["niche"] = z.niche
	}
	fields := map[string]any{
		"beats":      z.beats,
		"starts":     z.starts,
		"observed_s": z.observed.Seconds(),
		"run":        c.run,
	}
	if !math.IsNaN(z.sent) {
		fields["sent"] = z.sent
		fields["lag_s"] = bus.EpochSeconds(z.arrived) - z.sent
	}
	if z.processedCount >= 0 {
		fields["processed_count"] = z.processedCount
	}
	if !math.IsNaN(z.uptime) {
		fields["uptime_s"] = z.uptime
	}
	// Not the time of the beat: after a mere copy that would be the metric before once more, and a
	// database would overwrite it.
	acc.AddFields("chembus_heartbeat", fields, tags, z.heard)
}
