package chembus

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// Who publishes when two monitors find it?
//
// The bus hands the same messages to all monitors in the same order. A monitor that has a gap to publish sends a claim,
// which names the incident and its components, and reads on until the claim comes back. It publishes if by then
//
//   - the delivery log does not cover the gap, and
//   - no other monitor's claim of one of the components came before it, within claimLifetime, and
//   - the claim took less than claimRoundTrip. The others wait for much longer, so that they have not given it up.
//
// If another's came first it waits until that is claimLifetime old, and begins anew. A slow claim is void, and another
// is sent. A lost connection voids all claims, since messages are missing in the order.
//
// The bus may stand still for any time. So these waits are in returned time, which passes while own probes come back.
//
// A monitor that joins, or comes back after it had lost the bus, has not heard what was published before. It asks the
// others for their delivery logs, and publishes nothing until each of them has answered, or joinWait is over.
const (
	claimRoundTrip = time.Second
	claimLifetime  = 5 * time.Second
	joinWait       = 5 * time.Second
	// longestWait is for how long a gap can be held back, whatever others say or fail to say.
	longestWait = 20 * time.Second
	// longestStep is the most by which one returned probe advances the returned time.
	longestStep = 3 * time.Second

	// connectTime is how long after the connection to the bus its subscriptions get to show who else is there.
	connectTime = 500 * time.Millisecond
	// askAgain and slowestAsk are how long a question may take to come back before another is asked, twice as long each
	// time: it may have been lost, or the bus stands still.
	askAgain   = time.Second
	slowestAsk = time.Minute
	// answerPause is the shortest time between two answers, however many ask.
	answerPause = time.Second
	// maxPeers bounds how many answers are counted.
	maxPeers = 100
	// messageSize is the size of a message from which on the rest goes into another, in bytes. Only a single claim can
	// be longer, up to maxClaimSize.
	messageSize  = 32 << 10
	maxClaimSize = 256 << 10
)

// peers knows the other monitors of a bus, and what they claim. Time is passed in.
type peers struct {
	name     string // of this monitor
	number   uint64 // of its last message
	returned returnedTime

	others  int           // monitors whose subscriptions show, apart from this one
	heard   bool          // a message of another
	heardAt time.Duration // in returned time

	connectedSince time.Time // since when others can be heard; zero: they cannot
	nextAsk        time.Time // when to ask them for their logs again
	askPause       time.Duration
	firstAsk       uint64 // number of the message that did first since then; 0: none
	joined         bool   // one has come back: whatever others say from now on is heard
	answers        map[string]bool
	waiting        bool          // with gaps, for the answers
	waitingSince   time.Duration // in returned time
	complete       bool          // all have answered, or need not

	questioned bool      // by another one
	answered   time.Time // when this one did last

	claims *simplelru.LRU[string, time.Duration] // last claim of another, by component, in returned time
}

// peerMessage is what monitors say to each other: the facts of a ChemBus message.
type peerMessage struct {
	Monitor  string           `json:"monitor"`
	Number   uint64           `json:"number"`   // counts the messages of this monitor
	Ask      bool             `json:"ask"`      // the others are to send their logs
	Log      []silence        `json:"log"`      // entries of the delivery log
	Complete bool             `json:"complete"` // with this the monitor has sent its whole log
	Claims   []claimedFailure `json:"claims"`
}

// claimedFailure is what a monitor is about to publish.
type claimedFailure struct {
	Incident   string   `json:"incident"`
	Components []string `json:"components"`
}

// returnedTime is the time during which own probes came back. It stands still while the bus does.
type returnedTime struct {
	elapsed time.Duration
	last    time.Time // when the last probe came back
}

// Returned takes the return of a probe.
func (r *returnedTime) Returned(now time.Time) {
	if !r.last.IsZero() {
		r.elapsed += min(now.Sub(r.last), longestStep)
	}
	r.last = now
}

// claim is how far a gap has come beside other monitors.
type claim struct {
	waits  bool          // the gap was held back
	since  time.Duration // since when, in returned time
	number uint64        // of the message that claims; 0: none is on its way
	sent   time.Time
	sentAt time.Duration // in returned time
	won    bool          // it came back in time, before all others
}

