package chembus

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// slowestRetry is the longest pause between two attempts at the same incident.
	slowestRetry = time.Minute
	// ackGrace is how long after its ack a gap still counts as lost if the last subscriber is found to have left. The
	// bus forwards both at about the same moment, over two connections.
	ackGrace = 500 * time.Millisecond
	// consumersRemember is how long consumers know an incident by its id.
	consumersRemember = time.Minute
)

// outbox holds what is to be published: every incident until its ack, and then never again, however often its level
// is repeated. What the delivery log covers is not published. Time is passed in.
type outbox struct {
	maxPending int
	ackTimeout time.Duration
	log        *deliveryLog

	// By subject, in the order in which they came: it is never asked in a way that would change that.
	pending *simplelru.LRU[string, *delivery]
	counts  counts

	investigations investigations
}

// delivery is a gap on its way.
type delivery struct {
	gap
	attempts int
	sent     time.Time // last
	probe    uint64    // number of the probe that was sent behind it; 0: it waits to be sent
	deadline time.Time // for the ack, then for what may still show that it was lost
	acked    bool
}

// lost reports whether it was sent, and may not have reached all consumers.
func (d *delivery) lost() bool {
	return d.attempts > 0 && d.probe == 0
}

// counts are totals, kept across restarts where there is a state file.
type counts struct {
	Published uint64 `json:"published"` // incidents sent
	Acked     uint64 `json:"acked"`     // of which the bus forwarded them for sure
	Repeated  uint64 `json:"repeated"`  // messages sent again for want of an ack
	Known     uint64 `json:"known"`     // incidents not sent, since the delivery log covers them
	Expired   uint64 `json:"expired"`   // incidents that were over, or got another id, before an ack
	Dropped   uint64 `json:"dropped"`   // incidents that had to make room
}

func newOutbox(maxPending int, ackTimeout time.Duration) *outbox {
	return &outbox{
		maxPending: maxPending, ackTimeout: ackTimeout, log: newDeliveryLog(maxPending), pending: newTable[*delivery](maxPending, nil),
	}
}

// newTable returns an empty table. Its size is positive; what is removed is handed over, unless that is nil.
func newTable[V any](size int, removed func(string, V)) *simplelru.LRU[string, V] {
	table, err := simplelru.NewLRU(size, simplelru.EvictCallback[string, V](removed))
	if err != nil {
		panic(err) // for a size that is not positive
	}
	return table
}

// Offer takes the level of an incident. It returns the gap that had to make room for it, if any.
func (o *outbox) Offer(g *gap) (dropped *gap) {
	before, waits := o.pending.Peek(g.subject())
	if !g.Open {
		// Whatever else says that its component was silent before is over, too.
		if o.log.Ended(g) && waits && (before.Incident == g.Incident || !g.precedes(before.LastSeen)) {
			if before.Open = false; before.probe == 0 { // what is on its way may still get its ack
				o.expire(before)
			}
		}
		return nil
	}
	o.log.Opened(g)
	switch {
	case waits && before.Incident == g.Incident:
		before.gap = *g // with the silence of now
		return nil
	case o.log.Covers(g):
		o.covered(g)
		return nil
	case waits && before.Open && before.attempts > 0 && g.LastSeen <= before.until():
		return nil // the same silence was sent under another id: its fate is awaited, and this level will be repeated
	case waits:
		o.expire(before) // the processor has forgotten that one, and will not close it
	case o.pending.Len() == o.maxPending:
		_, oldest, _ := o.pending.RemoveOldest()
		o.counts.Dropped++
		dropped = &oldest.gap
	}
	o.pending.Add(g.subject(), &delivery{gap: *g})
	return dropped
}

// Due returns what is to be sent now: what has not been sent yet, or not with success. What is over and got no ack in
// time is given up: it may have been heard, and the component is back.
func (o *outbox) Due(now time.Time) (due []*delivery) {
	for _, d := range o.pending.Values() {
		switch {
		case d.probe != 0 && now.Before(d.deadline):
		case d.acked:
			o.log.Add(&d.gap)
			o.log.Count(&d.gap)
			o.pending.Remove(d.subject())
			o.counts.Acked++
			o.investigations.Acked(&d.gap, now)
		case !d.Open:
			o.expire(d)
		default:
			due = append(due, d)
		}
	}
	return due
}

// Sent says that a delivery was sent, with a probe of that number behind it.
func (o *outbox) Sent(d *delivery, probe uint64, now time.Time) {
	if d.attempts++; d.attempts == 1 {
		o.counts.Published++
	} else {
		o.counts.Repeated++
	}
	d.sent, d.probe = now, probe
	// Twice as long each time. The shift is bounded, since it would overflow.
	d.deadline = now.Add(min(o.ackTimeout<<min(d.attempts-1, 10), max(slowestRetry, o.ackTimeout)))
}

// Returned says that a probe came back: the bus has forwarded all that was sent before it.
func (o *outbox) Returned(probe uint64, now time.Time) {
	for _, d := range o.pending.Values() {
		if d.probe != 0 && d.probe <= probe && !d.acked {
			d.acked, d.deadline = true, now.Add(ackGrace)
		}
	}
}

// Lost says that what was sent and has no ack may be lost, since the connection was lost or nobody listens any more.
func (o *outbox) Lost() {
	for _, d := range o.pending.Values() {
		if d.probe == 0 {
			continue
		}
		d.probe, d.acked = 0, false
		o.log.Retract(d.Incident)
		if !d.Open {
			o.expire(d)
		}
	}
}

// Repeats reports whether an incident, of which a component is named, is to be sent again, whoever has heard it: the
// consumers may not have, and those that have will still know its id. Claims can hold it back for longestWait.
func (o *outbox) Repeats(incident, component string, now time.Time) bool {
	for _, subject := range []string{silenceKey(component), incidentKey(incident)} {
		if d, waits := o.pending.Peek(subject); waits && d.Incident == incident {
			return d.lost() && now.Sub(d.sent) < consumersRemember-longestWait
		}
	}
	return false
}

// DropCovered drops what the delivery log covers by now. What was sent waits for its own ack.
func (o *outbox) DropCovered() {
	for _, d := range o.pending.Values() {
		if d.probe == 0 && o.log.Covers(&d.gap) {
			o.covered(&d.gap)
			o.pending.Remove(d.subject())
		}
	}
}

// Totals returns the counters.
func (o *outbox) Totals() totals {
	return totals{counts: o.counts, investigationCounts: o.investigations.Counts(), Pending: o.pending.Len()}
}

func (o *outbox) covered(g *gap) {
	if o.log.Count(g) {
		o.counts.Known++
	}
}

func (o *outbox) expire(d *delivery) {
	o.pending.Remove(d.subject())
	o.counts.Expired++
}
