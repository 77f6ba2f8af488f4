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

	known bool // whether blind is set and said
	blind bool
	since time.Time // of the last evidence before the blindness
}

// view is what is known of the bus at present.
type view struct {
	observable, connected, maintenance bool
	behind                             bool      // it forwards more than can be taken in
	evidence                           time.Time // when the last came; at first the start
}

// Update takes the present view; it is to be called regularly.
func (o *outlook) Update(v view, now time.Time) {
	if o.known && o.blind == !v.observable {
		return
	}
	if !o.known && !v.observable && now.Sub(v.evidence) < o.patience {
		return
	}
	switch {
	case v.observable && o.known:
		o.log.Infof("The bus at %q can be heard again, after %v; that time counts as silence of nobody", o.endpoint, now.Sub(o.since).Round(time.Second))
	case v.observable:
		o.log.Infof("The bus at %q can be heard", o.endpoint)
	case v.maintenance:
		o.log.Warnf("The bus at %q is in maintenance; nobody's silence is judged until it ends", o.endpoint)
	case v.behind:
		o.log.Warnf("The bus at %q forwards more than can be taken in; nobody's silence is judged until all of it is. "+
			"See who sends so much, and which topics signals names", o.endpoint)
	case v.connected:
		o.log.Warnf("The bus at %q is connected but forwards nothing; nobody's silence is judged until it does. "+
			"Check that its proxy runs and is not in maintenance", o.endpoint)
	default:
		o.log.Warnf("No connection to the bus at %q; nobody's silence is judged until there is one. "+
			"Check that its proxy runs, and subscribe_endpoint", o.endpoint)
	}
	o.known, o.blind, o.since = true, !v.observable, v.evidence
}
