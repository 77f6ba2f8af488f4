package chembus

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// rememberedFactor is how many confirmed incidents are remembered for each that may be pending. The
	// levels of open incidents keep them remembered.
	rememberedFactor = 10
	// slowestRetry is the longest pause between two attempts at the same incident.
	slowestRetry = time.Minute
)

// outbox decides what is to be published: every incident until the bus is known to have forwarded it,
// and then never again, however often its level is repeated. Time is passed in.
type outbox struct {
	maxPending     int
	confirmTimeout time.Duration

	// By incident, in the order in which they came: it is never asked in a way that would change that.
	pending   *simplelru.LRU[string, *delivery]
	silent    map[string]*delivery         // of pending: the last that says that one component, its key, is silent
	confirmed *simplelru.LRU[string, bool] // false: only as long as what was told covers it
	inFlight  int                          // of pending
	notices   notices
	claims    claims
	claiming  bool   // whether anything was claimed, by whomever
	revision  uint64 // of what is remembered, apart from what is counted
	counts    counts
}

// delivery is a gap on its way.
type delivery struct {
	gap
	attempts int
	after    *delivery // says the same of the same component, and consumers may have heard it; nil: nothing does
	probe    uint64    // number of the probe that was sent behind it; 0: it waits to be sent
	deadline time.Time // for the return of the probe

	since   time.Time // when it was to be sent first, beside other monitors
	claimed bool      // these were told that it is about to be
	holds   time.Time // until when that claim holds; zero: it has not come back
}

// counts are totals, kept across restarts where there is a state file.
type counts struct {
	Published uint64 `json:"published"` // incidents sent
	Confirmed uint64 `json:"confirmed"` // of which the bus forwarded them for sure
	Repeated  uint64 `json:"repeated"`  // messages sent again for want of proof
	Dropped   uint64 `json:"dropped"`   // incidents that had to make room
	Unheard   uint64 `json:"unheard"`   // incidents that were over before anybody could hear of them
	Known     uint64 `json:"known"`     // incidents that consumers knew of already, under another id or from another monitor
}

func newOutbox(maxPending int, confirmTimeout time.Duration) (*outbox, error) {
	confirmed, err := simplelru.NewLRU[string, bool](rememberedFactor*maxPending, nil)
	if err != nil {
		return nil, err
	}
	pending, err := simplelru.NewLRU[string, *delivery](maxPending, nil)
	if err != nil {
		return nil, err
	}
	notices, err := newNotices(rememberedFactor * maxPending)
	if err != nil {
		return nil, err
	}
	claims, err := newClaims()
	if err != nil {
		return nil, err
	}
	return &outbox{
		maxPending: maxPending, confirmTimeout: confirmTimeout,
		pending: pending, silent: make(map[string]*delivery), confirmed: confirmed, notices: notices, claims: claims,
	}, nil
}

// Offer takes the level of an incident. It returns the gap that had to make room for it, if any.
func (o *outbox) Offer(g *gap) *gap {
	if !g.open {
		o.end(g)
		return nil
	}
	forGood, known := o.confirmed.Get(g.incident)
	if forGood {
		if o.notices.Keep(g) {
			o.revision++
		}
		return nil
	}
	if waiting, waits := o.pending.Peek(g.incident); waits {
		waiting.gap = *g // the same incident, with the silence of now
		return nil
	}
	if o.notices.Cover(g) {
		o.confirmed.Add(g.incident, !g.outlasts())
		if !known {
			o.counts.Known++
		}
		return nil
	}
	return o.add(g)
}

// end takes the level of an incident that is over.
func (o *outbox) end(g *gap) {
	o.notices.End(g)
	o.revision++
	if waiting, waits := o.pending.Peek(g.incident); waits {
		for d := waiting; d != nil; d = d.after {
			d.open = false // nobody else would close the ids that the judge has forgotten
		}
		if waiting.attempts == 0 {
			o.remove(waiting)
			o.counts.Unheard++
		}
	}
	if g.neverSeen() {
		o.confirmed.Remove(g.incident) // the same failure can come again, and its id will be the same
	}
}

// add makes room at the expense of what is over, else of the oldest. A component that is silent under another id
// already, of which consumers have not heard, is so under this one: the judge has forgotten the other and will not
// close it.
func (o *outbox) add(g *gap) *gap {
	added := &delivery{gap: *g}
	if before := o.silent[g.component]; before != nil && before.open && g.ofOneSilence() {
		if before.attempts > 0 {
			added.after = before
			before.open = g.lastSeen <= before.until()
		} else {
			added.after, added.since = before.after, before.since
			o.remove(before)
			o.counts.Unheard++
		}
	}
	var dropped *gap
	if o.pending.Len() == o.maxPending {
		_, victim, _ := o.pending.GetOldest()
		for _, d := range o.pending.Values() {
			if !d.open {
				victim = d
				break
			}
		}
		o.remove(victim)
		o.counts.Dropped++
		dropped = &victim.gap
	}
	o.pending.Add(g.incident, added)
	if g.ofOneSilence() {
		o.silent[g.component] = added
	}
	return dropped
}

