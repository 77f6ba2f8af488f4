package chembus

import (
	"time"

	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

// waitTolerance is how long gaps may wait before that is logged.
const waitTolerance = 30 * time.Second

// waitLog logs that gaps wait for long, why, and that they no longer do.
type waitLog struct {
	plugin *ChemBus
	waits  logging.Problem
}

// Update takes how many gaps wait, whether there are connections to publish and to hear the bus, and whether somebody
// listens to the gaps.
func (w *waitLog) Update(pending int, connected, hearing, listened bool, now time.Time) {
	change, _ := w.waits.Update(pending > 0, now)
	switch {
	case change == logging.Ended:
		w.plugin.Log.Infof("No gap waits any more")
	case change == logging.None:
	case !connected:
		w.plugin.Log.Warnf("%d gaps wait: no connection to the bus at %q. Check that its proxy runs, and publish_endpoint", pending, w.plugin.endpoint)
	case !hearing:
		w.plugin.Log.Warnf("%d gaps wait: no connection to the bus at %q, from which the acks come. "+
			"Check that its proxy runs, and subscribe_endpoint", pending, w.plugin.subscribeEndpoint)
	case !listened:
		w.plugin.Log.Warnf("%d gaps wait: nobody on the bus at %q subscribes to %q. Start a consumer", pending, w.plugin.endpoint, w.plugin.Signal)
	default:
		w.plugin.Log.Warnf("%d gaps wait: the bus at %q does not forward them. Check that it is not in maintenance", pending, w.plugin.endpoint)
	}
}
