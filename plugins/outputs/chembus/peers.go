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
	longestWait    = 20 * time.Second // for which a gap can be held back, whatever others do
	longestStep    = 3 * time.Second  // of the returned time

	// connectTime is how long after the connection to the bus its subscriptions get to show who else is there.
	connectTime = 500 * time.Millisecond
	// A question that does not come back within askAgain is sent again, and then after twice as long each time: it was
	// lost, or the bus stands still.
	askAgain   = time.Second
	slowestAsk = time.Minute
	// answerPause is the shortest time between two answers, however many ask.
	answerPause = time.Second
	// Bounds of one message. With names of a usual length it has some kilobytes.
	maxEntries, maxClaims, maxMembers = 100, 20, 100
	// maxPeers bounds how many answers are counted.
	maxPeers = 100
)

// peers knows the other monitors of a bus, and what they claim. Time is passed in.
type peers struct {
	name     string // of this monitor
	number   uint64 // of its last message
	returned returnedTime

	others     int           // monitors whose subscriptions show, apart from this one
	heardUntil time.Duration // in returned time: until then one that was heard counts, if it shows or not

	connected bool      // the others can be heard
	nextAsk   time.Time // when to ask for their logs
	askPause  time.Duration
	firstAsk  uint64 // number of the message that did first since the connection; 0: none
	joined    bool   // a question has come back: whatever others say from now on is heard
	answers   map[string]bool
	informed  bool // all have answered, or need not

	asked    bool      // by another one
	answered time.Time // when this one did last

	claims *simplelru.LRU[string, time.Duration] // until when another claims a component, in returned time
}

// peerMessage is what monitors say to each other: the facts of a ChemBus message.
type peerMessage struct {
	Monitor  string      `json:"monitor"`
	Number   uint64      `json:"number"`   // counts the messages of this monitor
	Ask      bool        `json:"ask"`      // the others are to send their logs
	Log      []silence   `json:"log"`      // entries of the delivery log
	Complete bool        `json:"complete"` // with this the monitor has sent its whole log
	Claims   []peerClaim `json:"claims"`
}

