package chembus

import (
	"time"

	"github.com/google/uuid"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

const (
	// settle is how long after the first subscriber the others get to be there too. After an outage of
	// the bus everybody connects again, libzmq's clients every 100 ms, and the bus tells a publisher of
	// the first one only.
	settle = 500 * time.Millisecond
	// probeInterval is the time between two probes while gaps wait for other monitors, and probeLost how long one may be
	// on its way before another is sent.
	probeInterval = time.Second
	probeLost     = 5 * time.Second
	// idleProbe is the time between two probes that only prove that publishing works.
	idleProbe = 20 * time.Second

	// The private topics begin with these.
	probePrefix    = "telegraf-chembus.probe."
	peersPrefix    = "telegraf-chembus.peers."
	presencePrefix = "telegraf-chembus.peer."
)

// topics are what a monitor publishes and hears.
type topics struct {
	signal   string
	hear     string // prefix by which the signal is heard: an own subscription to all of it would hide the consumers'
	probe    string // of this connection alone
	peers    string // what the monitors of a bus say to each other
	family   string // prefix of the presence topics
	presence string // only subscribed to, by which other monitors know that this one is there
}

// newTopics names topics for a new connection, so that nothing of a former one is taken for something of this one.
func newTopics(signal string) topics {
	family := presencePrefix + signal + "."
	return topics{
		signal: signal, hear: signal[:len(signal)-1], probe: probePrefix + uuid.NewString(), peers: peersPrefix + signal,
		family: family, presence: family + uuid.NewString(),
	}
}

// dispatcher decides what goes out on the bus now, from the outbox and by leave of the peers. Time is passed in.
type dispatcher struct {
	plugin *ChemBus
	topics topics
	peers  *peers
	send   func(bus.Message) error // an error that bus.Again reports: the bus takes no more at present

	listenedSince time.Time // when somebody began to listen; zero: nobody does
	waitingSince  time.Time // when a gap began to wait for other monitors; zero: none does
	reachable     bool      // an own probe would come back
	probe         uint64    // number of the last one
	probed        time.Time // when it was sent
	nextProbe     time.Time // when to send another if no gap waits
	returns       uint64    // how many came back
	returned      uint64    // number of the last that did
}

// Hear takes a message, in the order of the bus.
func (s *dispatcher) Hear(topic string, payload []byte, now time.Time) {
	o := s.plugin.outbox
	switch topic {
	case s.topics.signal:
		if g := heardGap(payload); g == nil {
			s.plugin.noticeOtherMonitor(payload)
		} else if !o.Repeats(g.incident, now) {
			o.log.Add(g)
		}
	case s.topics.peers:
		s.peers.Hear(payload, o, now)
	case s.topics.probe:
		var facts struct {
			Number uint64 `json:"number"`
		}
		if m, ok := bus.ParseMessage(string(payload)); !ok || m.DecodeFacts(&facts) != nil || facts.Number > s.probe {
			return
		}
		s.returns++
		s.returned = max(s.returned, facts.Number)
		s.peers.returned.Step(now)
		o.Returned(facts.Number, now)
	}
}

// Follow takes whether an own probe would come back, whether somebody listens to the signal then, whether other monitors
// can be heard, and how many they are.
func (s *dispatcher) Follow(reachable, listened, connected bool, others int, now time.Time) {
	s.reachable = reachable
	if !listened && !s.listenedSince.IsZero() {
		s.ConnectionLost()
	} else if listened && s.listenedSince.IsZero() {
		s.listenedSince = now
	}
	if s.peers.connected, s.peers.others = connected, others; !connected {
		s.MessagesMissed()
	}
}

// ConnectionLost takes that what is on its way may be lost. Who listens is to be seen anew.
func (s *dispatcher) ConnectionLost() {
	s.plugin.outbox.Lost()
	s.listenedSince = time.Time{}
	if again := s.probed.Add(probeLost); again.Before(s.nextProbe) {
		s.nextProbe = again
	}
}

// MessagesMissed takes that messages of the bus may not have been heard.
func (s *dispatcher) MessagesMissed() {
	s.peers.Missed()
	s.plugin.outbox.VoidClaims()
}

// Dispatch sends what is due. An error that bus.Again reports says that the bus takes no more at present.
func (s *dispatcher) Dispatch(now time.Time) error {
	o := s.plugin.outbox
	o.DropCovered()
	if err := s.say(s.peers.Talk(o.log), now); err != nil {
		return err
	}
	decided := make(map[verdict][]*delivery)
	if !s.listenedSince.IsZero() && now.Sub(s.listenedSince) >= settle {
		for _, d := range o.Due(now) {
			v := s.peers.Decide(d, now)
			decided[v] = append(decided[v], d)
		}
	}
	if err := s.say(s.peers.Claim(decided[sendClaim], now), now); err != nil {
		o.VoidClaims()
		return err
	}
	if err := s.publish(decided[publish], now); err != nil {
		return err
	}
	return s.keepProbing(len(decided[wait])+len(decided[sendClaim]) > 0, now)
}

// publish sends gaps, and a probe behind them: the bus keeps the order of one connection.
func (s *dispatcher) publish(ready []*delivery, now time.Time) error {
	if len(ready) == 0 {
		return nil
	}
	c := s.plugin
	for _, d := range ready {
		if err := s.send(c.message(&d.gap, now)); err != nil {
			return err
		}
		c.outbox.Sent(d, s.probe+1, now)
		if d.attempts == 1 {
			c.Log.Infof("Published the gap %q of %q: %q, incident %q", d.kind, d.zooid, d.reason, d.incident)
		}
	}
	return s.sendProbe(now)
}

// keepProbing sends a probe if one is due: often while gaps wait for other monitors, else to know that publishing works.
func (s *dispatcher) keepProbing(waiting bool, now time.Time) error {
	next := s.nextProbe
	switch {
	case !waiting:
		s.waitingSince = time.Time{}
	case s.waitingSince.IsZero():
		s.waitingSince = now
		s.peers.returned.last = now // before that time none had to come back
		return nil
	case s.returned < s.probe:
		next = later(s.waitingSince.Add(probeInterval), s.probed.Add(probeLost))
	default:
		next = later(s.waitingSince, s.probed).Add(probeInterval)
	}
	if !s.reachable || now.Before(next) {
		return nil
	}
	return s.sendProbe(now)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *dispatcher) sendProbe(now time.Time) error {
	s.probe++
	s.probed, s.nextProbe = now, now.Add(idleProbe)
	return s.send(s.plugin.privateMessage(s.topics.probe, map[string]any{"number": s.probe}, now))
}

func (s *dispatcher) say(messages []peerMessage, now time.Time) error {
	for i := range messages {
		if err := s.send(s.plugin.privateMessage(s.topics.peers, &messages[i], now)); err != nil {
			return err
		}
	}
	return nil
}
