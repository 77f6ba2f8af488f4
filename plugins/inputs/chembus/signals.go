package chembus

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

const (
	// maxSignalsSize bounds the memory of the signals that wait for Telegraf, in bytes.
	maxSignalsSize = 8 << 20
	// signalsBatch is how many signals are reported before a tick that is due gets its turn.
	signalsBatch = 256
	// A ts from further away is not believed: each day that it names costs a database a part of
	// its storage.
	maxSignalAge   = 30 * 24 * time.Hour
	maxSignalAhead = 24 * time.Hour
)

// signal is a message of a topic in the option signals, which waits to be reported.
type signal struct {
	tags   map[string]string
	fields map[string]any
	at     time.Time // when it was sent, or came if it does not say
}

// size estimates the memory that the signal takes, in bytes.
func (s signal) size() int {
	const each = 64 // of a key's and a value's headers, and what a map takes for them
	size := 4 * each
	for key, text := range s.tags {
		size += each + len(key) + len(text)
	}
	for key, value := range s.fields {
		text, _ := value.(string)
		size += each + len(key) + len(text)
	}
	return size
}

// signals turns messages of the option signals into what is to be reported of them. Like the collector, of
// which it is a part, it knows neither sockets nor Telegraf.
type signals struct {
	topics         map[string]bool
	maxMessageSize int

	copies signalCopies
	series signalSeries
	timers *timers // nil: starts and stops are not both heard

	waiting     []signal
	waitingSize int

	heard, dropped uint64 // totals since the start
}

func newSignals(c *ChemBus) *signals {
	s := &signals{
		topics:         make(map[string]bool),
		maxMessageSize: int(c.MaxMessageSize),
		copies:         newSignalCopies(),
		series:         newSignalSeries(),
	}
	for _, topic := range c.Signals {
		s.topics[topic] = true
	}
	if s.topics[signalTimerStart] && s.topics[signalTimerStop] {
		s.timers = newTimers()
	}
	return s
}

// checkSignals checks the option of that name.
func (c *ChemBus) checkSignals() error {
	for i, topic := range c.Signals {
		problem, allowed := "", "leave it out; it is read in any case"
		switch {
		case topic == "":
			problem, allowed = "holds an empty topic", "name whole topics, or use [] for none"
		case !bus.ValidName(topic):
			problem, allowed = fmt.Sprintf("%q is no usable topic", topic), "use up to 256 bytes of printable UTF-8 that do not end in a backslash"
		case topic == c.HeartbeatTopic:
			problem = fmt.Sprintf("%q is the heartbeat_topic", topic)
		case topic == c.KillTopic:
			problem = fmt.Sprintf("%q is the kill_topic", topic)
		case topic == c.SuspendTopic:
			problem = fmt.Sprintf("%q is the suspend_topic", topic)
		case topic == c.ResumeTopic:
			problem = fmt.Sprintf("%q is the resume_topic", topic)
		case slices.Contains(c.Signals[:i], topic):
			problem, allowed = fmt.Sprintf("%q is named twice", topic), "name each topic once"
		default:
			continue
		}
		return &option.Error{Name: "signals", Problem: problem, Allowed: allowed}
	}
	return nil
}

// Receive takes a message of one of the topics. The reason tells why it was rejected, empty if it was not;
// copied that it was the second copy of one.
func (s *signals) Receive(topic string, payload []byte, now time.Time) (reject bus.Reject, copied bool) {
	if len(payload) > s.maxMessageSize {
		return bus.RejectOversize, false
	}
	m, ok := bus.ParseMessage(string(payload))
	if !ok {
		return bus.RejectJSON, false
	}
	var facts map[string]any
	switch err := m.DecodeFacts(&facts); {
	case errors.Is(err, bus.ErrNoFacts):
		return bus.RejectBadSignal, false
	case err != nil:
		return bus.RejectJSON, false // nested too deeply
	}
	received, dated := signal{at: now}, false
	if sent, ok := epochTime(m.TS); ok && sent.After(now.Add(-maxSignalAge)) && sent.Before(now.Add(maxSignalAhead)) {
		received.at, dated = sent, true
	}
	_, isTelemetry := telemetryFields[topic]
	if isTelemetry {
		received.tags, received.fields, reject = telemetry(topic, facts)
	} else {
		received.tags, received.fields, reject = plainSignal(topic, m, facts)
	}
	switch {
	case reject != "":
		return reject, false
	case s.copies.Copied(topic, payload, dated, now):
		return "", true
	case !s.series.Admit(received.tags, now):
		return bus.RejectMaxSeries, false
	}
	s.heard++
	if isTelemetry && s.timers != nil {
		for _, timer := range s.timers.Event(topic, received.tags["name"], received.at) {
			s.wait(signal{
				tags:   map[string]string{"signal": signalUnmatched, "name": timer.name},
				fields: map[string]any{"unmatched": 1.0},
				at:     timer.started,
			})
		}
	}
	s.wait(received)
	return "", false
}

// wait keeps a signal until it is taken, if there is room.
func (s *signals) wait(received signal) {
	size := received.size()
	if s.waitingSize+size > maxSignalsSize {
		s.dropped++
		return
	}
	s.waiting = append(s.waiting, received)
	s.waitingSize += size
}

// Due reports whether there is anything to take.
func (s *signals) Due() bool {
	return len(s.waiting) > 0
}

// Take returns some of what waits, in the order in which it came.
func (s *signals) Take() []signal {
	batch := s.waiting[:min(len(s.waiting), signalsBatch)]
	taken := slices.Clone(batch)
	for _, signal := range taken {
		s.waitingSize -= signal.size()
	}
	clear(batch)
	s.waiting = s.waiting[len(batch):]
	return taken
}

// addCounts adds the fields that chembus_bus has for signals.
func (s *signals) addCounts(fields map[string]any) {
	if len(s.topics) == 0 {
		return
	}
	fields["signals"] = s.heard
	fields["signals_dropped"] = s.dropped
}

// plainSignal returns the tags and fields of a signal that has no meaning of its own here.
func plainSignal(topic string, m bus.Received, facts map[string]any) (tags map[string]string, fields map[string]any, reject bus.Reject) {
	flat, reject := flattenFacts(facts)
	if reject != "" {
		return nil, nil, reject
	}
	tags, fields = map[string]string{"signal": topic}, make(map[string]any)
	if bus.ValidName(m.Ecosystem) {
		tags["ecosystem"] = m.Ecosystem
	}
	if !math.IsNaN(m.Intensity) {
		fields["intensity"] = m.Intensity
	}
	if bus.ValidName(m.IncidentID) {
		fields["incident_id"] = m.IncidentID
	}
	for key, value := range flat {
		addField(fields, "facts_"+key, "text_"+key, value)
	}
	if len(fields) == 0 {
		return nil, nil, bus.RejectBadSignal
	}
	return tags, fields, ""
}

// epochTime returns the time of a ts in epoch seconds, to the nanosecond that Telegraf's parsers make of
// it; false if it is none.
func epochTime(seconds float64) (time.Time, bool) {
	if !(math.Abs(seconds) < math.MaxInt64/1e9) {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}
