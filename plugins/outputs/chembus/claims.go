package chembus

import (
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// claimPatience is how long a monitor that claimed a gap gets to tell of it before others claim it.
	claimPatience = 5 * time.Second
	// claimMargin is by how much later it is claimed again, so that none of the others takes the former claim for one
	// that still counts: they may have heard it a little later.
	claimMargin = 500 * time.Millisecond
	// claimLimit is how long claims can hold a gap back, whoever makes them.
	claimLimit = 2 * claimPatience
)

// claims settles who tells of a silence that several monitors find at the same moment. Each says on the bus what it is
// about to tell, and tells it when that has come back and nobody else had claimed it before. The bus hands the same
// messages to all of them in the same order, so that all agree who that was.
type claims struct {
	holders *simplelru.LRU[string, holder] // by component
}

// holder is who may tell of a component.
type holder struct {
	by       string // empty: this monitor
	incident string
	until    time.Time
}

func newClaims() (claims, error) {
	holders, err := simplelru.NewLRU[string, holder](maxNotices, nil)
	return claims{holders: holders}, err
}

// Take takes a claim, made of some components at once, in the order in which the bus forwarded it. It returns whether
// it holds: it does not if another monitor holds one of them.
func (c *claims) Take(by string, claimed []notice, now time.Time) bool {
	if !c.HeldUntil(by, claimed, now).IsZero() {
		return false
	}
	for _, n := range claimed {
		if n.usable() {
			c.holders.Add(n.Component, holder{by: by, incident: n.Incident, until: now.Add(claimPatience)})
		}
	}
	return true
}

// HeldUntil returns until when others hold some of the components; zero if none does.
func (c *claims) HeldUntil(by string, claimed []notice, now time.Time) time.Time {
	var until time.Time
	for _, n := range claimed {
		if h, held := c.holders.Peek(n.Component); held && h.by != by && now.Before(h.until) && h.until.After(until) {
			until = h.until
		}
	}
	return until
}

// Settle takes that a claim was made good.
func (c *claims) Settle(n notice) {
	if h, held := c.holders.Peek(n.Component); held && h.incident == n.Incident {
		c.holders.Remove(n.Component)
	}
}

// claim returns what is said to claim a gap: what it tells of silence, as far as that can be said in one message.
func (g *gap) claim() []notice {
	all := slices.DeleteFunc(g.notices(), func(n notice) bool { return !n.usable() })
	size := 0
	for i := range all {
		if size += all[i].size(); size > maxClaim {
			return all[:i]
		}
	}
	return all
}

// byIncident calls back for each run of notices of the same incident.
func byIncident(all []notice, do func(claimed []notice)) {
	for len(all) > 0 {
		end := slices.IndexFunc(all, func(n notice) bool { return n.Incident != all[0].Incident })
		if end < 0 {
			end = len(all)
		}
		do(all[:end])
		all = all[end:]
	}
}

// Claim returns which of the deliveries that are due can be sent, beside other monitors, and which of them have to be
// claimed first. Next is when to ask again if nothing is heard; zero if none waits.
func (o *outbox) Claim(due []*delivery, now time.Time) (ready, claim []*delivery, next time.Time) {
	for _, d := range due {
		said := d.claim()
		if d.since.IsZero() {
			d.since = now
		}
		limit := d.since.Add(claimLimit)
		if d.attempts > 0 || now.Before(d.holds) || len(said) == 0 || !now.Before(limit) {
			ready = append(ready, d)
			continue
		}
		o.claiming = true
		next = earlier(next, limit)
		if !d.holds.IsZero() {
			d.claimed, d.holds = false, time.Time{} // it was not sent in time
		}
		switch until := o.claims.HeldUntil("", said, now.Add(-claimMargin)); {
		case d.claimed:
		case until.IsZero():
			claim = append(claim, d)
		default:
			next = earlier(next, until.Add(claimMargin))
		}
	}
	return ready, claim, next
}

// Echo takes what this monitor said as the bus gives it back, in order with what the others said.
func (o *outbox) Echo(own *peerMessage, now time.Time) {
	for _, n := range own.Told {
		o.claims.Settle(n)
	}
	byIncident(own.Claims, func(claimed []notice) {
		o.claiming = true
		holds := o.claims.Take("", claimed, now)
		d, waits := o.pending.Peek(claimed[0].Incident)
		switch {
		case !waits:
		case holds:
			d.holds = now.Add(claimPatience)
		default:
			d.claimed = false // until the other one's time is over
		}
	})
}

// Unclaim forgets all claims: they may have been lost, or nobody can tell of anything at present.
func (o *outbox) Unclaim() {
	if !o.claiming {
		return
	}
	o.claiming = false
	o.claims.holders.Purge()
	for _, d := range o.pending.Values() {
		d.claimed, d.holds, d.since = false, time.Time{}, time.Time{}
	}
}

// UnderWay returns what this monitor is about to tell, or has told without a proof so far.
func (o *outbox) UnderWay() []notice {
	var all []notice
	for _, d := range o.pending.Values() {
		if d.open && (!d.holds.IsZero() || d.attempts > 0) {
			all = append(all, d.claim()...)
		}
	}
	return all
}