// Void takes back what was claimed.
func (c *claim) Void() {
	c.number, c.won = 0, false
}

// roundTrip is how long ago the claim was sent. The longer of two clocks counts: one of them stands still while the host
// is suspended, and the other one can be set.
func (c *claim) roundTrip(now time.Time) time.Duration {
	return max(now.Sub(c.sent), now.Round(0).Sub(c.sent.Round(0)))
}

// verdict is what to do with a gap.
type verdict int

const (
	wait verdict = iota
	sendClaim
	publish
)

func newPeers() (*peers, error) {
	claims, err := simplelru.NewLRU[string, time.Duration](maxSilences, nil)
	return &peers{name: uuid.NewString(), answers: make(map[string]bool), claims: claims}, err
}

// Decide says what to do with a gap that is due.
func (p *peers) Decide(d *delivery, now time.Time) verdict {
	components := claimed(&d.gap)
	if !p.present() || len(components) == 0 {
		return publish
	}
	if !d.claim.waits {
		d.claim.waits, d.claim.since = true, p.returned.elapsed
	}
	if d.claim.won && d.claim.roundTrip(now) >= claimRoundTrip {
		d.claim.Void()
	}
	switch {
	case d.claim.won, p.returned.elapsed-d.claim.since >= longestWait:
		return publish
	case d.claim.number != 0 && p.returned.elapsed-d.claim.sentAt < claimLifetime: // else it is lost
		return wait
	case !p.informed(), p.claimedByOther(components):
		return wait
	}
	return sendClaim
}

// present reports whether there are other monitors. A message can be faster than the subscription that shows its sender.
func (p *peers) present() bool {
	return p.others > 0 || p.heard && p.returned.elapsed-p.heardAt < joinWait
}

// informed reports whether this monitor knows what the others know, as far as they say so. It begins to wait for that.
func (p *peers) informed() bool {
	if !p.waiting {
		p.waiting, p.waitingSince = true, p.returned.elapsed
	}
	if p.joined && len(p.answers) >= p.others || p.returned.elapsed-p.waitingSince >= joinWait {
		p.complete = true
	}
	return p.complete
}

// claimedByOther reports whether another monitor is about to publish something about one of the components.
func (p *peers) claimedByOther(components []string) bool {
	return slices.ContainsFunc(components, func(component string) bool {
		at, ok := p.claims.Peek(component)
		return ok && p.returned.elapsed-at < claimLifetime
	})
}

// Published takes that a gap was heard: what was claimed of its components was made good.
func (p *peers) Published(g *gap) {
	for _, component := range g.components() {
		p.claims.Remove(component)
	}
}

// Hear takes a message of a monitor, this one included, in the order of the bus.
func (p *peers) Hear(payload []byte, o *outbox, now time.Time) {
	message, ok := bus.ParseMessage(string(payload))
	var m peerMessage
	if !ok || message.DecodeFacts(&m) != nil || !usableName(m.Monitor) {
		return
	}
	if m.Monitor == p.name {
		p.hearOwn(&m, o, now)
		return
	}
	p.heard, p.heardAt = true, p.returned.elapsed
	for _, s := range m.Log {
		o.log.Learn(s)
	}
	if m.Complete && len(p.answers) < maxPeers {
		p.answers[m.Monitor] = true
	}
	p.questioned = p.questioned || m.Ask
	for _, c := range m.Claims {
		for _, component := range c.Components {
			if usableName(component) {
				p.claims.Add(component, p.returned.elapsed)
			}
		}
	}
}

func (p *peers) hearOwn(m *peerMessage, o *outbox, now time.Time) {
	if m.Ask && p.firstAsk != 0 && m.Number >= p.firstAsk {
		p.joined = true
	}
	for _, c := range m.Claims {
		d, pending := o.pending.Peek(c.Incident)
		if !pending || d.claim.number != m.Number {
			continue
		}
		d.claim.number = 0
		d.claim.won = d.claim.roundTrip(now) < claimRoundTrip && !p.claimedByOther(claimed(&d.gap))
	}
}

