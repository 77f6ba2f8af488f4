package chembus

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/influxdata/telegraf/testutil"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	// simStep is the step of the simulated time: what is sent in one is heard in the next.
	simStep = 10 * time.Millisecond
	// simMemory is how long consumers remember an incident.
	simMemory = time.Minute
)

// simMessage is a message on the simulated bus.
type simMessage struct {
	from           *simMonitor
	topic, payload string
	sent           time.Time
	heard          time.Time // not before, by a monitor that is slow
}

// simMonitor is one monitor of a simulated bus: all of the output but its connections.
type simMonitor struct {
	*ChemBus
	publisher *publisher
	alive     bool
	stopped   bool
	lost      bool          // the connection, after what is in the inbox
	away      time.Time     // until then it is not connected
	deaf      time.Time     // likewise, to hear
	mute      time.Time     // likewise, to publish
	blind     time.Time     // likewise, to hear own probes
	full      time.Time     // until then the bus does not always take what it sends
	slow      time.Duration // what it sends, and hears, takes longer by that
	lag       time.Duration // after which it sees who is present
	presences []presence
	inbox     []simMessage
	levels    map[string]*gap // by component, as its processor repeats them
	ends      []*gap          // which its processor repeats at the next report and the one after it
	offers    []*gap          // what the processor has written and the output has not read
	file      *savedState     // as last saved, of a revision
	revision  uint64
	saves     time.Duration // when, in each saveInterval
}

// presence is whether a monitor shows on the bus from some time on.
type presence struct {
	from    time.Time
	present bool
}

func (m *simMonitor) presentAt(at time.Time) bool {
	i, _ := slices.BinarySearchFunc(m.presences, at, func(p presence, at time.Time) int { return cmp.Or(p.from.Compare(at), -1) })
	return i > 0 && m.presences[i-1].present
}

// simulation is a bus with monitors and one consumer, in steps of simulated time. The bus has one order; each monitor hears
// all from the moment on at which it joins.
type simulation struct {
	*testing.T
	random   *rand.Rand
	now      time.Time
	paused   bool
	delay    time.Duration // of each message
	restart  bool          // the bus, with the next gap that is on it
	leave    bool          // the consumer, likewise
	away     time.Time     // until then the consumer is not connected
	queue    []simMessage
	monitors []*simMonitor
	private  int                        // messages on private topics
	seen     map[string]time.Time       // incidents
	handled  map[string][]string        // incidents by zooid
	kinds    map[string][]string        // their types
	asked    map[string]int             // investigations by zooid
	later    map[time.Duration][]func() // by steps from the start
	start    time.Time
}

func newSimulation(t *testing.T, seed uint64, monitors int) *simulation {
	t.Helper()
	s := &simulation{
		T: t, random: rand.New(rand.NewPCG(seed, 0)), now: now, start: now,
		seen: make(map[string]time.Time), handled: make(map[string][]string), kinds: make(map[string][]string), asked: make(map[string]int), later: make(map[time.Duration][]func()),
	}
	for range monitors {
		m := &simMonitor{levels: make(map[string]*gap)}
		s.monitors = append(s.monitors, m)
		s.revive(m, nil)
	}
	return s
}

// revive starts a monitor with a state; nil: none.
func (s *simulation) revive(m *simMonitor, state *savedState) {
	s.Helper()
	c, _ := standard()
	c.Log, c.Investigate, c.InvestigateLimit = testutil.Logger{Quiet: true}, true, longestQueue
	require.NoError(s, c.Init())
	if state != nil {
		c.publisher.peers.before = state.Counts.Peers
		require.NoError(s, c.outbox.Restore(state))
	}
	p := c.publisher
	m.ChemBus, m.alive, m.inbox, m.offers, m.file = c, true, nil, nil, state
	m.deaf, m.mute, m.blind, m.full = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	m.lag = time.Duration(s.random.Int64N(int64(50 * time.Millisecond)))
	m.publisher, p.topics = p, newTopics(c.Signal)
	m.saves = time.Duration(s.random.Int64N(int64(saveInterval))).Truncate(simStep)
	p.send = func(message bus.Message) error {
		payload, err := message.Encode()
		switch {
		case s.now.Before(m.full) && s.random.IntN(2) == 0:
			return syscall.EAGAIN
		case !s.now.Before(m.mute):
			s.queue = append(s.queue, simMessage{from: m, topic: message.Signal, payload: string(payload), sent: s.now})
		}
		return err
	}
}

