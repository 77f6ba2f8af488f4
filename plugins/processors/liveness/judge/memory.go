package judge

import (
	"fmt"
	"slices"
	"time"
)

// stateVersion is the version of the form in which a judge is saved.
const stateVersion = 1

// Memory is what a judge knows, for saving as JSON.
type Memory struct {
	Version    int           `json:"version"`
	Sensors    sensors       `json:"sensors"`
	Components []*component  `json:"components"`
	Crowd      crowd         `json:"crowd"`
	NextReport time.Duration `json:"next_report"`
	Identity   string        `json:"identity,omitempty"` // empty: of a version that did not say
}

// Memory returns what the judge knows. It shares memory with the judge: save it before the next call.
func (j *Judge) Memory() *Memory {
	s := &Memory{
		Version:    stateVersion,
		Sensors:    j.sensors,
		Crowd:      j.crowd,
		NextReport: j.nextReport,
		Identity:   j.identity,
	}
	for _, c := range j.order {
		if c.Phase != retired {
			s.Components = append(s.Components, c)
		}
	}
	return s
}

// Heard names the sensors that were heard up to a time before the memory was saved, and the others.
func (m *Memory) Heard(within time.Duration) (heard, mute []string) {
	for _, s := range m.Sensors.All {
		switch {
		case s == nil: // which Restore refuses
		case m.Sensors.Mute(s) <= within:
			heard = append(heard, s.ID)
		default:
			mute = append(mute, s.ID)
		}
	}
	return heard, mute
}

// Restore gives a judge that has heard nothing yet the memory of another, and becomes the owner of it.
// Time since it was saved counts as silence of nobody. An error says that it is of another version or
// cannot be; the judge is unchanged then.
func (j *Judge) Restore(s *Memory) error {
	if s.Version != stateVersion {
		return fmt.Errorf("state has version %d, this program knows %d", s.Version, stateVersion)
	}
	seen := make(map[string]*component, len(s.Components))
	for _, c := range s.Components {
		switch {
		case c == nil || c.Key == "" || seen[c.Key] != nil:
			return fmt.Errorf("state has a component without a name, or twice")
		case c.Phase >= retired:
			return fmt.Errorf("state has component %q in unknown phase %d", c.Key, c.Phase)
		case c.Last-time.Hour > s.Sensors.Now || !c.Intervals.sane() || slices.Contains(c.sightings(), nil):
			return fmt.Errorf("state has component %q with impossible values", c.Key)
		}
		seen[c.Key] = c
	}
	for _, known := range s.Sensors.All {
		if known == nil {
			return fmt.Errorf("state has an empty sensor")
		}
		known.blindAfter = j.config.BlindAfter
	}
	for _, m := range s.Crowd.Masses {
		if m == nil || m.Members == nil {
			return fmt.Errorf("state has an empty mass incident")
		}
		for key := range m.Members {
			if seen[key] == nil || seen[key].Incident != m.ID {
				return fmt.Errorf("state has a mass incident of %q, who is not in it", key)
			}
		}
	}
	if len(s.Crowd.Openings) > j.config.MassCount {
		s.Crowd.Openings = s.Crowd.Openings[len(s.Crowd.Openings)-j.config.MassCount:]
	}
	j.identity, j.sensors, j.crowd = s.Identity, s.Sensors, s.Crowd
	j.sensors.blindAfter = j.config.BlindAfter
	j.nextReport = min(s.NextReport, j.reportAfter(s.Sensors.Now)) // the interval may be another today
	j.components = make(map[string]*component, len(s.Components))
	j.order, j.retired = nil, 0
	j.deadlines = deadlines{Next: j.nextChange}
	foreign := s.Identity != "" && s.Identity != j.config.Identity // nobody beats under these keys any more
	for _, c := range s.Components {
		if c.Origin == nil {
			c.Origin = &Origin{}
		}
		c.Origin = j.origin(c.Niche, c.Host)
		threshold := c.Threshold
		j.enlist(c)
		if j.config.Adaptive != nil && c.Intervals.N < enoughIntervals && threshold > c.Threshold {
			c.Threshold = min(threshold, j.longest(c)) // see learn
		}
		c.abandoned = (foreign || c.Phase == unseen) && !j.expected[c.Key] || j.config.Ignored != nil && j.config.Ignored(c.Key)
		j.await(c, j.nextChange(c))
	}
	for _, key := range j.config.Expected {
		j.expect(key)
	}
	return nil
}
