package liveness

import "github.com/influxdata/telegraf"

// unjudgedField is the field that this processor adds to chembus_bus.
const unjudgedField = "unjudged"

// addUnjudged adds to a metric about a bus how many of its components cannot be judged.
func (l *Liveness) addUnjudged(m telegraf.Metric) {
	key, _ := l.buses.Key(m)
	if b := l.buses.byKey[string(key)]; b != nil {
		n, _ := b.detector.Unjudged()
		m.AddField(unjudgedField, n)
	}
}

// warnOfUnjudged logs that components of a bus cannot be judged, and that all can be again.
func (l *Liveness) warnOfUnjudged(b *bus) {
	n, name := b.detector.Unjudged()
	switch {
	case n > 0 && !b.unjudged && b.blurred.Allow(l.now()):
		b.unjudged = true
		cause, remedy := "the bus could not be heard", "See holes and disconnects in chembus_bus "+
			"and the log of inputs.chembus for what interrupts the connection, or whether the input is restarted again and again"
		if b.watch != nil {
			cause, remedy = "no ticks came", "See what delays the metrics of tick, or whether Telegraf is restarted again and again"
		}
		l.Log.Warnf("Cannot judge %d of the components of %s, such as %q: %s whenever their heartbeats were due, "+
			"for longer than their threshold. Whether they live is not known until that ends. %s", n, b.title(), name, cause, remedy)
	case n == 0 && b.unjudged:
		b.unjudged = false
		l.Log.Infof("All components of %s can be judged again", b.title())
	}
}
