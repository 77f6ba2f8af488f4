package chembus

import (
	"time"

	"github.com/influxdata/telegraf"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

// returnTimeout is how long nothing that was published may have come back before publishing counts as failed. Something
// is published every 10 s at least.
const returnTimeout = 30 * time.Second

// publishing reports whether what the plugin publishes comes back; known is false as long as nothing can be said yet.
func (c *collector) publishing(now time.Time) (works, known bool) {
	if c.returned.IsZero() {
		return false, now.Sub(c.start) >= returnTimeout
	}
	return now.Sub(c.returned) < returnTimeout, true
}

// publishLog logs when nothing that is published comes back, with the cause, and when it does again. It is silent while
// nothing could be heard, which busLog logs.
type publishLog struct {
	endpoint string
	log      telegraf.Logger

	mute     logging.Problem
	hearing  time.Time // since when something could be heard
	refusals uint64    // when something came back last
}

// publishView is what is known of publishing at present.
type publishView struct {
	hears    bool // the bus is connected, and not in maintenance
	fails    bool // nothing has come back for returnTimeout
	up       bool // the connection to publish
	refusals uint64
}

// Update takes the present view; it is to be called regularly.
func (l *publishLog) Update(v publishView, now time.Time) {
	if !v.hears || l.hearing.IsZero() {
		l.hearing = now
	}
	if !v.fails {
		defer func() { l.refusals = v.refusals }()
	}
	if v.fails && now.Sub(l.hearing) < returnTimeout {
		return
	}
	switch change, _ := l.mute.Update(v.fails, now); {
	case change == logging.Ended:
		l.log.Infof("What is published at %q comes back from the bus again", l.endpoint)
	case change == logging.None:
	case v.refusals > l.refusals:
		l.log.Warnf("The plugin's own heartbeat and probe cannot be published at %q: for %v nothing has come back. The connection is cut again and "+
			"again, probably since somebody subscribes to a topic of more than %d bytes, which the bus passes on and ZeroMQ refuses. Find that subscriber",
			l.endpoint, returnTimeout, bus.SubscriptionLimit)
	case !v.up:
		l.log.Warnf("The plugin's own heartbeat and probe cannot be published: no connection to %q for %v. Check publish_endpoint",
			l.endpoint, returnTimeout)
	default:
		l.log.Warnf("The plugin's own heartbeat and probe do not come back: for %v nothing published at %q was heard. Check that "+
			"subscribe_endpoint and publish_endpoint are of one bus", returnTimeout, l.endpoint)
	}
}
