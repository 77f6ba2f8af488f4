package chembus

import (
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// claimPatience is how long a gap waits for another monitor that is about to tell of the same, or for its own turn.
const claimPatience = 5 * time.Second

// claims settles who tells of a silence that several monitors find at the same moment. Each says on the bus what it is
// about to tell, and tells it when that has come back. The bus hands the same messages to all of them in the same
// order, so that all agree on whose claim was the first.
type claims struct {
	theirs *simplelru.LRU[string, time.Time] // by component: until when what another one claimed counts
}

func newClaims() (claims, error) {
	theirs, err := simplelru.NewLRU[string, time.Time](maxNotices, nil)
	return claims{theirs: theirs}, err
}

// Take takes what another monitor is about to tell.
func (c *claims) Take(claimed []notice, now time.Time) {
	for _, n := range claimed {
		if n.usable() {
			c.theirs.Add(n.Component, now.Add(claimPatience))
		}
	}
}

// Settle takes that a component was told of.
func (c *claims) Settle(n notice) {
	c.theirs.Remove(n.Component)
}

// Taken returns whether another monitor is about to tell of some of it.
func (c *claims) Taken(g *gap, now time.Time) bool {
	return slices.ContainsFunc(g.notices(), func(n notice) bool {
		until, claimed := c.theirs.Peek(n.Component)
		return claimed && now.Before(until)
	})
}

// Claim returns which of the deliveries that are due can be sent, beside other monitors, and which of them have to be
// claimed first. Next is when to ask again if nothing is heard; zero if none waits.
func (o *outbox) Claim(due []*delivery, now time.Time) (ready, claim []*delivery, next time.Time) {
	for _, d := range due {
		if d.since.IsZero() {
			d.since = now
		}
		until := d.since.Add(claimPatience)
		switch {
		case d.attempts > 0 || d.mine || !now.Before(until) || len(d.notices()) == 0:
			ready = append(ready, d)
			continue
		case !d.claimed && !o.claims.Taken(&d.gap, now):
			claim = append(claim, d)
		}
		if next.IsZero() || until.Before(next) {
			next = until
		}
	}
	return ready, claim, next
}

// Claimed takes claims of this monitor as the bus gives them back. One that comes after another monitor's is void.
func (o *outbox) Claimed(own []notice, now time.Time) {
	for _, n := range own {
		if d, waits := o.pending.Peek(n.Incident); waits && d.claimed {
			d.mine = d.mine || !o.claims.Taken(&d.gap, now)
			d.claimed = d.mine
		}
	}
}

// UnderWay returns what this monitor is about to tell, or has told without a proof so far.
func (o *outbox) UnderWay() []notice {
	var all []notice
	for _, d := range o.pending.Values() {
		if d.open && (d.mine || d.attempts > 0) {
			all = append(all, d.notices()...)
		}
	}
	return all
}
