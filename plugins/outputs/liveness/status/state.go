package status

import "fmt"

// State is the state of a component, as processors.liveness reports it.
type State uint8

// The states, the worst last. A component is Unknown if nothing recent is known about it.
const (
	Unknown State = iota
	Retired
	Gone
	Up
	Stopped
	Killed
	Late
	Unseen
	Flapping
	Silent
)

// states are the names of the states, and the letters that stand for them in a history.
var states = [...]struct {
	name   string
	letter byte
}{
	Unknown:  {"unknown", '.'},
	Retired:  {"retired", 'r'},
	Gone:     {"gone", 'g'},
	Up:       {"up", 'u'},
	Stopped:  {"stopped", 'p'},
	Killed:   {"killed", 'k'},
	Late:     {"late", 'l'},
	Unseen:   {"unseen", 'n'},
	Flapping: {"flapping", 'f'},
	Silent:   {"silent", 's'},
}

// StateNamed returns the state of a name; false if there is none.
func StateNamed(name string) (State, bool) {
	for s := range states {
		if states[s].name == name {
			return State(s), true
		}
	}
	return Unknown, false
}

// String returns the name.
func (s State) String() string {
	return states[s].name
}

// MarshalText returns the name.
func (s State) MarshalText() ([]byte, error) {
	return []byte(s.String()), nil
}

// UnmarshalText takes a name.
func (s *State) UnmarshalText(text []byte) error {
	state, ok := StateNamed(string(text))
	if !ok {
		return fmt.Errorf("%q is no state", text)
	}
	*s = state
	return nil
}
