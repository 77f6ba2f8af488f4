package chembus

import "github.com/hashicorp/golang-lru/v2/simplelru"

// outbox decides what is to be published: every incident once, however often its level is repeated.
type outbox struct {
	// By incident, in the order in which they came: it is never asked in a way that would change that.
	pending   *simplelru.LRU[string, *gap]
	published *simplelru.LRU[string, struct{}]
}

// rememberedFactor is how many published incidents are remembered for each that may be pending. The
// levels of open incidents keep them remembered.
const rememberedFactor = 10

func newOutbox(maxPending int) (*outbox, error) {
	published, err := simplelru.NewLRU[string, struct{}](rememberedFactor*maxPending, nil)
	if err != nil {
		return nil, err
	}
	pending, err := simplelru.NewLRU[string, *gap](maxPending, nil)
	if err != nil {
		return nil, err
	}
	return &outbox{pending: pending, published: published}, nil
}

// Offer takes the level of an incident. It returns the gap that had to make room for it, if any.
func (o *outbox) Offer(g *gap) *gap {
	if _, published := o.published.Get(g.incident); published {
		return nil
	}
	waiting, waits := o.pending.Peek(g.incident)
	switch {
	case !g.open:
		o.pending.Remove(g.incident) // over before anybody could hear of it
	case waits:
		*waiting = *g // the same incident, with the silence of now
	default:
		oldest := o.Next()
		if o.pending.Add(g.incident, g) {
			return oldest
		}
	}
	return nil
}

// Next returns the gap to publish next, or nil.
func (o *outbox) Next() *gap {
	_, g, _ := o.pending.GetOldest()
	return g
}

// Published says that the gap that Next returned was published.
func (o *outbox) Published(g *gap) {
	o.published.Add(g.incident, struct{}{})
	o.pending.Remove(g.incident)
}

// Pending returns how many gaps wait.
func (o *outbox) Pending() int {
	return o.pending.Len()
}
