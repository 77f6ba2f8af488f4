package chembus

import (
	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// otherMonitorType is the gap_type of the colony's own monitor, InteroceptionDaemon.
const otherMonitorType = "component_silent"

// noticeOtherMonitor takes a message on the topic of the gaps that is no gap of processors.liveness. The first of another
// monitor is logged.
func (c *ChemBus) noticeOtherMonitor(payload []byte) {
	if c.otherMonitor {
		return
	}
	m, ok := bus.ParseMessage(string(payload))
	var facts struct {
		GapType string `json:"gap_type"`
		Zooid   string `json:"zooid"`
	}
	if !ok || m.DecodeFacts(&facts) != nil || facts.GapType != otherMonitorType {
		return
	}
	c.otherMonitor = true
	c.Log.Warnf("Another monitor publishes gaps on %q, %q of %q in ecosystem %q: consumers handle each silence once for this plugin and once "+
		"more for that one, also in maintenance. Stop one of the two: InteroceptionDaemon, or [[outputs.chembus]]; see its README, "+
		`"Beside InteroceptionDaemon"`, c.Signal, facts.GapType, facts.Zooid, m.Ecosystem)
}
