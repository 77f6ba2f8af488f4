package chembus

import (
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

const (
	// waitTolerance is how long gaps may wait before that is logged.
	waitTolerance = 30 * time.Second
	// statusInterval is the shortest time between two lines about the counters; it is how often the processor reports.
	statusInterval = 10 * time.Second
)

// statusLog logs that gaps wait for long, why, and that they no longer do; and the counters when they change.
type statusLog struct {
	log               telegraf.Logger
	endpoint          string
	subscribeEndpoint string
	signal            string

	waits  logging.Problem
	logged totals
	at     time.Time // when the counters were logged last
}

func newStatusLog(c *ChemBus) statusLog {
	return statusLog{
		log: c.Log, endpoint: c.endpoint, subscribeEndpoint: c.subscribeEndpoint, signal: c.Signal,
		waits: logging.Problem{Tolerance: waitTolerance},
	}
}

// Waits takes how many gaps wait, whether there are connections to publish and to hear the bus, and whether somebody
// listens to the gaps. It returns when it has to be asked again; zero: when that changes.
func (s *statusLog) Waits(pending int, connected, hearing, listened bool, now time.Time) time.Time {
	change, next := s.waits.Update(pending > 0, now)
	switch {
	case change == logging.Ended:
		s.log.Infof("No gap waits any more")
	case change == logging.None:
	case !connected:
		s.log.Warnf("%d gaps wait: no connection to the bus at %q. Check that its proxy runs, and publish_endpoint", pending, s.endpoint)
	case !hearing:
		s.log.Warnf("%d gaps wait: no connection to the bus at %q, from which the acks come. "+
			"Check that its proxy runs, and subscribe_endpoint", pending, s.subscribeEndpoint)
	case !listened:
		s.log.Warnf("%d gaps wait: nobody on the bus at %q subscribes to %q. Start a consumer", pending, s.endpoint, s.signal)
	default:
		s.log.Warnf("%d gaps wait: the bus at %q does not forward them. Check that it is not in maintenance", pending, s.endpoint)
	}
	return next
}

// Counters takes the counters. It returns when it has to be asked again; zero: when they change.
func (s *statusLog) Counters(t totals, now time.Time) time.Time {
	if t == s.logged {
		return time.Time{}
	}
	if due := s.at.Add(statusInterval); !s.at.IsZero() && now.Before(due) {
		return due
	}
	s.logged, s.at = t, now
	s.log.Debugf("Incidents published %d, acked %d, known already %d, expired %d, dropped %d, pending %d; messages repeated %d",
		t.Published, t.Acked, t.Known, t.Expired, t.Dropped, t.Pending, t.Repeated)
	return time.Time{}
}
