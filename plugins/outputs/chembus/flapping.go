package chembus

import (
	"math"

	"github.com/kloros/telegraf-chembus/plugins/common/gaptype"
)

// A component that flaps does so for all monitors of a bus. The processor that found it publishes nothing of its silences
// any more; another one, that has counted fewer of them, has gaps to publish. So the delivery log has a second entry of
// such a component, which covers its silences until the own processor says that it flaps no more, or it was not silent for
// a whole window.

// longestFlapWindow bounds for how long a component is taken to flap, in seconds.
const longestFlapWindow = 24 * 60 * 60

func flapsKey(component string) string { return "flaps " + component }

// key is what a silence is kept under.
func (s *silence) key() string {
	if s.FlapWindow > 0 {
		return flapsKey(s.Component)
	}
	return silenceKey(s.Component)
}

// flapping returns the entry of a gap that says that its component flaps.
func (g *gap) flapping() silence {
	return silence{Component: g.component, Incident: g.Incident, Until: g.at, FlapWindow: min(g.FlapWindow, longestFlapWindow)}
}

// flaps reports whether consumers know that a component flaps, and the silence of a gap is part of that.
func (l *deliveryLog) flaps(component string, g *gap) bool {
	f, ok := l.silences.Peek(flapsKey(component))
	return ok && math.Max(g.at-g.Missing-f.Until, f.Until-g.at) <= f.FlapWindow
}

// followFlapping takes a level of a gap of a component that may be known to flap.
func (l *deliveryLog) followFlapping(g *gap) {
	f, ok := l.silences.Get(flapsKey(g.component))
	if ok && g.at > f.Until && len(g.components()) > 0 && l.flaps(g.component, g) {
		f.Until = g.at
		l.Learn(f)
	}
	if g.Kind == gaptype.Flapping && !g.Open {
		l.silences.Remove(flapsKey(g.component))
	}
}