// Due returns what is to be sent now: what has not been sent yet, and what was and got no proof in time.
// What is over and got none is given up: it may have been heard, and there is nothing left to heal. What says the same
// as another that was sent waits until that is settled.
func (o *outbox) Due(now time.Time) []*delivery {
	var due []*delivery
	for _, d := range o.pending.Values() {
		switch {
		case d.probe != 0 && now.Before(d.deadline):
		case d.attempts == 0 && o.unsettled(d.after):
		case d.attempts > 0 && !d.open:
			o.remove(d)
			o.counts.Unheard++
		default:
			due = append(due, d)
		}
	}
	return due
}

// unsettled reports whether a delivery is still to be proved, or to be given up.
func (o *outbox) unsettled(d *delivery) bool {
	if d == nil || !d.open {
		return false
	}
	waiting, _ := o.pending.Peek(d.incident)
	return waiting == d
}

// Sent says that a delivery was sent, with a probe of that number behind it.
func (o *outbox) Sent(d *delivery, probe uint64, now time.Time) {
	if d.probe == 0 {
		o.inFlight++
	}
	if d.attempts++; d.attempts == 1 {
		o.counts.Published++
	} else {
		o.counts.Repeated++
	}
	d.probe = probe
	// Twice as long each time. The shift is bounded, since it would overflow.
	d.deadline = now.Add(min(o.confirmTimeout<<min(d.attempts-1, 10), max(slowestRetry, o.confirmTimeout)))
}

// Returned says that a probe came back: the bus has forwarded all that was sent before it.
func (o *outbox) Returned(probe uint64) {
	if o.inFlight == 0 {
		return
	}
	told := false
	for _, d := range o.pending.Values() {
		if d.probe == 0 || d.probe > probe {
			continue
		}
		o.remove(d)
		o.counts.Confirmed++
		if d.open {
			o.notices.Add(&d.gap)
			told = true
		}
		if d.open || !d.neverSeen() {
			o.confirmed.Add(d.incident, true)
		}
	}
	if told {
		o.forgetKnown()
	}
}

// Heard takes what another monitor says that consumers know, or soon will.
func (o *outbox) Heard(said *peerMessage, now time.Time) {
	if len(said.Over)+len(said.Told) > 0 {
		o.revision++
	}
	for _, n := range said.Over {
		o.notices.Forget(n)
	}
	learnt := false
	for _, n := range said.Told {
		learnt = o.notices.Learn(n) || learnt
		o.claims.Settle(n)
	}
	if learnt {
		o.forgetKnown()
	}
	byIncident(said.Claims, func(claimed []notice) {
		o.claiming = true
		o.claims.Take(said.From, claimed, now)
	})
}

// forgetKnown ends what is pending though consumers know of it by now.
func (o *outbox) forgetKnown() {
	for _, d := range o.pending.Values() {
		if d.open && o.notices.Cover(&d.gap) {
			o.remove(d)
			o.confirmed.Add(d.incident, !d.outlasts())
			o.counts.Known++
		}
	}
}

// Disconnected says that what was sent and not confirmed may be lost, and what was claimed as well.
func (o *outbox) Disconnected() {
	o.Unclaim()
	if o.inFlight == 0 {
		return
	}
	for _, d := range o.pending.Values() {
		d.probe = 0
	}
	o.inFlight = 0
}

// NextDeadline returns when Due has to be asked again for what was sent; zero if nothing was.
func (o *outbox) NextDeadline() time.Time {
	var next time.Time
	if o.inFlight == 0 {
		return next
	}
	for _, d := range o.pending.Values() {
		if d.probe != 0 && (next.IsZero() || d.deadline.Before(next)) {
			next = d.deadline
		}
	}
	return next
}

// Pending returns how many incidents wait to be sent or confirmed.
func (o *outbox) Pending() int {
	return o.pending.Len()
}

// Standing returns how far the gaps have come.
func (o *outbox) Standing() standing {
	return standing{counts: o.counts, Pending: o.Pending()}
}

func (o *outbox) remove(d *delivery) {
	if d.probe != 0 {
		o.inFlight--
	}
	o.pending.Remove(d.incident)
	if o.silent[d.component] == d {
		delete(o.silent, d.component)
	}
}
