package consumer

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"
)

// exampleLength is the maximum length of an example, in bytes.
const exampleLength = 200

// HistorianConfig is the configuration of a Historian.
type HistorianConfig struct {
	XPub      string                // endpoint of the bus for subscribers
	OnMessage func(HistorianRecord) // called with each message, one at a time; must not block; may be nil
}

// HistorianRecord is a message as the historian took it.
type HistorianRecord struct {
	Frames   [][]byte
	Received time.Time // by the clock of this machine
	Keys     map[string]json.RawMessage
	Problem  Problem // empty: there is none
}

// Topic returns the first frame.
func (r HistorianRecord) Topic() string { return string(r.Frames[0]) }

// Problem is what the historian makes of a message that is none of ChemBus.
type Problem string

const (
	// Unreadable is a message that is not of two frames, or whose payload is no JSON object: an error in the log.
	Unreadable Problem = "unreadable"
	// Nameless is an object without the text "signal": a record without a name.
	Nameless Problem = "nameless"
)

// HistorianReport is what a historian has counted since its start.
type HistorianReport struct {
	Messages int
	Errors   int // messages that are Unreadable
	Nameless int // messages that are Nameless

	ErrorExample    string // the first of them; empty if there is none
	NamelessExample string
}

// String describes the report in one line.
func (r HistorianReport) String() string {
	text := fmt.Sprintf("%d messages, %d errors, %d records without a name", r.Messages, r.Errors, r.Nameless)
	for _, example := range []string{r.ErrorExample, r.NamelessExample} {
		if example != "" {
			text += ", such as " + example
		}
	}
	return text
}

// Historian subscribes to everything and reads each payload as the colony's historian does, with
// json.loads(payload).get("signal"). Its methods may be called from any goroutine.
type Historian struct {
	subscription *subscription
	onMessage    func(HistorianRecord)

	mu     sync.Mutex
	report HistorianReport
}

// NewHistorian connects a historian to a bus, which may start later. Close it after use.
func NewHistorian(config HistorianConfig) (*Historian, error) {
	h := &Historian{onMessage: config.OnMessage}
	var err error
	if h.subscription, err = subscribe(config.XPub, "", h.receive); err != nil {
		return nil, err
	}
	return h, nil
}

// Report returns the counts so far.
func (h *Historian) Report() HistorianReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.report
}

// Close disconnects the historian; its report can still be read. A second Close does nothing.
func (h *Historian) Close() error { return h.subscription.Close() }

func (h *Historian) receive(frames [][]byte) {
	r := HistorianRecord{Frames: frames, Received: time.Now()}
	r.Keys, r.Problem = readRecord(frames)
	h.count(r)
	if h.onMessage != nil {
		h.onMessage(r)
	}
}

func (h *Historian) count(r HistorianRecord) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.report.Messages++
	switch r.Problem {
	case Unreadable:
		h.report.Errors++
		keepFirst(&h.report.ErrorExample, r.Frames)
	case Nameless:
		h.report.Nameless++
		keepFirst(&h.report.NamelessExample, r.Frames)
	}
}

func keepFirst(example *string, frames [][]byte) {
	if *example == "" {
		text := fmt.Sprintf("%q", frames)
		*example = text[:min(len(text), exampleLength)]
	}
}

// readRecord returns the keys of a message's payload.
func readRecord(frames [][]byte) (map[string]json.RawMessage, Problem) {
	if len(frames) != 2 || !utf8.Valid(frames[1]) {
		return nil, Unreadable
	}
	var keys map[string]json.RawMessage
	if json.Unmarshal(withoutNonFinite(frames[1]), &keys) != nil || keys == nil {
		return nil, Unreadable
	}
	var signal string
	if json.Unmarshal(keys["signal"], &signal) != nil || signal == "" {
		return keys, Nameless
	}
	return keys, ""
}
