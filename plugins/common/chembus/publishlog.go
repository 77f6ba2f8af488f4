package chembus

import (
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

// ReturnTimeout is how long nothing that was published may have come back before publishing counts as failed.
const ReturnTimeout = 30 * time.Second

// longestLook bounds how much of that time passes between two looks at a PublishLog: in more of it the process stood still.
const longestLook = ReturnTimeout / 3

// PublishLog logs when nothing that is published comes back, with the cause, and when it does again.
type PublishLog struct {
	PublishEndpoint, SubscribeEndpoint string
	Log                                telegraf.Logger

	mute     logging.Problem
	unproved SteppedTime // since something came back
	returned time.Time   // as in the last view
	refusals uint64      // then
}

// PublishView is what is known of publishing at present.
type PublishView struct {
	Effect   string    // of nothing coming back, such as "Gaps cannot be published"
	Returned time.Time // when something came back last
	Up       bool      // the connection to publish
	Refusals uint64    // of that connection
	Hears    bool      // the connection on which it would come back
}

// Update takes the present view; it is to be called often, except while it is known why nothing comes back.
// It reports whether publishing works, as far as is known.
func (l *PublishLog) Update(v PublishView, now time.Time) (works bool) {
	l.unproved.Step(now, longestLook)
	if !v.Returned.Equal(l.returned) {
		l.returned, l.refusals, l.unproved.Elapsed = v.Returned, v.Refusals, 0
	}
	works = l.unproved.Elapsed < ReturnTimeout
	switch change, _ := l.mute.Update(!works, now); {
	case change == logging.Ended:
		l.Log.Infof("What is published at %q comes back from the bus again", l.PublishEndpoint)
	case change == logging.None:
	case v.Refusals > l.refusals:
		l.Log.Warnf("%s: for %v nothing that was sent to %q has come back. The connection is cut again and again, probably since somebody subscribes "+
			"to a topic of more than %d bytes, which the bus passes on and ZeroMQ refuses. Find that subscriber",
			v.Effect, ReturnTimeout, l.PublishEndpoint, subscriptionLimit)
	case !v.Up:
		l.Log.Warnf("%s: no connection to the bus at %q for %v. Check that its proxy runs, and publish_endpoint", v.Effect, l.PublishEndpoint, ReturnTimeout)
	case !v.Hears:
		l.Log.Warnf("%s: no connection to the bus at %q, from which what is published comes back, for %v. Check that its proxy runs, and subscribe_endpoint",
			v.Effect, l.SubscribeEndpoint, ReturnTimeout)
	default:
		l.Log.Warnf("%s: for %v nothing that was sent to %q has come back from %q. Check that publish_endpoint and subscribe_endpoint are of one bus, "+
			"and that it is not in maintenance", v.Effect, ReturnTimeout, l.PublishEndpoint, l.SubscribeEndpoint)
	}
	return works
}
