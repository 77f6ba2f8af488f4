package chembus

import (
	"slices"
	"time"

	"github.com/google/uuid"

	bus "github.com/kloros/telegraf-chembus/plugins/common/chembus"
)

// Who publishes when two monitors find it?
//
// The bus hands the same messages to all monitors in the same order. A monitor that has gaps to publish sends a claim, and
// reads on until the claim comes back. It publishes all that the delivery log does not cover by then, if
//
//   - no other monitor's claim came before it that still holds, and
//   - the claim was sent less than claimRoundTrip ago. The others wait for much longer, so that they have not given it up.
//
// Then, or if its claim was slow, it says that it is done. That ends its claim, and those that came after it, unless it comes
// so late that the claim is over. Else a claim holds for claimLifetime: whoever sent it may have been stopped. If another's
// claim came first, or the own one was slow, a monitor waits until no claim holds, and begins anew. A lost connection voids
// the own claim, since messages are missing in the order. One that does not come back within claimLifetime is lost, and
// another is sent. What a monitor has published without an ack it publishes again, whatever others claim: some consumers
// may know it by that id. So it claims that with its delivery log, too, before those who ask for that can have a turn. It
// does not learn from others that consumers know it, either: a monitor can hear what no consumer does.
//
// The bus may stand still for any time. So all waits are in returned time, which passes while own messages come back.
//
// A monitor that joins, or comes back after it had lost the bus, has not heard what was published before. It asks the
// others for their delivery logs, and claims nothing until as many answers came as there are others, or joinWait is over.
// Others that were there before may still be on their way back to the bus, and are waited for as well.
const (
	claimRoundTrip = time.Second
	claimLifetime  = 5 * time.Second
	joinWait       = 5 * time.Second
	answerInterval = time.Second      // at least: who asks on and on, or for want of room on the bus, gets no more
	longestStep    = time.Second      // between two returns of own messages: what passes before the first counts, too
	longestWait    = 20 * time.Second // for which a gap can be held back, such as by a monitor all of whose claims are slow

	// maxEntries bounds the lists in one message. With names of a usual length it has some kilobytes.
	maxEntries = 100
)

// peers knows the other monitors of a bus, and whose turn it is to publish. Time is passed in.
type peers struct {
	name     string          // of this monitor
	number   uint64          // of its last message
	returned bus.SteppedTime // while own messages came back
	claim    claim
	held     []hold        // claims that hold, in the order of the bus
	giveUp   time.Duration // when gaps that wait are published whatever others do, in returned time

	present   bool            // the others can be heard
	others    int             // how many there are, by their subscriptions
	before    int             // how many there were when all had answered last, perhaps in a former process
	asked     uint64          // number of the question for their logs; 0: they have to be asked
	answers   map[string]bool // who has sent its log since it came back; nil: it has not
	joinUntil time.Duration   // in returned time: then the answers that are missing are given up
	answer    bool            // another one has asked
	answered  time.Time       // last
}

// hold is how long a claim holds, whosever it is.
type hold struct {
	monitor string
	until   time.Duration // in returned time
}

// claim is the last one of this monitor.
type claim struct {
	number uint64 // of the message; 0: there is none
	sent   time.Time
	until  time.Duration // in returned time: one that has not come back by then is lost
	back   bool          // it has come back: what others had published before is known
	first  bool          // before all of others that held then
}

// slow reports whether the claim was sent too long ago. The longer of two clocks counts: one of them stands still while
// the host is suspended, and the other one can be set.
func (c *claim) slow(now time.Time) bool {
	return max(now.Sub(c.sent), now.Round(0).Sub(c.sent.Round(0))) >= claimRoundTrip
}

// peerMessage is what monitors say to each other: the facts of a ChemBus message.
type peerMessage struct {
	Monitor  string    `json:"monitor"`
	Number   uint64    `json:"number"`             // counts the messages of this monitor
	Ask      bool      `json:"ask,omitempty"`      // the others are to send their logs
	Log      []silence `json:"log,omitempty"`      // entries of the delivery log
	Complete bool      `json:"complete,omitempty"` // with this the monitor has sent its whole log
	Claims   []string  `json:"claims,omitempty"`   // incidents that it is about to publish, the first of them
	Done     bool      `json:"done,omitempty"`     // it has published what it had claimed
}

func newPeers() *peers {
	p := &peers{name: uuid.NewString(), giveUp: longestWait}
	p.Missed()
	return p
}

// Follow takes whether the others can be heard at present, and how many they are.
func (p *peers) Follow(present bool, others int) {
	if p.present, p.others = present, others; !present {
		p.Missed()
	} else if p.joined() && p.free() { // else what who has gone has published may still come
		p.before = others
	}
}

// Missed takes that messages of others may be missing: they have to be asked, and the own claim is void. What they claimed
// before they may still publish, or have published when the bus was lost.
func (p *peers) Missed() {
	p.asked, p.answers, p.joinUntil, p.claim = 0, nil, p.returned.Elapsed+joinWait, claim{}
}

