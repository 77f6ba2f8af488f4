package liveness

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

// UnmarshalJSON reads a saved state of any version.
func (s *savedState) UnmarshalJSON(text []byte) error {
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	if v.Version == 1 {
		var old stateV1
		if err := json.Unmarshal(text, &old); err != nil {
			return err
		}
		return old.convert(s)
	}
	type plain savedState // without this method
	return json.Unmarshal(text, (*plain)(s))
}

// stateV1 is the form of versions up to 0.1, which had one clock for the inputs of all buses.
type stateV1 struct {
	Inputs struct {
		Now  time.Duration `json:"now"`
		Lead string        `json:"lead"` // the input whose clock counted
		All  []inputV1     `json:"all"`
	} `json:"sensors"`
	Components []componentV1 `json:"components"`
	Outages    struct {
		Opened []time.Duration `json:"openings"`
		All    []outageV1      `json:"masses"`
	} `json:"crowd"`
	NextReport time.Duration `json:"next_report"`
	Identity   string        `json:"identity"`
}

type inputV1 struct {
	ID       string         `json:"id"` // host and endpoint
	Started  bool           `json:"started"`
	Reading  time.Duration  `json:"heard"`
	KilledAt *time.Duration `json:"killed_at"`
}

type componentV1 struct {
	detector.ComponentSnapshot
	Phase   int `json:"phase"`
	HeardBy []struct {
		ID string        `json:"sensor"`
		At time.Duration `json:"at"`
	} `json:"sightings"`
}

type outageV1 struct {
	detector.OutageSnapshot
	Reported bool            `json:"told"`
	Members  map[string]bool `json:"members"`
	Key      string          `json:"anchor"`
}

// convert gives each component to the bus of the input that heard it last.
func (old *stateV1) convert(s *savedState) error {
	*s = savedState{Version: stateVersion, Bus: []string{"host", "endpoint"}}
	index := make(map[string]int)
	for i, input := range old.Inputs.All {
		host, endpoint, _ := strings.Cut(input.ID, " ")
		index[input.ID] = i
		s.Buses = append(s.Buses, savedBus{Values: []string{host, endpoint}, Detector: &detector.Snapshot{
			Clock:      detector.ClockSnapshot{Started: input.Started, Now: old.Inputs.Now, Reading: input.Reading},
			Opened:     old.Outages.Opened,
			NextReport: old.NextReport,
			Identity:   old.Identity,
		}})
		if input.KilledAt != nil {
			s.Buses[i].Detector.Killed = &detector.EndSignal{At: *input.KilledAt}
		}
	}
	if len(s.Buses) == 0 {
		return nil // nothing was heard
	}
	phases := []detector.State{detector.Up, detector.Late, detector.Silent, detector.Killed, detector.Unseen}
	on := make(map[string]int, len(old.Components)) // the bus of each component
	for i := range old.Components {
		c := &old.Components[i]
		if c.Phase < 0 || c.Phase >= len(phases) {
			return fmt.Errorf("component %q is in the unknown phase %d", c.Key, c.Phase)
		}
		c.State = phases[c.Phase]
		at := index[old.Inputs.Lead]
		latest := time.Duration(-1 << 63)
		for _, heard := range c.HeardBy {
			if by, known := index[heard.ID]; known && heard.At > latest {
				at, latest = by, heard.At
			}
		}
		on[c.Key] = at
		s.Buses[at].Detector.Components = append(s.Buses[at].Detector.Components, c.ComponentSnapshot)
	}
	for _, o := range old.Outages.All {
		members := make(map[int][]string)
		for _, key := range slices.Sorted(maps.Keys(o.Members)) {
			members[on[key]] = append(members[on[key]], key)
		}
		for at, keys := range members {
			saved := o.OutageSnapshot
			saved.Members, saved.Reported, saved.Key = keys, o.Reported, o.Key
			if !slices.Contains(keys, o.Key) {
				saved.Key = keys[0]
			}
			s.Buses[at].Detector.Outages = append(s.Buses[at].Detector.Outages, saved)
		}
	}
	return nil
}
