package chembus

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

const (
	// peerTopicPrefix and the signal make the topic on which the monitors of a bus speak to each other. It is
	// none that a consumer subscribes to.
	peerTopicPrefix = "telegraf-chembus.told."
	// peerPayload is the size of a message from which on the rest goes into another, in bytes.
	peerPayload = 32 << 10
	// maxClaim is the size of the longest claim of one gap, in bytes; there has to be room for the rest of a message.
	maxClaim = 2*peerPayload - 1<<10
	// peerPatience is how long those that are there get to answer before gaps are published without knowing
	// what they have told.
	peerPatience = 5 * time.Second
	// peerPause is the shortest time between two answers, however many ask.
	peerPause = time.Second
	// maxPeers bounds how many others' answers are counted; where there are more, all of peerPatience is waited.
	maxPeers = 100
	// peerBurst bounds how many messages of others are taken before something else gets its turn.
	peerBurst = 100
)

// peerMessage is what monitors say to each other, as JSON.
type peerMessage struct {
	From   string   `json:"from"`
	Ask    bool     `json:"ask,omitempty"` // the others are to say all that they know
	All    bool     `json:"all,omitempty"` // with this the sender has said all that it knows
	Told   []notice `json:"told,omitempty"`
	Over   []notice `json:"over,omitempty"`
	Claims []notice `json:"claims,omitempty"` // what the sender is about to tell
}

// peers decides what is said to the other monitors of a bus, and when. Time is passed in.
type peers struct {
	name       string
	introduced time.Time       // when this one asked, since the others can be heard; zero: not yet
	heard      map[string]bool // who has said all that it knows since then
	asked      bool            // by another one
	answered   time.Time       // when this one did last
}

func newPeers() peers {
	return peers{name: uuid.NewString(), heard: make(map[string]bool)}
}

// Hear takes what was said on the topic, and tells whether this monitor said it; nil if it is of no use.
func (p *peers) Hear(payload []byte) (m *peerMessage, own bool) {
	m = &peerMessage{}
	if err := json.Unmarshal(payload, m); err != nil || m.From == "" || len(m.From) > maxName {
		return nil, false
	}
	if m.From == p.name {
		return m, true
	}
	if m.All && len(p.heard) < maxPeers {
		p.heard[m.From] = true
	}
	p.asked = p.asked || m.Ask
	return m, false
}

// Awaited returns until when gaps have to wait for what the others know, if there are so many of them; zero:
// not at all.
func (p *peers) Awaited(others int, now time.Time) time.Time {
	until := p.introduced.Add(peerPatience)
	if others <= len(p.heard) || !p.introduced.IsZero() && !now.Before(until) {
		return time.Time{}
	}
	if p.introduced.IsZero() {
		return now.Add(peerPatience)
	}
	return until
}

// Say returns the messages to send now, given whether the others can be heard and answer, and who knows what is under way.
// Next is when to ask again; zero if there is no need.
func (p *peers) Say(connected bool, n *notices, underWay func() []notice, now time.Time) (messages []peerMessage, next time.Time) {
	told, over := n.TakeNews()
	if !connected {
		p.introduced = time.Time{} // all will be told then
		clear(p.heard)
		return nil, time.Time{}
	}
	ask := p.introduced.IsZero()
	all := ask
	if p.asked {
		if due := p.answered.Add(peerPause); now.Before(due) {
			next = due
		} else {
			all, p.asked, p.answered = true, false, now
		}
	}
	var claims []notice
	if all {
		told, claims = n.All(), underWay()
	}
	if ask {
		p.introduced = now
	}
	if !all && len(told)+len(over) == 0 {
		return nil, next
	}
	messages = split(peerMessage{From: p.name, Ask: ask}, told, over, claims)
	messages[len(messages)-1].All = all
	return messages, next
}

// claimBatches divides deliveries, each of which has something to claim, into those that are claimed in one message.
func claimBatches(deliveries []*delivery) [][]*delivery {
	var batches [][]*delivery
	size := peerPayload
	for _, d := range deliveries {
		length := 0
		for _, n := range d.claim() {
			length += n.size()
		}
		if size+length > peerPayload {
			batches, size = append(batches, nil), 0
		}
		size += length
		batches[len(batches)-1] = append(batches[len(batches)-1], d)
	}
	return batches
}

// size is the most that a notice takes in a message, in bytes.
func (n *notice) size() int {
	// Six bytes for each is the most that JSON makes of one.
	return 6*(len(n.Component)+len(n.Incident)) + 100
}

// split makes messages that are not much longer than peerPayload; the first is as given.
func split(m peerMessage, told, over, claims []notice) []peerMessage {
	from := m.From
	var all []peerMessage
	size := 0
	room := func(n notice) {
		if size > 0 && size+n.size() > peerPayload {
			all = append(all, m)
			m, size = peerMessage{From: from}, 0
		}
		size += n.size()
	}
	for _, n := range told {
		room(n)
		m.Told = append(m.Told, n)
	}
	for _, n := range over {
		room(n)
		m.Over = append(m.Over, n)
	}
	for _, n := range claims {
		room(n)
		m.Claims = append(m.Claims, n)
	}
	return append(all, m)
}
