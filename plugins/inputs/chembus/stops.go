package chembus

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/glob"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

// stopTable is the name of the blocks.
const stopTable = "stop"

// maxStops bounds the announced stops that wait for Telegraf.
const maxStops = 10_000

// StopTopic is the configuration of messages by which components announce that they stop.
type StopTopic struct {
	Topic     string `toml:"topic"`      // a glob
	Zooid     string `toml:"zooid"`      // the component that stops
	ZooidFact string `toml:"zooid_fact"` // or the fact that names it

	globs  glob.Globs
	prefix string
}

// init checks the options, and prepares what Match and the subscription need. The number is that of the block.
func (s *StopTopic) init(number int) error {
	wrong := func(name, problem, allowed string) error {
		return &option.Error{Name: name, Problem: problem, Allowed: allowed, Table: stopTable, Number: number}
	}
	if s.Topic == "" {
		return wrong("topic", "is missing in a block of stop", `name one such as "VOICE.*.SHUTDOWN"`)
	}
	if s.prefix = literalPrefix(s.Topic); s.prefix == "" {
		return wrong("topic", fmt.Sprintf("%q begins with a wildcard, so that everything would have to be subscribed to", s.Topic),
			`use one such as "VOICE.*.SHUTDOWN"`)
	}
	var err error
	if s.globs, err = glob.Compile(s.Topic); err != nil {
		return wrong("topic", err.Error(), `use one such as "VOICE.*.SHUTDOWN"`)
	}
	switch {
	case s.Zooid == "" && s.ZooidFact == "":
		return wrong(stopTable, fmt.Sprintf("the block of topic %q has neither zooid nor zooid_fact", s.Topic),
			`name the component that stops in zooid, or the fact that names it in zooid_fact`)
	case s.Zooid != "" && s.ZooidFact != "":
		return wrong("zooid_fact", fmt.Sprintf("is set beside zooid in the block of topic %q", s.Topic), "leave one of them out")
	case s.Zooid != "" && !bus.ValidName(s.Zooid):
		return wrong("zooid", fmt.Sprintf("%q is no usable name", s.Zooid), "use up to 256 bytes of printable UTF-8 that do not end in a backslash")
	}
	return nil
}

// literalPrefix returns what whatever matches a glob begins with. Telegraf takes a text without any of the first three
// for no glob.
func literalPrefix(pattern string) string {
	if !strings.ContainsAny(pattern, "*?[") {
		return pattern
	}
	return pattern[:strings.IndexAny(pattern, `*?[]{}\`)]
}

// Match reports whether the topic is one of those.
func (s *StopTopic) Match(topic string) bool {
	return strings.HasPrefix(topic, s.prefix) && s.globs.Match(topic)
}

// zooidOf returns the component that a message of the topic names.
func (s *StopTopic) zooidOf(facts map[string]any) (string, bus.Reject) {
	if s.Zooid != "" {
		return s.Zooid, ""
	}
	fact, found := facts[s.ZooidFact]
	if !found || fact == nil {
		return "", bus.RejectNoZooid
	}
	name, isText := fact.(string)
	if !isText || !bus.ValidName(name) {
		return "", bus.RejectBadName
	}
	return name, ""
}

// stop is a component's announcement of its stop.
type stop struct {
	zooid    string
	observed time.Duration // what the observation clock showed
	at       time.Time
}

// stops collects the announced stops that are to be reported. It is a part of the collector.
type stops struct {
	topics  []*StopTopic
	waiting map[string]stop // by component
}

func newStops(topics []*StopTopic) stops {
	return stops{topics: topics, waiting: make(map[string]stop)}
}

// Matching returns the blocks whose topic it is. Subscribed is true as well for a topic that a subscription brings
// along, because it begins like one of them.
func (s *stops) Matching(topic string) (blocks []*StopTopic, subscribed bool) {
	for _, block := range s.topics {
		subscribed = subscribed || strings.HasPrefix(topic, block.prefix)
		if block.Match(topic) {
			blocks = append(blocks, block)
		}
	}
	return blocks, subscribed
}

// Add takes a message of the blocks' topic. It is rejected if none of them finds a name in it.
func (s *stops) Add(blocks []*StopTopic, m *bus.Received, observed time.Duration, now time.Time) bus.Reject {
	var facts map[string]any
	if err := m.DecodeFacts(&facts); err != nil {
		facts = nil
	}
	var reason bus.Reject
	named := false
	for _, block := range blocks {
		zooid, reject := block.zooidOf(facts)
		if reject == "" {
			if _, waits := s.waiting[zooid]; !waits && len(s.waiting) >= maxStops {
				return bus.RejectMaxZooids
			}
			s.waiting[zooid] = stop{zooid: zooid, observed: observed, at: now}
			named = true
		} else if reason == "" {
			reason = reject
		}
	}
	if named {
		return ""
	}
	return reason
}

// Due reports whether there is anything to take.
func (s *stops) Due() bool {
	return len(s.waiting) > 0
}

// Take returns what waits, in the order in which it came.
func (s *stops) Take() []stop {
	if len(s.waiting) == 0 {
		return nil
	}
	taken := slices.SortedFunc(maps.Values(s.waiting), func(a, b stop) int { return a.at.Compare(b.at) })
	clear(s.waiting)
	return taken
}
