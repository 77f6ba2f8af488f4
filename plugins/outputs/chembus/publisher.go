package chembus

import (
	"strings"
	"time"

	"github.com/google/uuid"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
	"github.com/kloros/telegraf-chembus/plugins/common/logging"
)

const (
	// settle is how long after the first subscriber the others get to be there too. After an outage of
	// the bus everybody connects again, libzmq's clients every 100 ms, and the bus tells a publisher of
	// the first one only.
	settle = 500 * time.Millisecond
	// A probe goes out waitProbe after the last message that comes back while gaps wait for other monitors, and else
	// idleProbe after it, only to know that publishing works.
	waitProbe = time.Second
	idleProbe = 20 * time.Second

	// probeSize bounds what is received on the topic of the probes, and hearSize what is received of gaps and from other
	// monitors, in bytes. Whoever sends more costs the connection on which it comes, so that there is one for each.
	probeSize = 1 << 10
	hearSize  = 1 << 20
	// burst bounds how many messages are taken before something else gets its turn.
	burst = 100
	// tick is how long the publisher waits for something to happen while gaps wait that somebody listens to, or
	// investigations, and idleTick else.
	tick     = 100 * time.Millisecond
	idleTick = time.Second

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
	presence string // only subscribed to, by which other monitors know that this one is there
}

// newTopics names topics for a new connection, so that nothing of a former one is taken for something of this one.
func newTopics(signal string) topics {
	return topics{
		signal: signal, hear: signal[:len(signal)-1], probe: probePrefix + uuid.NewString(), peers: peersPrefix + signal,
		presence: presencePrefix + signal + "." + uuid.NewString(),
	}
}

// publisher owns the connections of the plugin to the bus, and decides what goes out on them now: from the outbox, by leave
// of the peers. Everything in it belongs to the goroutine of the loop. Time is passed in.
type publisher struct {
	plugin *ChemBus
	peers  *peers
	topics topics
	send   func(bus.Message) error // an error that bus.Again reports: the bus takes no more at present

	out     *bus.Connection // publishes, and knows who listens
	probes  *bus.Connection // hears own probes
	hearing *bus.Connection // hears gaps and other monitors, in the order of the bus

	reachable     bool      // an own probe would come back
	listenedSince time.Time // when somebody began to listen to the signal; zero: nobody does
	probe         uint64    // number of the last one
	said          time.Time // when the last one was sent, or another message that comes back
	returned      time.Time // when such a message came back last

	works bool // publishing does, as far as is known
	log   bus.PublishLog
	waits logging.Problem // gaps do, for a consumer
}

func (c *ChemBus) newPublisher() *publisher {
	return &publisher{
		plugin: c, peers: newPeers(), works: true, waits: logging.Problem{Tolerance: waitTolerance},
		log: bus.PublishLog{PublishEndpoint: c.endpoint, SubscribeEndpoint: c.subscribeEndpoint, Log: c.Log},
	}
}

// Open opens the connections.
func (p *publisher) Open() error {
	c, context, t := p.plugin, p.plugin.loop.Context, newTopics(p.plugin.Signal)
	var err error
	if p.probes, err = bus.NewSubscriber(context, c.subscribeEndpoint, c.keys, probeSize, t.probe); err != nil {
		return err
	}
	// What the subscription to presence shows holds for those before it.
	if p.hearing, err = bus.NewSubscriber(context, c.subscribeEndpoint, c.keys, hearSize, t.hear, t.peers, t.presence); err != nil {
		return err
	}
	if p.out, err = bus.NewPublisher(context, c.endpoint, c.keys, t.signal, t.probe, t.presence, investigationTopic); err != nil {
		return err
	}
	p.out.Listeners.Family = presencePrefix + c.Signal + "."
	p.out.Listeners.OnEnd = func(prefix string) {
		if strings.HasPrefix(t.signal, prefix) && prefix != t.hear {
			c.outbox.Lost() // to who has left, at least
		}
	}
	p.out.OnLoss = func() {
		p.ConnectionLost()
		p.Missed() // the question for the logs may be lost, too
	}
	p.hearing.OnLoss = p.Missed
	p.topics, p.send = t, p.out.PublishMessage
	return c.loop.Watch(p.out, p.probes, p.hearing)
}

// Close closes the connections; the publishing one goes on for a while to send what it had accepted.
func (p *publisher) Close() {
	linger := closeTimeout
	if p.plugin.loop.Stopping() {
		linger = time.Until(p.plugin.deadline)
	}
	for _, connection := range []*bus.Connection{p.out, p.probes, p.hearing} {
		connection.Close(linger)
		linger = 0
	}
	p.out, p.probes, p.hearing = nil, nil, nil
	p.plugin.mu.Lock()
	defer p.plugin.mu.Unlock()
	p.Follow(view{}, time.Now())
}

// Step sends what is due, saves and logs what has changed, then waits for something to happen, and takes it in.
func (p *publisher) Step() error {
	wait, err := p.sendAndSave(time.Now())
	if err == nil {
		err = p.plugin.loop.Poll(wait)
	}
	if err == nil {
		err = p.receive(time.Now())
	}
	return err
}

// sendAndSave sends what is due, and saves and logs what has changed. It returns after which time there may be more to do.
func (p *publisher) sendAndSave(now time.Time) (time.Duration, error) {
	c := p.plugin
	c.mu.Lock()
	err := p.Dispatch(now)
	if err == nil {
		// Not a recorder of everything, which investigates nothing.
		err = p.Investigate(p.out.Listeners.Covers(investigationTopic, ""), now)
	}
	pending, waiting := c.outbox.pending.Len(), len(c.outbox.investigations.waiting)
	c.mu.Unlock()
	p.logState(pending, now)
	c.saveIfDue(now)
	if bus.Again(err) {
		err = nil // it is sent later
	}
	if pending > 0 && !p.listenedSince.IsZero() || waiting > 0 {
		return tick, err
	}
	return idleTick, err
}

// receive takes in what came. The order matters: messages first, and then what happened to the connections on which they
// came, so that nothing is taken for heard in order that came after a hole.
func (p *publisher) receive(now time.Time) error {
	p.plugin.mu.Lock()
	defer p.plugin.mu.Unlock()
	for _, connection := range []*bus.Connection{p.probes, p.hearing} {
		for range burst {
			topic, payload, frames, err := connection.Receive()
			if bus.Again(err) {
				break
			}
			if err != nil {
				return err
			}
			if frames == 2 {
				p.Hear(string(topic), payload, now)
			}
		}
	}
	for _, connection := range []*bus.Connection{p.out, p.probes, p.hearing} {
		if err := connection.Update(now); err != nil {
			return err
		}
	}
	// A recorder of everything covers the topic of the probes, too, but does not return them.
	listeners := p.out.Listeners
	v := view{reachable: listeners.Has(p.topics.probe), present: listeners.Has(p.topics.presence), others: listeners.Members}
	v.listened = v.reachable && listeners.Covers(p.topics.signal, p.topics.hear)
	if v.present {
		v.others-- // this one
	}
	p.Follow(v, now)
	return nil
}
