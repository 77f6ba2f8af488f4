package chembus

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// notice is what consumers were told of one component that is missing, by this monitor or by another.
type notice struct {
	Component string  `json:"component"`
	Incident  string  `json:"incident"`
	Until     float64 `json:"until"` // epoch seconds by the component's clock: it was silent up to then
}

// notices remembers what consumers know. An id alone does not say it: a monitor that missed the last
// beats of a component, because it was down, derives another id for the same failure.
type notices struct {
	byComponent *simplelru.LRU[string, notice]

	// What other monitors have not been told yet.
	news, ended []notice
}

const (
	// maxName bounds the names and ids that are remembered, in bytes.
	maxName = 512
	// maxNotices bounds how many components are remembered; others may say anything.
	maxNotices = 10_000
)

func newNotices(size int) (notices, error) {
	byComponent, err := simplelru.NewLRU[string, notice](min(size, maxNotices), nil)
	return notices{byComponent: byComponent}, err
}

// silencePrefix begins the types of the gaps that say that a component is silent. Only these say the same when
// they have another id; other gaps of the component have nothing to do with them.
const silencePrefix = "heartbeat_"

// until is up to when a gap says that there was silence, in epoch seconds.
func (g *gap) until() float64 {
	// Time in which the monitor was down, or deaf, is not in what it observed, but the silence lasts until now.
	// Where the component's clock is ahead of the monitor's, what was observed says more.
	return max(g.lastSeen+g.missing, g.at)
}

// notices returns what consumers are told of silence by a gap.
func (g *gap) notices() []notice {
	if !strings.HasPrefix(g.kind, silencePrefix) {
		return nil
	}
	until := g.until()
	if g.members == nil {
		return []notice{{Component: g.component, Incident: g.incident, Until: until}}
	}
	all := make([]notice, 0, len(g.members))
	for _, member := range g.members {
		all = append(all, notice{Component: member, Incident: g.incident, Until: until})
	}
	return all
}

// Add says that consumers were told of a gap that is open.
func (s *notices) Add(g *gap) {
	for _, n := range g.notices() {
		if n.usable() {
			s.byComponent.Add(n.Component, n)
			s.news = append(s.news, n)
		}
	}
}

// usable reports whether a notice can be remembered and sent.
func (n *notice) usable() bool {
	return n.Component != "" && n.Incident != "" && len(n.Component) <= maxName && len(n.Incident) <= maxName &&
		utf8.ValidString(n.Component) && utf8.ValidString(n.Incident) && // JSON would change them
		!math.IsNaN(n.Until) && !math.IsInf(n.Until, 0)
}

// Learn takes what another monitor has told; false if that cannot be used.
func (s *notices) Learn(n notice) bool {
	if !n.usable() {
		return false
	}
	if known, ok := s.byComponent.Get(n.Component); !ok || n.Until > known.Until {
		s.byComponent.Add(n.Component, n)
	}
	return true
}

// Keep says that a gap of which consumers were told is still open. It reports whether that ends what was told of
// a member.
func (s *notices) Keep(g *gap) bool {
	for _, n := range g.notices() {
		s.byComponent.Get(n.Component) // which makes it the last one to be forgotten
	}
	if g.members == nil || g.count > int64(len(g.members)) {
		return false
	}
	before := len(s.ended)
	for _, n := range s.All() {
		if n.Incident == g.incident && !slices.Contains(g.members, n.Component) {
			s.byComponent.Remove(n.Component) // it is back
			s.ended = append(s.ended, n)
		}
	}
	return len(s.ended) > before
}

// Cover reports whether consumers know of an open gap already: by its id, or because what they were told
// last of each component covers its last beat. Nothing was heard after that beat, so it has not been back.
func (s *notices) Cover(g *gap) bool {
	all := g.notices()
	covered := 0
	for _, n := range all {
		known, ok := s.byComponent.Peek(n.Component)
		switch {
		case !ok:
		case known.Incident == g.incident:
			return true
		case g.neverSeen() || g.lastSeen <= known.Until:
			covered++
		}
	}
	// Not all members of a large incident are named.
	return covered > 0 && covered == len(all) && int64(covered) >= g.count
}

// All returns everything that is remembered, what was seen longest ago first.
func (s *notices) All() []notice {
	return s.byComponent.Values()
}

// TakeNews returns what other monitors have to be told: what consumers were told since the last call, and
// what is over.
func (s *notices) TakeNews() (told, over []notice) {
	told, over = s.news, s.ended
	s.news, s.ended = nil, nil
	return told, over
}

// End takes a gap that is over: whatever was told of its component is history. Its clock may have been
// set back meanwhile, and what is told next must not be measured by what was told before.
func (s *notices) End(g *gap) {
	if !strings.HasPrefix(g.kind, silencePrefix) {
		return
	}
	var ended []string
	if g.members == nil {
		ended = []string{g.component}
	} else {
		for _, n := range s.All() {
			if n.Incident == g.incident {
				ended = append(ended, n.Component)
			}
		}
	}
	for _, component := range ended {
		if n, ok := s.byComponent.Peek(component); ok {
			s.byComponent.Remove(component)
			s.ended = append(s.ended, n)
		}
	}
}

// Forget takes from another monitor that what it told is over.
func (s *notices) Forget(n notice) {
	if known, ok := s.byComponent.Peek(n.Component); ok && known.Incident == n.Incident {
		s.byComponent.Remove(n.Component)
	}
}
