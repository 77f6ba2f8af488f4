package chembus

import (
	"time"

	"github.com/influxdata/telegraf"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// portHintAfter is how long after the start a default endpoint must not have been there for the hint.
const portHintAfter = 30 * time.Second

// portHint says once where else the bus may be, if there was no connection to a default endpoint since the start. A
// default endpoint that was there is the right one.
type portHint struct {
	subscribe, publish bool // whether the endpoint is the default, and was not there yet
	started            time.Time
	log                telegraf.Logger
}

// Update takes which endpoints are connected; it is to be called regularly.
func (h *portHint) Update(subscribe, publish bool, now time.Time) {
	h.subscribe = h.subscribe && !subscribe
	h.publish = h.publish && !publish
	if now.Sub(h.started) < portHintAfter {
		return
	}
	if h.subscribe {
		h.log.Warnf("No connection to the default subscribe_endpoint %q for %v. If the proxy is the older unit, which uses the ports 5557 "+
			"(subscribers) and 5556 (publishers), or another one, set subscribe_endpoint and publish_endpoint, or KLR_CHEM_XPUB and KLR_CHEM_XSUB",
			bus.DefaultSubscribeEndpoint, portHintAfter)
	} else if h.publish {
		h.log.Warnf("No connection to the default publish_endpoint %q for %v. If the proxy is the older unit, which uses the ports 5557 "+
			"(subscribers) and 5556 (publishers), or another one, set publish_endpoint, or KLR_CHEM_XSUB, as subscribe_endpoint or KLR_CHEM_XPUB is set",
			bus.DefaultPublishEndpoint, portHintAfter)
	}
	h.subscribe, h.publish = false, false
}