// joined reports whether this monitor knows what the others know.
func (p *peers) joined() bool {
	return len(p.answers) >= max(p.others, p.before) || p.returned.Elapsed >= p.joinUntil
}

// free reports whether no claim holds.
func (p *peers) free() bool {
	p.held = slices.DeleteFunc(p.held, func(h hold) bool { return p.returned.Elapsed >= h.until })
	return len(p.held) == 0
}

// Allows reports whether a gap that is due may be published now.
func (p *peers) Allows(d *delivery, now time.Time) bool {
	if max(p.others, p.before) == 0 || len(d.components()) == 0 {
		return true
	}
	return p.claim.back && !p.claim.slow(now) && (p.claim.first || d.attempts > 0) || p.returned.Elapsed >= p.giveUp
}

// Hear takes a message of a monitor, in the order of the bus. It reports whether that is this one.
func (p *peers) Hear(payload []byte, o *outbox, now time.Time) (own bool) {
	message, ok := bus.ParseMessage(string(payload))
	var m peerMessage
	if !ok || message.DecodeFacts(&m) != nil || !usableName(m.Monitor) {
		return false
	}
	free := p.free()
	p.hearClaim(&m)
	if m.Monitor == p.name {
		p.hearOwn(&m, free)
		return true
	}
	p.answer = p.answer || m.Ask
	if m.Complete && p.answers != nil && !p.joined() {
		p.answers[m.Monitor] = true
	}
	for _, s := range m.Log {
		if !o.Repeats(s.Incident, s.Component, now) {
			o.log.Learn(s)
		}
	}
	return false
}

// hearOwn takes that a message has come back, and whether no claim held before.
func (p *peers) hearOwn(m *peerMessage, free bool) {
	switch m.Number {
	case p.asked:
		p.answers = make(map[string]bool)
	case p.claim.number:
		p.claim.back, p.claim.first = true, free
	}
}

// hearClaim takes what a message says of claims. An own one that is void, since messages were missed, does not count.
func (p *peers) hearClaim(m *peerMessage) {
	if len(m.Claims) > 0 && (m.Monitor != p.name || m.Number == p.claim.number) && len(p.held) < maxEntries {
		p.held = append(p.held, hold{m.Monitor, p.returned.Elapsed + claimLifetime})
	}
	if i := slices.IndexFunc(p.held, func(h hold) bool { return h.monitor == m.Monitor }); m.Done && i >= 0 {
		p.held = p.held[:i]
	}
}

// Talk returns what to say to the others now, when all was published that may be, and some gaps wait.
func (p *peers) Talk(o *outbox, waiting []*delivery, now time.Time) []peerMessage {
	if len(waiting) == 0 {
		p.giveUp = p.returned.Elapsed + longestWait
	}
	messages := p.wholeLog(o, now)
	if p.claim.back {
		if p.claim.first {
			messages = append(messages, p.message(peerMessage{Done: true}))
		}
		p.claim = claim{}
	}
	if p.returned.Elapsed >= p.claim.until { // ZeroMQ drops silently what a receiver does not read in time
		p.claim = claim{}
	}
	if p.claims(waiting) {
		messages = append(messages, p.message(peerMessage{Claims: incidents(waiting)}))
		p.claim = claim{number: p.number, sent: now, until: p.returned.Elapsed + claimLifetime}
	}
	return messages
}

// incidents returns those of gaps that are claimed, the first of them.
func incidents(claimed []*delivery) (ids []string) {
	for _, d := range claimed[:min(len(claimed), maxEntries)] {
		ids = append(ids, d.Incident)
	}
	return ids
}

// claims reports whether a claim is to be sent, since gaps wait.
func (p *peers) claims(waiting []*delivery) bool {
	again := func(d *delivery) bool { return d.attempts > 0 }
	return len(waiting) > 0 && p.claim.number == 0 && p.joined() &&
		(p.free() || slices.ContainsFunc(waiting, again))
}

// wholeLog returns the delivery log in messages, with the question for those of the others, if somebody has asked for it or is
// to be asked.
func (p *peers) wholeLog(o *outbox, now time.Time) (messages []peerMessage) {
	ask := p.present && p.others > 0 && p.asked == 0
	answer := p.answer && now.Sub(p.answered).Abs() >= answerInterval
	if !ask && !answer {
		return nil
	}
	if p.answer = p.answer && !answer; answer {
		p.answered = now
	}
	if ask {
		p.asked = p.number + 1
	}
	lost := incidents(slices.DeleteFunc(o.pending.Values(), func(d *delivery) bool { return !d.lost() }))
	for entries := o.log.silences.Values(); ; {
		n := min(len(entries), maxEntries)
		messages = append(messages, p.message(peerMessage{Ask: ask, Claims: lost, Log: entries[:n], Complete: n == len(entries)}))
		if ask, lost, entries = false, nil, entries[n:]; len(entries) == 0 {
			return messages
		}
	}
}

// message gives a message its sender and number.
func (p *peers) message(m peerMessage) peerMessage {
	p.number++
	m.Monitor, m.Number = p.name, p.number
	return m
}
