package chembus

import (
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

const (
	// repeatedly is how many losses of a connection within lossWindow are worth a line, although it came back each time.
	repeatedly = 3
	lossWindow = time.Minute
)

// lossLog logs what was missed on a connection, with the probable cause: when ZeroMQ has cut it, when it is lost again
// and again, and when messages were dropped. Each of these is a line a minute at most.
type lossLog struct {
	what       string // is heard on it
	effect     string // of missing some of it
	endpoint   string
	socketSize int64 // bytes of a message that the socket takes
	log        telegraf.Logger

	refusals, losses, dropped      uint64 // logged, or too few to be
	since                          time.Time
	cutLimit, lossLimit, dropLimit logging.RateLimit
}

// Update takes the totals; it is to be called regularly.
func (l *lossLog) Update(losses, refusals, dropped uint64, now time.Time) {
	if n := refusals - l.refusals; n > 0 && l.cutLimit.Allow(now) {
		l.log.Warnf("The connection for %s to the bus at %q was cut (%d times), probably by a message of more than %d bytes, 64 times "+
			"max_message_size, which ZeroMQ refuses so. Messages forwarded until it was back were missed; %s. "+
			"Find the component that publishes such large messages", l.what, l.endpoint, n, l.socketSize, l.effect)
		l.refusals, l.losses = refusals, losses
	}
	if now.Sub(l.since) > lossWindow {
		l.since, l.losses = now, losses
	}
	if n := losses - l.losses; n >= repeatedly && refusals == l.refusals && l.lossLimit.Allow(now) {
		l.log.Warnf("The connection for %s to the bus at %q was lost %d times within %v. Messages forwarded until it was back were missed; "+
			"%s. Check whether its proxy is started again and again, and the network", l.what, l.endpoint, n, lossWindow, l.effect)
	}
	if n := dropped - l.dropped; n > 0 && l.dropLimit.Allow(now) {
		l.log.Warnf("%d messages for %s from the bus at %q were dropped, since more came than could be read (pending_bytes_limit); "+
			"%s. Check which component sends so much", n, l.what, l.endpoint, l.effect)
		l.dropped = dropped
	}
}
