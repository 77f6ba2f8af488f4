package watch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode/utf16"
)

// Snapshot is the state of the bus and of its components at one time.
type Snapshot struct {
	Time   time.Time `json:"time"`
	Bus    Bus       `json:"bus"`
	Memory Memory    `json:"memory"`
	Output *Output   `json:"output"` // nil: the output in Telegraf has saved no state
	Gaps   []Gap     `json:"gaps"`   // that are open, the longest first
	Notes  []string  `json:"notes"`  // limits of the rest, as sentences
	Zooids []Zooid   `json:"zooids"` // in the order of compare
}

// Bus is the state of the input. Counts are totals since the start of the watch.
type Bus struct {
	Endpoint    string   `json:"endpoint"`
	Known       bool     `json:"known"` // false: nothing was heard, and it is too early to say that the bus cannot be
	Observable  bool     `json:"observable"`
	Connected   bool     `json:"connected"`
	Probing     bool     `json:"probing"` // false: a connected bus counts as observable
	ObservedS   float64  `json:"observed_s"`
	BlindS      float64  `json:"blind_s"`
	Messages    int64    `json:"messages"`
	Heartbeats  int64    `json:"heartbeats"`
	Duplicates  int64    `json:"duplicates"`
	Rejected    int64    `json:"rejected"`
	Disconnects int64    `json:"disconnects"`
	LagS        *float64 `json:"lag_s"`       // median of all zooids; nil before the first beat
	ProbeRTTS   *float64 `json:"probe_rtt_s"` // nil before the first return
}

// Memory is the state file of the processor in Telegraf. A processor that observes a bus saves it every 10 s.
type Memory struct {
	File  string     `json:"file"`
	Saved *time.Time `json:"saved"` // nil: there is no state
	Fresh bool       `json:"fresh"` // false: the processor does not run, or does not observe the bus
}

// Gap is an open gap, as the processor of the watch knows it.
type Gap struct {
	Zooid      string  `json:"zooid"`
	Type       string  `json:"gap_type"`
	Severity   string  `json:"severity"`
	MissingS   float64 `json:"missing_seconds"`
	Reason     string  `json:"reason"`
	IncidentID string  `json:"incident_id"`
}

// Zooid is the state of a component.
type Zooid struct {
	Name           string   `json:"zooid"` // its identity; several tags are joined by "/"
	Niche          string   `json:"niche"`
	State          string   `json:"state"`
	Up             bool     `json:"up"`
	SilenceS       float64  `json:"silence_s"`
	ThresholdS     float64  `json:"threshold_s"`
	SinceS         *float64 `json:"since_s"`    // how long it has been in its state; nil if unknown
	IntervalS      *float64 `json:"interval_s"` // mean; nil before the second beat
	IntervalStddev *float64 `json:"interval_stddev_s"`
	Beats          int64    `json:"beats"`
	LagS           *float64 `json:"lag_s"` // of the last beat: arrival minus ts; nil if unknown
	Heard          bool     `json:"heard"` // by the watch; false: all values are from the state file
	Gaps           int64    `json:"gaps"`
	Loss           float64  `json:"loss"`         // 0..1 of the beats
	Availability   float64  `json:"availability"` // 0..1 of the observed time
}

// urgency orders the states, the most urgent first.
var urgency = map[string]int{"silent": 1, "unseen": 2, "flapping": 3, "late": 4, "killed": 5, "stopped": 6, "up": 7, "gone": 8}

// compare orders zooids by urgency, then by silence, the longest first. Zooids that are up are ordered by name, so that
// rows do not move.
func compare(a, b Zooid) int {
	bySilence := 0
	if a.State != "up" {
		bySilence = cmp.Compare(b.SilenceS, a.SilenceS)
	}
	return cmp.Or(cmp.Compare(urgency[a.State], urgency[b.State]), bySilence, cmp.Compare(a.Name, b.Name))
}

// Status is what a snapshot says in one word, as the exit status of a program.
type Status int

// The statuses.
const (
	AllUp      Status = iota // or silent on purpose
	SomeSilent               // or never seen, or flapping
	NotKnown                 // the bus cannot be heard, or no component is known
)

// Status returns the status of the snapshot.
func (s *Snapshot) Status() Status {
	if !s.Bus.Known || !s.Bus.Observable || len(s.Zooids) == 0 {
		return NotKnown
	}
	for _, z := range s.Zooids {
		if looks[z.State] == alarm {
			return SomeSilent
		}
	}
	return AllUp
}

// states counts the zooids in each state, the urgent ones first.
func (s *Snapshot) states() []stateCount {
	var counts []stateCount
	for _, z := range s.Zooids { // in that order
		if len(counts) == 0 || counts[len(counts)-1].state != z.State {
			counts = append(counts, stateCount{state: z.State})
		}
		counts[len(counts)-1].n++
	}
	return counts
}

type stateCount struct {
	state string
	n     int
}

// WriteJSON writes the snapshot as one line of ASCII. All other characters are escaped, so names cannot affect a
// terminal.
func (s *Snapshot) WriteJSON(w io.Writer) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	line := make([]byte, 0, len(text)+1)
	for _, r := range string(text) {
		switch {
		case r < 0x7f: // json.Marshal has escaped control characters
			line = append(line, byte(r))
		case r < 0x10000:
			line = fmt.Appendf(line, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			line = fmt.Appendf(line, `\u%04x\u%04x`, high, low)
		}
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// median returns the middle of some values; nil if there are none.
func median(values []float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	slices.Sort(values)
	return &values[len(values)/2]
}