// peerClaim is what a monitor is about to publish.
type peerClaim struct {
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

// claim is how far a gap has come beside other monitors. Durations are in returned time.
type claim struct {
	held   bool // back, for the first time at since
	since  time.Duration
	number uint64 // of the message that claims; 0: none is on its way
	sent   time.Time
	until  time.Duration // then it is taken for lost
	won    bool          // it came back in time, before all others
}

// Void takes back what was claimed.
func (c *claim) Void() {
	c.number, c.won = 0, false
}

// late reports whether the claim was sent too long ago. The longer of two clocks counts: one of them stands still while
// the host is suspended, and the other one can be set.
func (c *claim) late(now time.Time) bool {
	return max(now.Sub(c.sent), now.Round(0).Sub(c.sent.Round(0))) >= claimRoundTrip
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
	c, components := &d.claim, claimable(&d.gap)
	if !p.present() || len(components) == 0 {
		return publish
	}
	if !c.held {
		c.held, c.since = true, p.returned.elapsed
	}
	if c.late(now) {
		c.won = false
	}
	held := p.returned.elapsed - c.since
	p.informed = p.informed || p.joined && len(p.answers) >= p.others || held >= joinWait
	switch {
	case c.won, held >= longestWait:
		return publish
	case c.number != 0 && p.returned.elapsed < c.until, !p.informed, p.claimedByOther(components):
		return wait
	}
	return sendClaim
}

// present reports whether there are other monitors. A message can be faster than the subscription that shows its sender.
func (p *peers) present() bool {
	return p.others > 0 || p.returned.elapsed < p.heardUntil
}

// claimedByOther reports whether another monitor is about to publish something about one of the components.
func (p *peers) claimedByOther(components []string) bool {
	return slices.ContainsFunc(components, func(component string) bool {
		until, ok := p.claims.Peek(component)
		return ok && p.returned.elapsed < until
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
	p.heardUntil = p.returned.elapsed + joinWait
	p.asked = p.asked || m.Ask
	if m.Complete && len(p.answers) < maxPeers {
		p.answers[m.Monitor] = true
	}
	for _, s := range m.Log {
		o.log.Learn(s)
	}
	for _, c := range m.Claims {
		for _, component := range c.Components {
			if usableName(component) {
				p.claims.Add(component, p.returned.elapsed+claimLifetime)
			}
		}
	}
}

func (p *peers) hearOwn(m *peerMessage, o *outbox, now time.Time) {
	p.joined = p.joined || m.Ask && p.firstAsk != 0 && m.Number >= p.firstAsk
	for _, c := range m.Claims {
		if d, pending := o.pending.Peek(c.Incident); pending && d.claim.number == m.Number {
			d.claim.number = 0
			d.claim.won = !d.claim.late(now) && !p.claimedByOther(claimable(&d.gap))
		}
	}
}

// Connected takes whether the subscriptions show that this monitor hears the others, and how many they are.
func (p *peers) Connected(connected bool, others int, now time.Time) {
	p.others = others
	if !connected {
		p.Disconnected()
	} else if !p.connected {
		p.connected, p.nextAsk, p.askPause = true, now.Add(connectTime), askAgain
	}
}

// Disconnected takes that messages of others may be missing.
func (p *peers) Disconnected() {
	p.connected, p.joined, p.informed, p.firstAsk = false, false, false, 0
	clear(p.answers)
}

// Talk returns what to say to the others now, apart from claims. Next is when to ask again by itself; zero: when
// something happens.
func (p *peers) Talk(o *outbox, now time.Time) (messages []peerMessage, next time.Time) {
	if !p.connected {
		return nil, time.Time{}
	}
	if !p.joined && !now.Before(p.nextAsk) {
		if p.present() {
			messages = p.wholeLog(o)
			messages[0].Ask = true
			p.firstAsk = cmp.Or(p.firstAsk, messages[0].Number)
			p.nextAsk, p.askPause = now.Add(p.askPause), min(2*p.askPause, slowestAsk)
		} else {
			p.joined, p.informed = true, true // whoever comes later will ask
		}
	}
	if !p.joined {
		next = p.nextAsk
	}
	if due := p.answered.Add(answerPause); p.asked && now.Before(due) {
		next = earlier(next, due)
	} else if p.asked {
		p.asked, p.answered = false, now
		messages = append(messages, p.wholeLog(o)...)
	}
	return messages, next
}

// wholeLog returns the delivery log in messages, and as claims what was sent but may not have come back.
func (p *peers) wholeLog(o *outbox) []peerMessage {
	var messages []peerMessage
	for entries := range slices.Chunk(o.log.silences.Values(), maxEntries) {
		m := p.message()
		m.Log = entries
		messages = append(messages, m)
	}
	var sent []*delivery
	for _, d := range o.pending.Values() {
		if d.attempts > 0 && d.open {
			sent = append(sent, d)
		}
	}
	if messages = append(messages, p.claim(sent)...); len(messages) == 0 {
		messages = append(messages, p.message())
	}
	messages[len(messages)-1].Complete = true
	return messages
}

// Claim returns the messages that claim deliveries, which count as sent.
func (p *peers) Claim(deliveries []*delivery, now time.Time) []peerMessage {
	messages := p.claim(deliveries)
	for i, d := range deliveries {
		d.claim.number, d.claim.sent, d.claim.until = messages[i/maxClaims].Number, now, p.returned.elapsed+claimLifetime
	}
	return messages
}

func (p *peers) claim(deliveries []*delivery) (messages []peerMessage) {
	for some := range slices.Chunk(deliveries, maxClaims) {
		m := p.message()
		for _, d := range some {
			m.Claims = append(m.Claims, peerClaim{d.incident, claimable(&d.gap)})
		}
		messages = append(messages, m)
	}
	return messages
}

func (p *peers) message() peerMessage {
	p.number++
	return peerMessage{Monitor: p.name, Number: p.number}
}

// claimable returns the components of a gap that can be claimed.
func claimable(g *gap) []string {
	all := g.components()
	return slices.DeleteFunc(slices.Clone(all[:min(len(all), maxMembers)]), func(name string) bool { return !usableName(name) })
}

// facts returns what a message says, for the bus.
func (m *peerMessage) facts() map[string]any {
	return map[string]any{
		"monitor": m.Monitor, "number": m.Number, "ask": m.Ask, "log": m.Log, "complete": m.Complete, "claims": m.Claims,
	}
}
