package chembus

import (
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

const (
	// returnTimeout is how long no probe may have come back before publishing counts as failed.
	returnTimeout = 30 * time.Second
	// waitTolerance is how long gaps may wait for a consumer before that is logged.
	waitTolerance = 30 * time.Second
)

// publishLog logs when nothing that is published comes back, with the cause, and when it does again. A dead path is known
// by that before the first gap needs it. While it works, gaps that wait for a consumer are logged.
type publishLog struct {
	plugin *ChemBus

	mute, waits logging.Problem
	unproved    steppedTime // since a probe came back; no time passes while the process stands still
	returns     uint64
	refusals    uint64 // when a probe came back last
}

// publishView is what is known of publishing at present.
type publishView struct {
	returns  uint64 // how many probes came back
	up       bool   // the connection to publish
	refusals uint64 // of that connection
	hearing  bool   // the connection on which probes come back
	listened bool   // somebody subscribes to the gaps
	pending  int    // gaps
}

// Update takes the present view; it is to be called regularly. It reports whether publishing works, as far as is known.
func (l *publishLog) Update(v publishView, now time.Time) bool {
	l.unproved.Step(now)
	if v.returns != l.returns {
		l.unproved.elapsed, l.returns, l.refusals = 0, v.returns, v.refusals
	}
	fails, log, endpoint := l.unproved.elapsed >= returnTimeout, l.plugin.Log, l.plugin.endpoint
	switch change, _ := l.mute.Update(fails, now); {
	case change == logging.Ended:
		log.Infof("What is published at %q comes back from the bus again", endpoint)
	case change == logging.None:
	case v.refusals > l.refusals:
		log.Warnf("Gaps cannot be published at %q, %d wait: for %v no probe has come back. The connection is cut again and again, probably since "+
			"somebody subscribes to a topic of more than %d bytes, which the bus passes on and ZeroMQ refuses. Find that subscriber",
			endpoint, v.pending, returnTimeout, bus.SubscriptionLimit)
	case !v.up:
		log.Warnf("Gaps cannot be published, %d wait: no connection to the bus at %q for %v. Check that its proxy runs, and publish_endpoint",
			v.pending, endpoint, returnTimeout)
	case !v.hearing:
		log.Warnf("Gaps cannot be published, %d wait: no connection to the bus at %q, from which the acks come, for %v. "+
			"Check that its proxy runs, and subscribe_endpoint", v.pending, l.plugin.subscribeEndpoint, returnTimeout)
	default:
		log.Warnf("Gaps cannot be published, %d wait: for %v no probe that was sent to %q has come back from %q. Check that "+
			"publish_endpoint and subscribe_endpoint are of one bus, and that it is not in maintenance",
			v.pending, returnTimeout, endpoint, l.plugin.subscribeEndpoint)
	}
	switch change, _ := l.waits.Update(v.pending > 0 && !v.listened && !fails, now); change {
	case logging.Began:
		log.Warnf("%d gaps wait: nobody on the bus at %q subscribes to %q. Start a consumer", v.pending, endpoint, l.plugin.Signal)
	case logging.Ended:
		log.Infof("No gap waits for a consumer any more")
	case logging.None:
	}
	return !fails
}
