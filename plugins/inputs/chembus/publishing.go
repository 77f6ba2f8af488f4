package chembus

import (
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// publishing reports whether what the plugin publishes comes back, which is something every 10 s at least; known is false
// as long as nothing can be said yet.
func (c *collector) publishing(now time.Time) (works, known bool) {
	if c.returned.IsZero() {
		return false, now.Sub(c.start) >= bus.ReturnTimeout
	}
	return now.Sub(c.returned) < bus.ReturnTimeout, true
}
