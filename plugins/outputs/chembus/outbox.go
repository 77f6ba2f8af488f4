package chembus

import (
	"slices"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// outbox decides what is to be published: every incident once, however often its level is repeated.
type outbox struct {
	maxPending int
	pending    []*gap // in the order in which they came
	published  *simplelru.LRU[string, struct{}]
}

// rememberedFactor is how many published incidents are remembered for each that may be pending. The
// levels of open incidents keep them remembered.
const rememberedFactor = 10

func newOutbox(maxPending int) (*outbox, error) {
	published, err := simplelru.NewLRU[string, struct{}](rememberedFactor*maxPending, nil)
	if err != nil {
		return nil, err
	}
	return &outbox{maxPending: maxPending, published: published}, nil
}

// Offer takes the level of an incident. It returns the gap that had to make room for it, if any.
func (o *outbox) Offer(g *gap) *gap {
	if _, published := o.published.Get(g.incident); published {
		return nil
	}
	i := slices.IndexFunc(o.pending, func(p *gap) bool { return p.incident == g.incident })
	switch {
	case i >= 0 && g.open:
		o.pending[i] = g // the same incident, with the silence of now
	case i >= 0:
		o.pending = slices.Delete(o.pending, i, i+1) // over before anybody could hear of it
	case g.open:
		o.pending = append(o.pending, g)
		if len(o.pending) > o.maxPending {
			dropped := o.pending[0]
			o.pending = slices.Delete(o.pending, 0, 1)
			return dropped
		}
	}
	return nil
}

// Next returns the gap to publish next, or nil.
func (o *outbox) Next() *gap {
	if len(o.pending) == 0 {
		return nil
	}
	return o.pending[0]
}

// Published says that the gap that Next returned was published.
func (o *outbox) Published(g *gap) {
	o.published.Add(g.incident, struct{}{})
	o.pending = slices.DeleteFunc(o.pending, func(p *gap) bool { return p.incident == g.incident })
}

// Pending returns how many gaps wait.
func (o *outbox) Pending() int {
	return len(o.pending)
}
