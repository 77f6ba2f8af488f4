package chembus

import (
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

// busLog logs when the bus cannot be heard, and when it can be again.
type busLog struct {
	endpoint   string
	blindAfter time.Duration
	log        telegraf.Logger

	heard bool
	blind logging.Problem
	since time.Time // of the last evidence before the bus could not be heard
}

// busView is what is known of the bus at present.
type busView struct {
	observable, connected, maintenance bool
	behind                             bool      // the bus forwards more than can be received
	evidence                           time.Time // when the last came; at first the start
}

// Update takes the present view; it is to be called regularly.
func (l *busLog) Update(v busView, now time.Time) {
	blind := !v.observable && (v.maintenance || now.Sub(v.evidence) >= l.blindAfter) // a shorter hole is none to report
	change, _ := l.blind.Update(blind, now)
	first := v.observable && !l.heard
	l.heard = l.heard || v.observable
	switch {
	case change == logging.Ended:
		l.log.Infof("The bus at %q can be heard again after %v; that time is not counted as silence", l.endpoint, now.Sub(l.since).Round(time.Second))
	case first:
		l.log.Infof("The bus at %q can be heard", l.endpoint)
	case change == logging.None:
		return
	case v.maintenance:
		l.log.Warnf("The bus at %q is in maintenance. Missing heartbeats are not reported until it ends", l.endpoint)
	case v.behind:
		l.log.Warnf("The bus at %q forwards more than can be received. Missing heartbeats are not reported until the backlog is gone. "+
			"Check which component sends so much, and the topics in signals", l.endpoint)
	case v.connected:
		l.log.Warnf("The bus at %q is connected but forwards nothing. Missing heartbeats are not reported until it does. "+
			"Check that its proxy runs and is not in maintenance", l.endpoint)
	default:
		l.log.Warnf("No connection to the bus at %q. Missing heartbeats are not reported until there is one. "+
			"Check that its proxy runs, and subscribe_endpoint", l.endpoint)
	}
	l.since = v.evidence
}
