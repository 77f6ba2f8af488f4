package chembus

import (
	"time"

	"github.com/influxdata/telegraf"
)

// outlook tells the operator, once each time, that the bus cannot be heard and that it can again.
type outlook struct {
	endpoint string
	patience time.Duration // how long to wait for the first evidence after the start
	log      telegraf.Logger

	since time.Time // of the present state
	known bool      // whether since and blind are set and said
	blind bool
}

// Update takes the present state; it is to be called regularly.
func (o *outlook) Update(observable, connected, maintenance bool, now time.Time) {
	if o.since.IsZero() {
		o.since = now
	}
	if o.known && o.blind == !observable {
		return
	}
	lasted := now.Sub(o.since)
	if !o.known && !observable && lasted < o.patience {
		return
	}
	switch {
	case observable && o.known:
		o.log.Infof("The bus at %q can be heard again, after %v; that time counts as silence of nobody", o.endpoint, lasted.Round(time.Second))
	case observable:
		o.log.Infof("The bus at %q can be heard", o.endpoint)
	case maintenance:
		o.log.Warnf("The bus at %q is in maintenance; nobody's silence is judged until it ends", o.endpoint)
	case connected:
		o.log.Warnf("The bus at %q is connected but forwards nothing; nobody's silence is judged until it does. "+
			"Check that its proxy runs and is not in maintenance", o.endpoint)
	default:
		o.log.Warnf("No connection to the bus at %q; nobody's silence is judged until there is one. "+
			"Check that its proxy runs, and subscribe_endpoint", o.endpoint)
	}
	o.known, o.blind, o.since = true, !observable, now
}
