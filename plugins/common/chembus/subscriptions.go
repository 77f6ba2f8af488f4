package chembus

import (
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Subscriptions keeps track of who listens, from what an XPUB socket receives. It remembers only
// what can cover its topics, so a subscriber cannot make it grow.
type Subscriptions struct {
	Family  string // if not empty, subscriptions to this prefix with a UUID behind it are counted
	Members int    // how many of them there are
	// OnEnd, if set, is called when the last subscriber to a prefix of one of the topics is gone.
	OnEnd func(prefix string)

	topics   []string
	prefixes map[string]struct{}
}

// newSubscriptions watches for subscriptions that cover the topics.
func newSubscriptions(topics ...string) *Subscriptions {
	return &Subscriptions{topics: topics, prefixes: make(map[string]struct{})}
}

// Apply takes one message of the XPUB socket: \x01PREFIX for the first subscriber to a prefix,
// \x00PREFIX when the last one is gone. Anything else is ignored.
func (s *Subscriptions) Apply(message []byte) {
	if len(message) == 0 || message[0] > 1 {
		return
	}
	prefix := string(message[1:])
	if id, ok := strings.CutPrefix(prefix, s.Family); ok && s.Family != "" && uuid.Validate(id) == nil {
		// The bus reports each once when it begins, and once when it ends or the connection is lost.
		s.Members += 2*int(message[0]) - 1
	}
	if message[0] == 0 {
		if _, has := s.prefixes[prefix]; has && s.OnEnd != nil {
			s.OnEnd(prefix)
		}
		delete(s.prefixes, prefix)
		return
	}
	for _, topic := range s.topics {
		if strings.HasPrefix(topic, prefix) {
			s.prefixes[prefix] = struct{}{}
			return
		}
	}
}

// Has reports whether somebody listens to the very topic, which must be one of those watched: whoever hears
// everything does not count.
func (s *Subscriptions) Has(topic string) bool {
	_, has := s.prefixes[topic]
	return has
}

// Covers reports whether somebody listens to the topic, which must be one of those watched. Subscriptions to one of
// the own prefixes do not count: the bus reports the first and the last subscriber to a prefix only, so an own one
// hides all others to the same.
func (s *Subscriptions) Covers(topic string, own ...string) bool {
	for prefix := range s.prefixes {
		if strings.HasPrefix(topic, prefix) && !slices.Contains(own, prefix) {
			return true
		}
	}
	return false
}
