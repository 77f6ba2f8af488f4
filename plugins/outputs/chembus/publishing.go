package chembus

import (
	"fmt"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// waitTolerance is how long gaps may wait for a consumer before that is logged.
const waitTolerance = 30 * time.Second

// logState logs when publishing does not work, which is known before the first gap needs it, and else when gaps wait for a
// consumer.
func (p *publisher) logState(pending int, now time.Time) {
	c := p.plugin
	p.works = p.log.Update(bus.PublishView{
		Effect: fmt.Sprintf("Gaps cannot be published, %d wait", pending), Returned: p.returned,
		Up: p.out.Up(), Refusals: p.out.Refusals(), Hears: p.probes.Up(),
	}, now)
	p.waits.Warnf(c.Log, pending > 0 && p.listenedSince.IsZero() && p.works, now, "No gap waits for a consumer any more",
		"%d gaps wait: nobody on the bus at %q subscribes to %q. Start a consumer", pending, c.endpoint, c.Signal)
}
