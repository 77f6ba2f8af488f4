package chembus

import (
	"time"

	"github.com/influxdata/telegraf"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// addBus reports on the bus and on the input itself. What cannot be known yet is left out: whether the bus can be heard
// before the first evidence or blind_after, and whether publishing works before something has come back or
// bus.ReturnTimeout has passed.
func (c *ChemBus) addBus(acc telegraf.Accumulator, now time.Time) {
	c.mu.Lock()
	s := c.collector
	fields := map[string]any{
		"probing":     s.probeTopic != "",
		"suspended":   s.maintenance.Active(),
		"observed_s":  s.clock.observed.Seconds(),
		"blind_s":     s.clock.Blind(now).Seconds(),
		"holes":       s.clock.holeCount,
		"messages":    s.counts.messages,
		"bytes":       s.counts.bytes,
		"heartbeats":  s.counts.heartbeats,
		"duplicates":  s.counts.duplicates,
		"dropped":     s.counts.dropped,
		"zooids":      len(s.zooids.known),
		"disconnects": c.disconnects,
	}
	waited := now.Sub(s.start) >= s.clock.blindAfter
	if observable := s.clock.Observable(now); observable || s.clock.holeCount > 0 || waited {
		fields["observable"] = observable
	}
	if c.connected || waited {
		fields["connected"] = c.connected
	}
	if works, known := s.publishing(now); known && c.publishEndpoint != "" {
		fields["publishing"] = works
	}
	for _, reason := range bus.Rejects {
		fields["rejected_"+string(reason)] = s.counts.rejected[reason]
	}
	if s.counts.probeRoundTrip >= 0 {
		fields["probe_rtt_s"] = s.counts.probeRoundTrip.Seconds()
	}
	if len(s.signals.topics)+len(s.stops.topics) > 0 {
		fields["signals_disconnects"] = c.signalsDisconnects
	}
	s.signals.addCounts(fields)
	c.mu.Unlock()
	acc.AddFields("chembus_bus", fields, c.tags(), now)
}