// at calls at a time from the start.
func (s *simulation) at(after time.Duration, do func()) {
	after = after.Truncate(simStep)
	s.later[after] = append(s.later[after], do)
}

// run runs up to a time from the start.
func (s *simulation) run(until time.Duration) {
	for ; s.now.Sub(s.start) < until; s.now = s.now.Add(simStep) {
		after := s.now.Sub(s.start)
		for _, do := range s.later[after] {
			do()
		}
		if after%(5*time.Second) == 0 {
			for _, m := range s.monitors {
				for _, component := range slices.Sorted(keysOf(m.levels)) {
					m.write(s.levelNow(m.levels[component]))
				}
				for _, g := range m.ends {
					m.write(g)
				}
			}
		}
		for _, m := range s.monitors {
			present := m.alive && !s.now.Before(m.away) && !s.now.Before(m.deaf)
			if present != m.presentAt(s.now) {
				m.presences = append(m.presences, presence{s.now, present})
			}
		}
		s.forward()
		for _, i := range s.random.Perm(len(s.monitors)) {
			if m := s.monitors[i]; m.alive && !m.stopped {
				s.step(m)
			}
		}
	}
}

func keysOf(levels map[string]*gap) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range levels {
			if !yield(k) {
				return
			}
		}
	}
}

func (s *simulation) levelNow(g *gap) *gap {
	level := *g
	level.at = float64(s.now.UnixNano()) / 1e9
	level.Missing = level.at - g.LastSeen
	return &level
}

// write hands over a level, which is lost while the monitor is dead.
func (m *simMonitor) write(g *gap) {
	if m.alive {
		m.offers = append(m.offers, g)
	}
}

// forward hands on what was sent, unless the bus is paused: what came from one monitor in its order.
func (s *simulation) forward() {
	if s.paused {
		return
	}
	if slices.ContainsFunc(s.queue, func(m simMessage) bool { return m.topic == topic }) {
		if s.leave {
			s.leave, s.away = false, s.now.Add(simStep+time.Duration(s.random.Int64N(int64(20*time.Second))))
		}
		if s.restart {
			s.restartBus()
		}
	}
	byMonitor := make(map[*simMonitor][]simMessage)
	var order []*simMonitor
	var later []simMessage
	for _, m := range s.queue {
		if s.now.Sub(m.sent) < s.delay+m.from.slow {
			later = append(later, m)
			continue
		}
		if len(byMonitor[m.from]) == 0 {
			order = append(order, m.from)
		}
		byMonitor[m.from] = append(byMonitor[m.from], m)
	}
	s.queue = later
	for len(order) > 0 {
		i := s.random.IntN(len(order))
		from := order[i]
		m := byMonitor[from][0]
		if byMonitor[from] = byMonitor[from][1:]; len(byMonitor[from]) == 0 {
			order = slices.Delete(order, i, i+1)
		}
		s.deliver(m)
	}
}

func (s *simulation) deliver(m simMessage) {
	var payload struct {
		Signal     string  `json:"signal"`
		IncidentID *string `json:"incident_id"`
		Facts      map[string]any
	}
	require.NoError(s, json.Unmarshal([]byte(m.payload), &payload))
	require.Equal(s, m.topic, payload.Signal)
	switch {
	case m.topic == investigationTopic:
		s.asked[strings.TrimPrefix(payload.Facts["capability_key"].(string), "heartbeat_")]++
	case m.topic != topic:
		s.private++
	case !s.now.Before(s.away):
		if at, ok := s.seen[*payload.IncidentID]; !ok || s.now.Sub(at) > simMemory {
			zooid := payload.Facts["zooid"].(string)
			s.handled[zooid] = append(s.handled[zooid], *payload.IncidentID)
			s.kinds[zooid] = append(s.kinds[zooid], payload.Facts["gap_type"].(string))
		}
		s.seen[*payload.IncidentID] = s.now
	}
	for _, monitor := range s.monitors {
		lost := monitor.deaf
		if strings.HasPrefix(m.topic, probePrefix) {
			lost = monitor.blind
		}
		m.heard = s.now.Add(monitor.slow)
		if monitor.alive && !s.now.Before(monitor.away) && !s.now.Before(lost) && (!strings.HasPrefix(m.topic, probePrefix) || m.topic == monitor.publisher.topics.probe) {
			monitor.inbox = append(monitor.inbox, m)
		}
	}
}