// Connected takes whether the subscriptions show that this monitor hears the others, and how many they are.
func (p *peers) Connected(connected bool, others int, now time.Time) {
	p.others = others
	switch {
	case !connected:
		p.Disconnected()
	case p.connectedSince.IsZero():
		p.connectedSince, p.nextAsk, p.askPause = now, now.Add(connectTime), askAgain
	}
}

// Disconnected takes that messages of others may be missing.
func (p *peers) Disconnected() {
	p.connectedSince, p.firstAsk = time.Time{}, 0
	p.joined, p.waiting, p.complete = false, false, false
	clear(p.answers)
}

// Talk returns what to say to the others now, apart from claims. Next is when to ask again by itself; zero: when
// something happens.
func (p *peers) Talk(o *outbox, now time.Time) (messages []peerMessage, next time.Time) {
	if p.connectedSince.IsZero() {
		return nil, time.Time{}
	}
	if !p.joined && !p.complete {
		switch {
		case now.Before(p.nextAsk):
		case !p.present():
			p.joined, p.complete = true, true // whoever comes later will ask
		default:
			messages = p.wholeLog(o)
			messages[0].Ask = true
			p.firstAsk = cmp.Or(p.firstAsk, messages[0].Number)
			p.nextAsk, p.askPause = now.Add(p.askPause), min(2*p.askPause, slowestAsk)
		}
		if !p.joined {
			next = p.nextAsk
		}
	}
	if p.questioned {
		if due := p.answered.Add(answerPause); now.Before(due) {
			next = earlier(next, due)
		} else {
			p.questioned, p.answered = false, now
			messages = append(messages, p.wholeLog(o)...)
		}
	}
	return messages, next
}

// wholeLog returns the delivery log in messages, and as claims what was sent but has not come back.
func (p *peers) wholeLog(o *outbox) []peerMessage {
	var messages []peerMessage
	m, size := p.message(), 0
	for _, s := range o.log.silences.Values() {
		m.Log = append(m.Log, s)
		if size += jsonSize(s.Component, s.Incident); size > messageSize {
			messages = append(messages, m)
			m, size = p.message(), 0
		}
	}
	for _, d := range o.pending.Values() {
		if d.attempts > 0 && d.open {
			m.Claims = append(m.Claims, claimedFailure{d.incident, claimed(&d.gap)})
			if size += jsonSize(append(claimed(&d.gap), d.incident)...); size > messageSize {
				messages = append(messages, m)
				m, size = p.message(), 0
			}
		}
	}
	m.Complete = true
	return append(messages, m)
}

// Claim returns the messages that claim deliveries, which count as sent.
func (p *peers) Claim(deliveries []*delivery, now time.Time) []peerMessage {
	var messages []peerMessage
	size := messageSize
	for _, d := range deliveries {
		if size >= messageSize {
			messages, size = append(messages, p.message()), 0
		}
		m := &messages[len(messages)-1]
		components := claimed(&d.gap)
		m.Claims = append(m.Claims, claimedFailure{d.incident, components})
		size += jsonSize(append(components, d.incident)...)
		d.claim.number, d.claim.sent, d.claim.sentAt = m.Number, now, p.returned.elapsed
	}
	return messages
}

func (p *peers) message() peerMessage {
	p.number++
	return peerMessage{Monitor: p.name, Number: p.number}
}

// claimed returns the components of a gap that can be claimed, as many as go into one message.
func claimed(g *gap) []string {
	var all []string
	size := 0
	for _, component := range g.components() {
		if size += jsonSize(component); usableName(component) && size <= maxClaimSize {
			all = append(all, component)
		}
	}
	return all
}

// jsonSize is the most that names take in a message, in bytes.
func jsonSize(names ...string) int {
	size := 0
	for _, name := range names {
		size += 6*len(name) + 50 // six for each is the most that JSON makes of a byte
	}
	return size
}

// facts returns what a message says, for the bus.
func (m *peerMessage) facts() map[string]any {
	return map[string]any{
		"monitor": m.Monitor, "number": m.Number, "ask": m.Ask, "log": m.Log, "complete": m.Complete, "claims": m.Claims,
	}
}
