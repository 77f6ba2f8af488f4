package chembus

import (
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

// waitTolerance is how long gaps may wait before the operator is told.
const waitTolerance = 30 * time.Second

// waitLog tells the operator, once each time, that gaps wait because nobody on the bus can hear them, or the bus
// does not forward them, and that they no longer do.
type waitLog struct {
	log               telegraf.Logger
	endpoint          string
	subscribeEndpoint string
	signal            string

	problem logging.Problem
}

func newWaitLog(c *ChemBus) waitLog {
	return waitLog{
		log: c.Log, endpoint: c.endpoint, subscribeEndpoint: c.subscribeEndpoint, signal: c.Signal,
		problem: logging.Problem{Tolerance: waitTolerance},
	}
}

// Update takes the present state: whether there are connections to publish and to hear the bus, and whether somebody
// listens to the gaps. It returns when it has to be asked again; zero: when that changes.
func (w *waitLog) Update(pending int, connected, hearing, listened bool, now time.Time) time.Time {
	change, next := w.problem.Update(pending > 0, now)
	switch {
	case change == logging.Ended:
		w.log.Infof("Gaps are being heard again, or are over")
	case change == logging.None:
	case !connected:
		w.log.Warnf("%d gaps wait: no connection to the bus at %q. Check that its proxy runs, and publish_endpoint", pending, w.endpoint)
	case !hearing:
		w.log.Warnf("%d gaps wait: no connection to the bus at %q, on which it proves that it forwards them. "+
			"Check that its proxy runs, and subscribe_endpoint", pending, w.subscribeEndpoint)
	case !listened:
		w.log.Warnf("%d gaps wait: nobody on the bus at %q subscribes to %q", pending, w.endpoint, w.signal)
	default:
		w.log.Warnf("%d gaps wait: the bus at %q does not forward them. Check that it is not in maintenance", pending, w.endpoint)
	}
	return next
}