// step is one round of the publisher of a monitor.
func (s *simulation) step(m *simMonitor) {
	// As many as wait, or some of them: there is a bound, and more may come at any moment.
	heard := min(len(m.inbox), 1+s.random.IntN(4))
	for heard > 0 && s.now.Before(m.inbox[heard-1].heard) {
		heard--
	}
	for _, message := range m.inbox[:heard] {
		m.publisher.Hear(message.topic, []byte(message.payload), s.now)
	}
	m.inbox = m.inbox[heard:]
	for _, g := range m.offers {
		m.outbox.Offer(g)
	}
	m.offers = nil
	if m.lost && len(m.inbox) == 0 {
		m.lost = false
		m.publisher.ConnectionLost()
		m.publisher.Missed()
	}
	m.publisher.Follow(s.view(m), s.now)
	err := m.publisher.Dispatch(s.now)
	if err == nil {
		err = m.publisher.Investigate(!s.now.Before(s.away) && !s.now.Before(m.away), s.now)
	}
	require.True(s, err == nil || bus.Again(err), "%v", err)
	if revision := m.outbox.log.revision + m.outbox.investigations.revision; revision != m.revision && s.now.Sub(s.start)%saveInterval == m.saves {
		m.file, m.revision = saved(s.T, m.outbox), revision
		m.file.Counts.Peers = m.publisher.peers.before
		m.outbox.investigations.Recorded(m.file.Investigations)
	}
}

// view is what a monitor sees of the bus. That those who listen are gone is seen when the connection to publish is lost.
func (s *simulation) view(m *simMonitor) (v view) {
	if s.now.Before(m.away) || s.now.Before(m.mute) {
		return v
	}
	for _, other := range s.monitors {
		if other != m && other.presentAt(s.now.Add(-m.lag)) {
			v.others++
		}
	}
	v.present, v.reachable = m.presentAt(s.now.Add(-m.lag)), !s.now.Before(m.blind)
	v.listened = v.reachable && !s.now.Before(s.away)
	return v
}

// loses has a monitor lose one of its connections for a while: what it has sent, from some message on, with that to
// publish.
func (s *simulation) loses(m *simMonitor, until *time.Time, length time.Duration) {
	if *until = s.now.Add(length); until == &m.mute {
		from := s.random.IntN(len(s.queue) + 1)
		s.queue = append(s.queue[:from:from], slices.DeleteFunc(s.queue[from:], func(q simMessage) bool { return q.from == m })...)
	}
	m.lost = until == &m.mute // that to hear shows by its presence
}

// restartBus loses what is on the bus, but for what the consumer or some monitors have already got, and all connections.
func (s *simulation) restartBus() {
	s.restart = false
	got := func() bool { return s.random.IntN(2) == 0 }
	for _, m := range s.monitors {
		if m.lost = true; !got() {
			m.away = s.now.Add(simStep)
		}
	}
	if !got() {
		s.away = s.now.Add(simStep)
	}
	for _, m := range s.queue[:s.random.IntN(len(s.queue)+1)] {
		s.deliver(m)
	}
	s.queue = nil
	s.busIsBack(s.now)
}

// busIsBack says when the bus can be reached again. Consumers are there at once, monitors perhaps not.
func (s *simulation) busIsBack(at time.Time) {
	back := func(within time.Duration) time.Time { return at.Add(time.Duration(s.random.Int64N(int64(within)))) }
	s.away = back(settle)
	for _, m := range s.monitors {
		m.away = back(2 * time.Second)
	}
}
