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
// is sent. A lost connection voids all claims, since messages are missing in the order. What a monitor has published
// without an ack it publishes again, whatever others claim: some consumers may know it by that id. It does not learn from
// others that consumers know it, either: a monitor can hear what no consumer does.
//
// The bus may stand still for any time. So all waits are in returned time, which passes while own probes come back.
//
// A monitor that joins, or comes back after it had lost the bus, has not heard what was published before. It asks the
// others for their delivery logs, and claims nothing until as many answers came as there are others, or joinWait is over.
// Others that were there before may still be on their way back to the bus, and are waited for as well.
const (
	claimRoundTrip = time.Second
	claimLifetime  = 5 * time.Second
	joinWait       = 5 * time.Second
	longestStep    = 3 * time.Second  // between two returns of own probes
	askAgain       = time.Second      // for the logs, until the question comes back
	longestWait    = 20 * time.Second // for which a gap can be held back, such as by a monitor all of whose claims are slow

	// Bounds of one message. With names of a usual length it has some kilobytes.
	maxEntries, maxClaims, maxMembers = 100, 20, 100
)

// peers knows the other monitors of a bus, and what they claim. Time is passed in.
type peers struct {
	name     string                                // of this monitor
	number   uint64                                // of its last message
	missed   uint64                                // number of the last one from before messages of others may have been missed
	returned bus.SteppedTime                       // while own probes came back
	claims   *simplelru.LRU[string, time.Duration] // until when another one claims a component, in returned time

	present   bool          // the others can be heard
	others    int           // how many there are, by their subscriptions
	before    int           // how many there were when all had answered last, perhaps in a former process
	nextAsk   time.Duration // in returned time
	answers   int           // logs that came since the question for them came back; -1: it has not
	joinUntil time.Duration // in returned time: then the answers that are missing are given up
	answer    bool          // another one has asked
}

// peerMessage is what monitors say to each other: the facts of a ChemBus message.
type peerMessage struct {
	Monitor  string      `json:"monitor"`
	Number   uint64      `json:"number"`             // counts the messages of this monitor
	Ask      bool        `json:"ask,omitempty"`      // the others are to send their logs
	Log      []silence   `json:"log,omitempty"`      // entries of the delivery log
	Complete bool        `json:"complete,omitempty"` // with this the monitor has sent its whole log
	Claims   []peerClaim `json:"claims,omitempty"`
}

// peerClaim is what a monitor is about to publish.
type peerClaim struct {
	Incident   string   `json:"incident"`
	Components []string `json:"components"`
}

// claim is how far a gap has come beside other monitors. Durations are in returned time.
type claim struct {
	number uint64 // of the message that claims and is on its way; 0: none
	won    uint64 // of that which came back in time, before all others; 0: none
	sent   time.Time
	giveUp time.Duration // when the gap is published whatever others do; 0: not looked at yet
}

// slow reports whether the claim was sent too long ago. The longer of two clocks counts: one of them stands still while
// the host is suspended, and the other one can be set.
func (c *claim) slow(now time.Time) bool {
	return max(now.Sub(c.sent), now.Round(0).Sub(c.sent.Round(0))) >= claimRoundTrip
}

// action is what to do with a gap.
type action int

const (
	wait action = iota
	claimFirst
	publish
)

// newPeers returns the peers of a monitor that had as many before.
func newPeers(before int) *peers {
	p := &peers{name: uuid.NewString(), before: before, claims: newTable[time.Duration](maxSilences)}
	p.Missed()
	return p
}

// Follow takes whether the others can be heard at present, and how many they are.
func (p *peers) Follow(present bool, others int) {
	if p.present, p.others = present, others; !present {
		p.Missed()
	} else if p.joined() {
		p.before = others
	}
}

// joined reports whether this monitor knows what the others know.
func (p *peers) joined() bool {
	return p.answers >= max(p.others, p.before) || p.returned.Elapsed >= p.joinUntil
}

// Decide says what to do with a gap that is due.
func (p *peers) Decide(d *delivery, now time.Time) action {
	c, elapsed := &d.claim, p.returned.Elapsed
	if max(p.others, p.before) == 0 || len(d.components()) == 0 {
		return publish
	}
	c.giveUp = cmp.Or(c.giveUp, elapsed+longestWait)
	switch {
	case c.won > p.missed && !c.slow(now), elapsed >= c.giveUp:
		return publish
	case c.number > p.missed, !p.joined(), p.claimedByOther(d):
		return wait
	}
	return claimFirst
}

// claimedByOther reports whether another monitor is about to publish something about one of the components of a gap that
// this one has not published yet.
func (p *peers) claimedByOther(d *delivery) bool {
	return d.attempts == 0 && slices.ContainsFunc(d.components(), func(component string) bool {
		until, ok := p.claims.Peek(component)
		return ok && p.returned.Elapsed < until
	})
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
	p.answer = p.answer || m.Ask
	if m.Complete && p.answers >= 0 {
		p.answers++
	}
	for _, s := range m.Log {
		if !o.Repeats(s.Incident, s.Component, now) {
			o.log.Learn(s)
		}
	}
	for _, c := range m.Claims {
		for _, component := range c.Components {
			if usableName(component) {
				p.claims.Add(component, p.returned.Elapsed+claimLifetime)
			}
		}
	}
}

// hearOwn takes that a message has come back.
func (p *peers) hearOwn(m *peerMessage, o *outbox, now time.Time) {
	if m.Number <= p.missed {
		return
	}
	if m.Ask {
		p.answers = max(p.answers, 0)
	}
	for _, d := range o.pending.Values() {
		if d.claim.number != m.Number {
			continue
		}
		if d.claim.number = 0; !d.claim.slow(now) && !p.claimedByOther(d) {
			d.claim.won = m.Number
		}
	}
}

// Missed takes that messages of others may be missing: they have to be asked, and claims that were sent are void.
func (p *peers) Missed() {
	p.missed, p.nextAsk, p.answers, p.joinUntil = p.number, 0, -1, p.returned.Elapsed+joinWait
}

// Talk returns what to say to the others now, apart from claims.
func (p *peers) Talk(log *deliveryLog) []peerMessage {
	ask := p.present && p.others > 0 && p.answers < 0 && p.returned.Elapsed >= p.nextAsk
	if !ask && !p.answer {
		return nil
	}
	messages := p.wholeLog(log)
	if p.answer = false; ask {
		messages[0].Ask = true
		p.nextAsk = p.returned.Elapsed + askAgain
	}
	return messages
}

// wholeLog returns the delivery log in messages, one at least.
func (p *peers) wholeLog(log *deliveryLog) []peerMessage {
	var messages []peerMessage
	for entries := range slices.Chunk(log.silences.Values(), maxEntries) {
		messages = append(messages, p.message())
		messages[len(messages)-1].Log = entries
	}
	if len(messages) == 0 {
		messages = append(messages, p.message())
	}
	messages[len(messages)-1].Complete = true
	return messages
}

// Claim returns the messages that claim deliveries, which count as sent.
func (p *peers) Claim(deliveries []*delivery, now time.Time) []peerMessage {
	var messages []peerMessage
	for some := range slices.Chunk(deliveries, maxClaims) {
		m := p.message()
		for _, d := range some {
			components := d.components()
			m.Claims = append(m.Claims, peerClaim{d.Incident, components[:min(len(components), maxMembers)]})
			d.claim.number, d.claim.sent = m.Number, now
		}
		messages = append(messages, m)
	}
	return messages
}

func (p *peers) message() peerMessage {
	p.number++
	return peerMessage{Monitor: p.name, Number: p.number}
}
